"""Killed at random moments: processes that publish, and whole runs with the real engine.

`PHARMAETL_FAULTS=long` kills more often; `PHARMAETL_FAULTS_SEED` repeats what a failure printed.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.crash import toys
from faults.crash.battery import ROOT, TESTS
from faults.invariants import assert_converged, assert_invariants, digests, leftovers, log_of

IS_LONG = os.environ.get("PHARMAETL_FAULTS") == "long"
SEED = int(os.environ.get("PHARMAETL_FAULTS_SEED", "20261123"))
PUBLISHING_KILLS = 10_000 if IS_LONG else 1_000
RUN_KILLS = 40 if IS_LONG else 12
PATIENCE = 20
"""Seconds that an engine may take to see that its run is gone."""


def test_processes_that_are_killed_while_they_publish_leave_a_linear_log_and_whole_files(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "faults.crash.publishing_kills", str(tmp_path), str(SEED), str(PUBLISHING_KILLS)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), f"seed {SEED}: {done.stderr}"
    print(f"seed {SEED}: {done.stdout.strip()}")
    tally = json.loads(done.stdout)
    assert tally["kills"] == PUBLISHING_KILLS
    # enough was published and interrupted to mean something
    assert tally["published"] > PUBLISHING_KILLS / 2
    assert min(tally["rolled_back"], tally["left_in_work"]) > PUBLISHING_KILLS / 50


@pytest.mark.engine
def test_runs_that_are_killed_at_random_moments_lose_nothing_and_leave_no_engine_behind(tmp_path: Path) -> None:
    lake, catalog = tmp_path / "lake", toys.make_catalog(tmp_path / "datasets", toys.BOXES, toys.LIDS)
    source = toys.make_release(tmp_path / "toys.zip", 30)
    words = ["run", toys.NAME, "--source", str(source), "--force", "--lake", str(lake), "--datasets", str(catalog)]
    begun = time.monotonic()
    first = start(words, "undisturbed")
    assert (first.wait(timeout=120), survivors("undisturbed")) == (0, [])
    whole, undisturbed = time.monotonic() - begun, digests(lake, toys.NAME)
    moments = random.Random(SEED)
    for number in range(RUN_KILLS):
        # evenly spread, and random within its part
        seconds = whole * (number + moments.random()) / RUN_KILLS
        print(f"seed {SEED}: kill {number} after {seconds:.3f} of {whole:.3f} s")
        killed = start(words, f"kill-{number}")
        kill_after(killed, seconds)
        assert_gone(f"kill-{number}")
        assert_invariants(lake)
        assert digests(lake, toys.NAME) == undisturbed
    last = start(words, "rerun")
    assert (last.wait(timeout=120), survivors("rerun")) == (0, [])
    assert_converged(lake, toys.NAME, undisturbed)
    print(f"{len(log_of(lake, toys.NAME))} versions, {len(leftovers(lake))} files left by {RUN_KILLS} killed runs")


def start(words: list[str], mark: str) -> subprocess.Popen[bytes]:
    """A run in a process group of its own; whatever it starts has the mark in its environment."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PHARMAETL_TEST_MARK": mark_of(mark)}
    command = [sys.executable, "-m", "pharmaetl", *words]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Kill the process group after so long, unless it is done by then."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() in {0, -signal.SIGKILL}


def assert_gone(mark: str) -> None:
    """Every process that the run has started ends soon, and nobody has to kill it."""
    deadline = time.monotonic() + PATIENCE
    for pid in survivors(mark):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        with os.fdopen(descriptor):
            ended, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert ended, f"{Path(f'/proc/{pid}/cmdline').read_text()!r} outlives its run"


def survivors(mark: str) -> list[int]:
    """The processes that have the mark in their environment."""
    wanted = f"PHARMAETL_TEST_MARK={mark_of(mark)}\0".encode()
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if wanted in environment(path)]


def environment(path: Path) -> bytes:
    """A process's environment; empty for one that has ended or is somebody else's."""
    try:
        return path.read_bytes() + b"\0"
    except OSError:
        return b""


def mark_of(mark: str) -> str:
    """The mark, told from that of another test session."""
    return f"{os.getpid()}-{mark}"
