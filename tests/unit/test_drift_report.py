"""Which run is the one that looked at its source last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from publishing import RUN_A, RUN_B, no_flush, publish, record

from pharmaetl.drift import report as drift_report
from pharmaetl.errors import UsageError
from pharmaetl.lake import runs
from pharmaetl.lake.local_storage import LocalStorage

PROFILES = [{"table": "nsde"}]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
    monkeypatch.setattr("os.fsync", no_flush)
    return LocalStorage(tmp_path / "lake")


def newest(lake: LocalStorage, *found: Any) -> str:
    for each in found:
        runs.save(lake, each)
    return drift_report.newest_look(lake, "nsde").run_id


def test_runs_that_never_saw_a_header_are_passed_over(lake: LocalStorage) -> None:
    assert newest(lake, record(RUN_A, profiles=PROFILES), record(RUN_B)) == RUN_A


def test_of_two_runs_in_one_second_the_one_that_compared_with_the_other_is_the_newer(lake: LocalStorage) -> None:
    first, second = "20261123T030000Z-ffffffff", "20261123T030000Z-00000000"

    assert (
        newest(lake, record(first, profiles=PROFILES), record(second, profiles=PROFILES, drift_against=first)) == second
    )


def test_behind_many_skipped_runs_the_published_one_is_found(lake: LocalStorage) -> None:
    publish(lake, RUN_A)
    skipped = [record(f"20261123T0300{second:02}Z-dddddddd") for second in range(25)]

    assert newest(lake, record(RUN_A, profiles=PROFILES), *skipped) == RUN_A


def test_a_lake_in_which_no_run_has_looked_says_so(lake: LocalStorage) -> None:
    with pytest.raises(UsageError, match="no run of nsde has looked at its source yet"):
        newest(lake, record(RUN_A))
