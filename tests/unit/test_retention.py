"""Which versions a dataset gives up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from publishing import RUN_A, RUN_B, RUN_C, RUN_D

from pharmaetl.config.dataset_config import Retention
from pharmaetl.errors import CorruptLogError
from pharmaetl.lake.documents import LogEntry
from pharmaetl.lake.retention import expired

NOW = datetime(2026, 12, 1, tzinfo=UTC).timestamp()


def log(*published: tuple[str, str]) -> list[LogEntry]:
    """Entries of runs, each published at its time; a run that comes again is a rollback to it."""
    entries: list[LogEntry] = []
    for run_id, at in published:
        again = any(entry.run_id == run_id for entry in entries)
        entries.append(
            LogEntry.model_validate(
                {
                    "dataset": "nsde",
                    "sequence": len(entries) + 1,
                    "commit_id": str(len(entries) + 1),
                    "parent": str(len(entries)) if entries else None,
                    "action": "rollback" if again else "publish",
                    "run_id": run_id,
                    "version": "2026-11-20",
                    "published_at": at,
                    "source": {"url": "https://example.org/nsde.zip"},
                    "config_sha256": "config",
                    "code_sha256": "code",
                    "tables": [],
                    "quality": {"verdict": "pass"},
                }
            )
        )
    return entries


FOUR = log(
    (RUN_A, "2026-11-01T00:00:00Z"),
    (RUN_B, "2026-11-10T00:00:00Z"),
    (RUN_C, "2026-11-20T00:00:00Z"),
    (RUN_D, "2026-11-30T12:00:00Z"),
)


def runs(
    entries: list[LogEntry], versions: int, days: int, *, grace_hours: float = 0, gone: tuple[str, ...] = ()
) -> set[str]:
    found = expired(
        entries, Retention(versions=versions, days=days), now=NOW, grace_seconds=grace_hours * 3600, gone=gone
    )
    return {each.entry.run_id for each in found}


def test_without_a_retention_every_version_stays_but_those_given_up_earlier() -> None:
    assert expired(FOUR, None, now=NOW, grace_seconds=0, gone=()) == ()
    assert [each.entry.run_id for each in expired(FOUR, None, now=NOW, grace_seconds=0, gone=[RUN_A])] == [RUN_A]


def test_the_newest_versions_stay_whatever_their_age() -> None:
    assert runs(FOUR, 4, 0) == set()
    assert runs(FOUR, 2, 0) == {RUN_A, RUN_B}
    assert runs(FOUR, 1, 0) == {RUN_A, RUN_B, RUN_C}


def test_a_version_s_time_begins_when_another_one_takes_its_place() -> None:
    assert runs(FOUR, 1, 11) == {RUN_A, RUN_B}
    assert runs(FOUR, 1, 12) == {RUN_A}
    assert runs(FOUR, 1, 21) == {RUN_A}
    assert runs(FOUR, 1, 22) == set()


def test_a_version_stays_for_the_grace_period_since_readers_may_be_at_its_files() -> None:
    assert runs(FOUR, 1, 0, grace_hours=12) == {RUN_A, RUN_B, RUN_C}
    assert runs(FOUR, 1, 0, grace_hours=13) == {RUN_A, RUN_B}


def test_a_version_that_came_back_is_as_new_as_its_rollback() -> None:
    back = [*FOUR, *log(*[(entry.run_id, entry.published_at) for entry in FOUR], (RUN_A, "2026-11-30T18:00:00Z"))[4:]]
    assert runs(back, 1, 0) == {RUN_B, RUN_C, RUN_D}
    assert runs(back, 2, 0) == {RUN_B, RUN_C}


def test_the_current_version_never_goes_and_a_gone_one_is_not_counted() -> None:
    assert runs(FOUR, 2, 0, gone=(RUN_C,)) == {RUN_A, RUN_C}
    assert runs(FOUR, 1, 0, gone=(RUN_D,)) == {RUN_A, RUN_B}


def test_a_clock_that_jumped_back_makes_nothing_old() -> None:
    found = expired(FOUR, Retention(versions=1, days=0), now=0, grace_seconds=0, gone=())
    assert found == ()


def test_a_time_that_is_none_is_a_damaged_log() -> None:
    entries = log((RUN_A, "2026-11-01T00:00:00Z"), (RUN_B, "yesterday"))
    with pytest.raises(CorruptLogError, match="'yesterday' is no time"):
        runs(entries, 1, 0)
