"""Struck before and after each thing that a run does to a disk: nothing is lost, and a rerun gets there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from fault_server import FaultServer, File
from faults.crash import toys
from faults.crash.battery import Answer, Case, Ground
from faults.crash.conftest import WORKERS
from faults.crash.failpoints import POINTS, Point
from faults.invariants import (
    assert_converged,
    assert_invariants,
    assert_no_secret,
    digests,
    fingerprint,
    leftovers,
    log_of,
    tables_of,
)

Scenario = tuple[Point, str, str]
SCENARIOS: list[Scenario] = [
    (point, when, kind)
    for point in POINTS
    for when, kinds in (("before", point.before), ("after", point.after))
    for kind in kinds
]


def name_of(scenario: Scenario) -> str:
    """The scenario in words."""
    point, when, kind = scenario
    return f"{kind} {when} {point.name}"


@pytest.fixture(scope="module")
def url(ground: Ground) -> Iterator[str]:
    """Where the third release is served to who has the key; the key itself is not in the URL."""
    with FaultServer() as site:
        served = site.url("/toys.zip", file=File(ground.releases[2].read_bytes()))
        yield f"{served}?apiKey=${{{toys.KEY_VARIABLE}}}"


@pytest.fixture(scope="module")
def outcomes(
    ground: Ground, littered: Case, url: str, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[None]]]:
    """Every scenario that was asked for, two at a time."""
    asked = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(WORKERS) as pool:
        yield {
            name_of(scenario): pool.submit(play, ground, littered, url, scenario)
            for scenario in SCENARIOS
            if name_of(scenario) in asked
        }


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=name_of(scenario)) for scenario in SCENARIOS])
def test_a_command_that_is_struck_loses_nothing_and_its_rerun_gets_there(
    outcomes: dict[str, Future[None]], scenario: Scenario
) -> None:
    outcomes[name_of(scenario)].result()


def test_there_are_enough_scenarios() -> None:
    assert len(SCENARIOS) >= 190


def play(ground: Ground, littered: Case, url: str, scenario: Scenario) -> None:
    """One command with a fault in it, then the same without one."""
    point, when, kind = scenario
    case = ground.case(name_of(scenario).replace(" ", "-"), littered.lake if point.command == "prune" else None)
    inputs = [*ground.releases, *ground.catalog.rglob("*.json")]
    before = fingerprint(inputs)
    words = words_of(point, url, ground)
    answer = case.ask(*words, fault=point.fault(kind, when, str(case.mark)))
    assert case.mark.exists(), f"never reached: {answer.stderr}"
    assert_invariants(case.lake)
    assert_told(case, answer, point, kind)
    rerun = case.ask(*words, out="rerun")
    assert rerun.code in ({0, 2} if point.command == "rollback" else {0}), rerun.stderr
    if point.command == "prune":
        assert leftovers(case.lake) == set()
        assert digests(case.lake, toys.NAME) == wanted(point, ground)
        assert_invariants(case.lake)
    else:
        assert_converged(case.lake, toys.NAME, wanted(point, ground))
    assert fingerprint(inputs) == before
    assert_no_secret(toys.CANARY, artefacts(case.folder))


def words_of(point: Point, url: str, ground: Ground) -> tuple[str, ...]:
    """The command in which a point is."""
    if point.command == "run":
        return ("run", toys.NAME, "--source", url)
    if point.command == "prune":
        return ("prune", toys.NAME, "--grace", "0")
    return ("manifest", "rollback", toys.NAME, "--to", ground.first_run, "--reason", "a test")


def wanted(point: Point, ground: Ground) -> dict[str, str]:
    """The digests that are current when the command has done its work."""
    if point.command == "run":
        return ground.undisturbed
    entry = log_of(ground.lake, toys.NAME)[0 if point.command == "rollback" else -1]
    return {table["name"]: table["digest"] for table in tables_of(entry)}


def assert_told(case: Case, answer: Answer, point: Point, kind: str) -> None:
    """The exit code says whether the version is there; a failure is one line of cause and one hint, no traceback."""
    assert answer.said in ({(0, 0, False)} if kind == "KILL" else {(0, 0, False), (1, 1, False)}), answer.stderr
    changed = digests(case.lake, toys.NAME) != digests(case.ground.lake, toys.NAME)
    if kind == "KILL":
        assert answer.code == -signal.SIGKILL
    elif point.command == "prune":
        assert (answer.code, answer.said[0]) in {(0, 0), (7, 1)}, answer.stderr
    elif kind == "TERM":
        assert (answer.code, answer.said[0], "published all the same" in answer.stderr) == (130, 1, changed)
    elif changed:
        assert (answer.code, answer.said) == (0, (0, 0, False)), answer.stderr
    else:
        assert (answer.code, answer.said) == (7, (1, 1, False)), answer.stderr


def artefacts(folder: Path) -> list[Path]:
    """Everything that a run has left, its output included."""
    return [Path(parent, name) for parent, folders, files in os.walk(folder) for name in (*folders, *files)]
