"""The n-th input or output call of a command fails, for every n: the pure-Python part of a run, and a rollback."""

from __future__ import annotations

import signal
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from faults.crash import toys
from faults.crash.battery import Case, Ground
from faults.crash.conftest import WORKERS
from faults.crash.io_calls import CHANGES, calls_of
from faults.invariants import assert_converged, assert_invariants, fingerprint, log_of, tables_of

COMMANDS = ("run", "rollback")
FEWEST = 300
"""Fewer cases than this, and the counting has gone blind."""


def words_of(command: str, ground: Ground) -> tuple[str, ...]:
    """The command's words."""
    if command == "run":
        return ("run", toys.NAME, "--source", str(ground.releases[2]))
    return ("manifest", "rollback", toys.NAME, "--to", ground.first_run, "--reason", "a test")


def fault(case: Case, nth: int, kind: str, **more: Any) -> dict[str, Any]:
    """The order to the warm process; calls in the lake and on the releases are counted."""
    folders = [str(case.lake), str(case.ground.releases[2].parent)]
    return {"folders": folders, "nth": nth, "kind": kind, "mark": str(case.mark), **more}


@pytest.fixture(scope="module")
def failed(narrow_ground: Ground) -> dict[str, list[Future[str | None]]]:
    """By command, what is wrong after each of its calls has failed, two at a time; None where all is well."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return {
            command: [
                pool.submit(play, narrow_ground, command, nth, call)
                for nth, call in enumerate(counted(narrow_ground, command), start=1)
            ]
            for command in COMMANDS
        }


def counted(ground: Ground, command: str) -> list[str]:
    """The calls that the command makes when nothing fails."""
    case = ground.case(f"counted-{command}")
    trace = case.folder.with_suffix(".trace")
    answer = case.ask(*words_of(command, ground), fault=fault(case, -1, "EIO", trace=str(trace)))
    assert answer.code == 0, answer.stderr
    return calls_of(trace)


def kind_for(nth: int, call: str) -> str:
    """What goes wrong with a call: its disk fails, or, of two that need space, one finds none."""
    return "ENOSPC" if call.partition(" ")[0] in CHANGES and nth % 2 else "EIO"


def play(ground: Ground, command: str, nth: int, call: str) -> str | None:
    """One command whose n-th call fails, then the same without a fault; what is wrong, if anything."""
    kind, case = kind_for(nth, call), ground.case(f"{command}-{nth}")
    try:
        check(case, command, nth, kind)
    except (AssertionError, OSError, ValueError, KeyError) as error:
        return f"{command}, call {nth}, {call}, {kind}: {type(error).__name__}: {error}"
    return None


def check(case: Case, command: str, nth: int, kind: str) -> None:
    """Nothing is lost, the exit code and the words are right, and a rerun gets there."""
    ground = case.ground
    before = fingerprint(ground.releases)
    answer = case.ask(*words_of(command, ground), fault=fault(case, nth, kind))
    assert case.mark.exists(), "never reached"
    assert answer.code != -signal.SIGALRM, "hangs"
    assert_invariants(case.lake)
    log = log_of(case.lake, toys.NAME)
    is_new = len(log) > len(log_of(ground.lake, toys.NAME))
    assert {tuple(table["name"] for table in tables_of(entry)) for entry in log} == {(toys.BOXES, toys.COLOURS)}
    assert answer.code == (0 if is_new else 7), f"exit code {answer.code}, and {is_new=}: {answer.stderr}"
    assert answer.said == ((0, 0, False) if is_new else (1, 1, False)), answer.stderr
    rerun = case.ask(*words_of(command, ground), out="rerun")
    assert rerun.code in ({0} if command == "run" else {0, 2}), rerun.stderr
    assert_converged(case.lake, toys.NAME, ground.undisturbed if command == "run" else first_digests(ground))
    assert fingerprint(ground.releases) == before


def first_digests(ground: Ground) -> dict[str, str]:
    """What the rollback goes back to."""
    return {table["name"]: table["digest"] for table in tables_of(log_of(ground.lake, toys.NAME)[0])}


@pytest.mark.parametrize("command", COMMANDS)
def test_whichever_call_fails_nothing_is_lost_and_the_user_is_told(
    failed: dict[str, list[Future[str | None]]], command: str
) -> None:
    problems = [problem for future in failed[command] if (problem := future.result()) is not None]
    assert problems == [], f"{len(problems)} of {len(failed[command])}:\n" + "\n".join(problems[:20])


def test_there_are_enough_cases(failed: dict[str, list[Future[str | None]]]) -> None:
    assert sum(len(cases) for cases in failed.values()) >= FEWEST


def test_the_trace_names_calls_of_every_kind(failed: object, narrow_ground: Ground) -> None:
    trace = Path(narrow_ground.folder, "counted-run.trace")
    names = {call.split()[0] for call in calls_of(trace)}
    assert names >= {"stat", "mkdir", "create", "open", "read", "write", "fsync", "link", "replace", "scandir"}


def test_calls_for_gold_are_among_those_that_fail_before_the_entry_is_there(
    failed: object, narrow_ground: Ground
) -> None:
    calls = calls_of(Path(narrow_ground.folder, "counted-run.trace"))
    silver = max(at for at, call in enumerate(calls) if call.startswith("link") and "/silver/boxes/" in call)
    entry = next(at for at, call in enumerate(calls) if call.startswith("open") and "00000003.json" in call)
    names = {call.split()[0] for call in calls[silver:entry] if "/gold/" in call}
    assert names >= {"stat", "mkdir", "open", "read", "fsync", "link", "unlink", "scandir"}
    rollback = calls_of(Path(narrow_ground.folder, "counted-rollback.trace"))
    assert {call.split()[0] for call in rollback if "/gold/" in call} >= {"stat", "open", "read"}
