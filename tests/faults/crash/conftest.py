"""The ground that crash tests stand on, made once."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from faults.crash import toys
from faults.crash.battery import Case, Ground, warm
from faults.crash.failpoints import POINTS
from faults.invariants import assert_invariants, digests, log_of

WORKERS = 2


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Two tables and gold made from them: the second is on its way while the first is there already."""
    with made(tmp_path_factory.mktemp("crash"), toys.BOXES, toys.LIDS, toys.COLOURS) as found:
        yield found


@pytest.fixture(scope="session")
def narrow_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One table and gold made from it: no call is made twice in the same place."""
    with made(tmp_path_factory.mktemp("narrow"), toys.BOXES, toys.COLOURS) as found:
        yield found


@pytest.fixture(scope="session")
def littered(ground: Ground) -> Case:
    """A lake in which runs died: while they fetched, wrote silver and gold, and before they published."""
    case = ground.case("littered")
    for name in ("download finish", "silver second put", "step gate", "commit temporary"):
        (point,) = (point for point in POINTS if point.name == name)
        fault = point.fault("KILL", "before", str(case.mark))
        answer = case.ask("run", toys.NAME, "--source", str(ground.releases[2]), fault=fault)
        assert answer.code == -signal.SIGKILL, answer.stderr
    return case


@contextmanager
def made(folder: Path, *tables: str) -> Iterator[Ground]:
    """Two versions of the toys, published one after the other, and a third release."""
    catalog = toys.make_catalog(folder / "datasets", *tables)
    first, second, third = (
        toys.make_release(folder / "releases" / str(rows) / "toys.zip", rows) for rows in (8, 9, 10)
    )
    with warm(WORKERS, folder) as processes:
        (folder / "base").mkdir()
        bare = Ground(processes, folder, catalog, (first, second, third), folder / "base" / "lake", "", {})
        for release in (first, second):
            answer = Case(bare, folder / "base").ask("run", toys.NAME, "--source", str(release), "--json")
            assert answer.code == 0, answer.stderr
        undisturbed = bare.case("undisturbed")
        answer = undisturbed.ask("run", toys.NAME, "--source", str(third), "--json")
        assert json.loads(answer.stdout)["tables"][0]["rows_quarantined"] == 2
        assert_invariants(undisturbed.lake)
        first_run = log_of(bare.lake, toys.NAME)[0]["run_id"]
        yield replace(bare, first_run=first_run, undisturbed=digests(undisturbed.lake, toys.NAME))
