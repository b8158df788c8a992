"""Runs as processes of their own: interrupted, killed, and two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from releases import DATASETS, a_release, rows

pytestmark = pytest.mark.engine


HEARS = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("pharmaetl", run_name="__main__", alter_sys=True)
"""
"""Whoever starts the tests in the background may have had SIGINT ignored, and children inherit that."""


def start(lake: Path, source: Path, engine: str = "sail") -> subprocess.Popen[str]:
    words = [
        sys.executable,
        "-c",
        HEARS,
        "run",
        "nsde",
        "--source",
        str(source),
        "--lake",
        str(lake),
        "--datasets",
        str(DATASETS),
        "--engine",
        engine,
    ]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ask(lake: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "pharmaetl", *words, "--lake", str(lake), "--datasets", str(DATASETS), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def stop_in_bronze(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal once the source is unpacked; returns the exit code and what stood on stderr."""
    assert process.stderr is not None
    before = []
    for line in process.stderr:
        before.append(line)
        if line.startswith("unpack: done"):
            break
    process.send_signal(number)
    _, after = process.communicate(timeout=60)
    return process.returncode, "".join(before) + after


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("engine", "times"), [("sail", 1), ("duckdb", 5000)])
def test_an_interrupted_run_ends_with_130_a_record_and_no_version(
    tmp_path: Path, number: signal.Signals, engine: str, times: int
) -> None:
    """Sail takes seconds for any rows; DuckDB needs many, so that it is at work when the signal comes."""
    lake, source = tmp_path / "lake", a_release(tmp_path / "a.zip", rows(100) * times)
    code, said = stop_in_bronze(start(lake, source, engine), number)
    assert (code, "error: interrupted" in said, "Traceback" in said) == (130, True, False)
    (run,) = ask(lake, "runs", "list")["runs"]
    assert (run["outcome"], run["error"]["code"]) == ("failed", "interrupted")
    assert not (lake / "manifests").exists()
    assert ask(lake, "runs", "resume", run["run_id"])["outcome"] == "published"
    assert ask(lake, "manifest", "show", "nsde")["entries"] == 1


def test_a_killed_run_leaves_nothing_visible_and_the_next_one_publishes(tmp_path: Path) -> None:
    lake, source = tmp_path / "lake", a_release(tmp_path / "a.zip", rows(30))
    code, _ = stop_in_bronze(start(lake, source), signal.SIGKILL)
    assert code == -signal.SIGKILL
    (run,) = ask(lake, "runs", "list")["runs"]
    assert (run["outcome"], run["error"]["code"]) == ("failed", "dead")
    assert not (lake / "manifests").exists()
    (workspace,) = (lake / ".work").glob("nsde-*")
    left = ask(lake, "prune", "--dry-run")
    assert f".work/{workspace.name}/" in [file["path"] for file in left["files"]]
    assert {file["path"].split("/")[0] for file in left["young"]} <= {"raw", "bronze"}
    process = start(lake, source)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert ask(lake, "manifest", "verify", "nsde")["findings"] == []
    closed = (lake / "lineage" / "nsde" / f"{run['run_id']}.ndjson").read_text().splitlines()
    assert [json.loads(event)["eventType"] for event in closed] == ["START", "FAIL"]
    assert json.loads((lake / "runs" / "nsde" / f"{run['run_id']}.json").read_text())["error"]["code"] == "dead"
    ask(lake, "prune", "--grace", "0")
    assert not workspace.exists()
    assert not list((lake / "bronze" / "nsde").glob(f"run={run['run_id']}"))
    assert ask(lake, "manifest", "verify", "nsde")["findings"] == []


def test_two_runs_of_one_source_publish_it_once(tmp_path: Path) -> None:
    lake, source = tmp_path / "lake", a_release(tmp_path / "a.zip", rows(30))
    both = [start(lake, source), start(lake, source)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    outcomes = sorted(str(run["outcome"]) for run in ask(lake, "runs", "list")["runs"])
    assert outcomes == ["published", "skipped"]
    assert sum("already published by" in text or "source unchanged" in text for text in said) == 1
    assert ask(lake, "manifest", "show", "nsde")["entries"] == 1


def test_of_two_runs_of_different_sources_the_first_to_commit_wins(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    both = [start(lake, a_release(tmp_path / f"{count}.zip", rows(count))) for count in (30, 31)]
    errors = [process.communicate(timeout=60)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    entries = ask(lake, "manifest", "show", "nsde")["entries"]
    # where one was done before the other began to look, they were not at once, and both published
    assert (codes, entries) in [([0, 6], 1), ([0, 0], 2)]
    assert codes == [0, 0] or any("was published first" in text for text in errors)


def test_a_proxy_of_the_network_is_not_asked_for_the_engine(tmp_path: Path) -> None:
    source = a_release(tmp_path / "a.zip", rows(3))
    words = [
        sys.executable,
        "-m",
        "pharmaetl",
        "run",
        "nsde",
        "--source",
        str(source),
        "--lake",
        str(tmp_path / "lake"),
    ]
    proxies = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    done = subprocess.run(
        [*words, "--datasets", str(DATASETS)],
        env={**os.environ, **proxies},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, ask(tmp_path / "lake", "manifest", "show", "nsde")["entries"]) == (0, 1), done.stderr
