"""Run records: claimed once, found by a few letters, told apart from the dead."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from publishing import RUN_A, RUN_B, RUN_C, RUN_D, no_flush, publish, record

from pharmaetl.errors import CorruptLogError, NotStoredError, UsageError
from pharmaetl.lake import runs
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.process import process_name


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
    monkeypatch.setattr(os, "fsync", no_flush)
    return LocalStorage(tmp_path / "lake")


def test_a_run_id_is_claimed_once(storage: LocalStorage) -> None:
    assert runs.claim(storage, record(RUN_A)) is True
    assert runs.claim(storage, record(RUN_A, reason="another process")) is False
    assert runs.read(storage, "nsde", RUN_A) == record(RUN_A)


def test_a_saved_record_replaces_the_claim(storage: LocalStorage) -> None:
    runs.claim(storage, record(RUN_A))
    runs.save(storage, record(RUN_A, outcome="published", version="2026-11-20", seconds=4.5))
    assert runs.read(storage, "nsde", RUN_A).outcome == "published"
    assert runs.read(storage, "nsde", RUN_A).seconds == 4.5


def test_a_record_that_is_not_there_or_broken_is_an_error(storage: LocalStorage) -> None:
    with pytest.raises(NotStoredError):
        runs.read(storage, "nsde", RUN_A)
    storage.create(f"runs/nsde/{RUN_A}.json", b'{"dataset"')
    with pytest.raises(CorruptLogError, match=f"runs/nsde/{RUN_A}.json: truncated"):
        runs.read(storage, "nsde", RUN_A)


def test_a_run_is_found_by_its_id_or_the_start_of_it_in_any_dataset(storage: LocalStorage) -> None:
    runs.save(storage, record(RUN_A))
    runs.save(storage, record(RUN_B, "cder"))
    assert runs.find(storage, RUN_B) == record(RUN_B, "cder")
    assert runs.find(storage, "20261120") == record(RUN_A)


def test_a_start_that_several_runs_share_is_a_usage_error(storage: LocalStorage) -> None:
    runs.save(storage, record(RUN_A))
    runs.save(storage, record(RUN_B, "cder"))
    with pytest.raises(UsageError, match="2 runs start with '202611'") as refused:
        runs.find(storage, "202611")
    assert refused.value.hint == f"write more of the one you mean: {RUN_B}, {RUN_A}"


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("20261120T030000Z-aaaaaaab", RUN_A),
        ("20271121T030000Z-bbbbbbbb", RUN_B),
        ("nonsense", f"{RUN_C}, {RUN_B}, {RUN_A}"),
    ],
)
def test_a_run_that_is_not_there_is_a_usage_error_with_the_nearest(
    storage: LocalStorage, asked: str, nearest: str
) -> None:
    for run_id in (RUN_A, RUN_B, RUN_C):
        runs.save(storage, record(run_id))
    with pytest.raises(UsageError, match=f"there is no run '{asked}'") as refused:
        runs.find(storage, asked)
    assert f"the nearest: {nearest}" in refused.value.hint


def test_a_lake_without_runs_says_so(storage: LocalStorage) -> None:
    with pytest.raises(UsageError, match="this lake has no runs"):
        runs.find(storage, RUN_A)
    assert runs.recent(storage, None, 10) == ()


def test_recent_runs_come_newest_first_of_one_dataset_or_of_all(storage: LocalStorage) -> None:
    for run_id, dataset in [(RUN_B, "nsde"), (RUN_D, "nsde"), (RUN_C, "cder"), (RUN_A, "nsde")]:
        runs.save(storage, record(run_id, dataset))
    assert [found.run_id for found in runs.recent(storage, None, 3)] == [RUN_D, RUN_C, RUN_B]
    assert [found.run_id for found in runs.recent(storage, "nsde", 10)] == [RUN_D, RUN_B, RUN_A]
    assert runs.recent(storage, "nsde", 0) == ()


def test_a_broken_record_does_not_hide_the_others(storage: LocalStorage, caplog: pytest.LogCaptureFixture) -> None:
    runs.save(storage, record(RUN_A))
    storage.create(f"runs/nsde/{RUN_B}.json", b"")
    storage.create("runs/nsde/notes.txt", b"")
    assert [found.run_id for found in runs.recent(storage, "nsde", 1)] == [RUN_A]
    assert f"runs/nsde/{RUN_B}.json: the file is empty" in caplog.text


def test_a_running_process_is_alive() -> None:
    assert not runs.is_dead(record(RUN_A, process=process_name()))
    assert process_name() == f"{socket.gethostname()}:{os.getpid()}"


def test_a_killed_process_is_dead_even_before_its_parent_asked() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    running = record(RUN_A, process=f"{socket.gethostname()}:{process.pid}")
    assert not runs.is_dead(running)
    process.send_signal(signal.SIGKILL)
    if Path("/proc/self/stat").exists():
        deadline = time.monotonic() + 10
        while not runs.is_dead(running) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert runs.is_dead(running)
    process.wait()
    assert runs.is_dead(running)


@pytest.mark.parametrize(
    ("outcome", "process"),
    [("published", "{here}:999999999"), ("running", "elsewhere:999999999"), ("running", ""), ("running", "{here}:x")],
)
def test_a_run_that_ended_or_can_not_be_judged_is_not_dead(outcome: str, process: str) -> None:
    assert not runs.is_dead(record(RUN_A, outcome=outcome, process=process.format(here=socket.gethostname())))


def test_a_process_number_beyond_all_is_dead() -> None:
    assert runs.is_dead(record(RUN_A, process=f"{socket.gethostname()}:{10**30}"))


def test_of_many_that_claim_an_id_at_once_one_gets_it(storage: LocalStorage) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda worker: runs.claim(storage, record(RUN_A, reason=f"worker {worker}")), range(32)))
    assert won.count(True) == 1
    assert runs.read(storage, "nsde", RUN_A).reason == f"worker {won.index(True)}"


def test_runs_of_one_second_are_ordered_by_when_they_ended(storage: LocalStorage) -> None:
    first, second, third = (f"20261120T030000Z-{suffix}" for suffix in ("cccccccc", "aaaaaaaa", "bbbbbbbb"))
    for number, run_id in enumerate([first, second, third]):
        runs.save(storage, record(run_id))
        os.utime(Path(storage.root, f"runs/nsde/{run_id}.json"), (0, 1000 + number / 10))
    runs.save(storage, record(RUN_B))
    assert [found.run_id for found in runs.recent(storage, None, 10)] == [RUN_B, third, second, first]


def test_a_dead_run_ends_as_failed_or_as_published_where_the_log_says_so(storage: LocalStorage) -> None:
    gone = f"{socket.gethostname()}:999999999"
    dead = record(RUN_A, process=gone)

    ended = runs.as_ended(storage, dead)
    entry = publish(storage, RUN_A)
    published = runs.as_ended(storage, dead)

    assert (ended.outcome, ended.error and ended.error.code) == ("failed", "dead")
    assert ended.reason == f"died without a word: process {gone} is gone"
    assert (published.outcome, published.version, published.error) == ("published", "2026-11-20", None)
    assert published.reason == f"published as entry 1, then died without a word: process {gone} is gone"
    assert published.source == entry.source
    assert runs.as_ended(storage, record(RUN_B)) == record(RUN_B)


def test_a_damaged_log_does_not_hide_that_a_run_is_dead(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    Path(storage.root, "manifests/nsde/00000001.json").write_text(f"{{ {RUN_A}")
    assert runs.as_ended(storage, record(RUN_A, process=f"{socket.gethostname()}:999999999")).outcome == "failed"
