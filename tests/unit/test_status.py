"""What is published and how old it is, to the second at which it becomes stale."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from configs import a_config
from publishing import RUN_A, RUN_B, RUN_C, edit, publish, record

from pharmaetl.catalog import Catalog
from pharmaetl.errors import CorruptLogError, UsageError
from pharmaetl.lake import runs
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.status import DatasetStatus, LastRun, status

ENTRY = "manifests/nsde/00000001.json"


@pytest.fixture
def lake(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


def catalog(folder: Path, **configs: dict[str, Any]) -> Catalog:
    """A dataset folder for each config."""
    for name, changes in configs.items():
        path = folder / "datasets" / "fda" / name / "config" / "dataset.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(a_config(dataset=name, **changes)))
    return Catalog(folder / "datasets")


def published(lake: LocalStorage, at: str, folder: Path) -> None:
    publish(lake, RUN_A)
    edit(folder / "lake", ENTRY, published_at=at)


def nsde(lake: LocalStorage, folder: Path, now: str, cadence: str = "daily") -> DatasetStatus:
    known = catalog(folder, nsde={"cadence": cadence})
    return status(lake, known, None, datetime.fromisoformat(now).astimezone(UTC)).datasets[0]


def test_a_published_dataset_shows_its_version_rows_and_age(lake: LocalStorage, tmp_path: Path) -> None:
    published(lake, "2026-11-20T03:00:00Z", tmp_path)

    assert nsde(lake, tmp_path, "2026-11-20T13:29:00Z") == DatasetStatus(
        dataset="nsde",
        published_run_id=RUN_A,
        version="2026-11-20",
        published_at="2026-11-20T03:00:00Z",
        rows=7,
        quality="pass",
        age_hours=10.5,
        stale=False,
        last_run=None,
        bytes=2775,
    )


def test_a_dataset_that_was_never_published_is_neither_fresh_nor_stale(lake: LocalStorage, tmp_path: Path) -> None:
    assert nsde(lake, tmp_path, "2026-11-20T13:29:00Z") == DatasetStatus(
        "nsde", None, None, None, None, None, None, None, None, 0
    )


@pytest.mark.parametrize(
    ("cadence", "last_fresh_moment", "a_second_later"),
    [
        ("daily", "2026-11-22T03:00:00Z", "2026-11-22T03:00:01Z"),
        ("weekly", "2026-11-29T03:00:00Z", "2026-11-29T03:00:01Z"),
        ("monthly", "2027-01-04T03:00:00Z", "2027-01-04T03:00:01Z"),
    ],
)
def test_a_dataset_is_stale_once_it_is_older_than_its_cadence_allows(
    lake: LocalStorage, tmp_path: Path, cadence: str, last_fresh_moment: str, a_second_later: str
) -> None:
    published(lake, "2026-11-20T03:00:00Z", tmp_path)
    known = catalog(tmp_path, nsde={"cadence": cadence})

    def stale(now: str) -> bool | None:
        return status(lake, known, "nsde", datetime.fromisoformat(now)).datasets[0].stale

    assert stale(last_fresh_moment) is False
    assert stale(a_second_later) is True


def test_a_version_that_a_later_run_found_unchanged_is_as_fresh_as_that_run(lake: LocalStorage, tmp_path: Path) -> None:
    published(lake, "2026-11-20T03:00:00Z", tmp_path)
    runs.save(
        lake,
        record(
            RUN_B,
            outcome="skipped",
            reason=f"source unchanged since {RUN_A}",
            ended_at="2026-11-21T03:00:00Z",
        ),
    )

    found = nsde(lake, tmp_path, "2026-11-23T03:00:00Z")

    assert (found.stale, found.age_hours) == (False, 72.0)
    assert found.last_run == LastRun(RUN_B, "skipped")


def test_a_run_that_failed_or_stopped_early_does_not_make_a_version_fresh(lake: LocalStorage, tmp_path: Path) -> None:
    published(lake, "2026-11-20T03:00:00Z", tmp_path)
    ended = {"ended_at": "2026-11-22T09:00:00Z"}
    runs.save(lake, record(RUN_B, outcome="skipped", reason="stopped after fetch, as asked", **ended))
    runs.save(lake, record(RUN_C, outcome="failed", reason="the source is unchanged, oddly", **ended))

    found = nsde(lake, tmp_path, "2026-11-22T10:00:00Z")

    assert found.stale is True
    assert found.last_run == LastRun(RUN_C, "failed")


def test_every_dataset_of_the_catalog_is_shown_or_the_one_that_was_asked_for(
    lake: LocalStorage, tmp_path: Path
) -> None:
    known = catalog(tmp_path, nsde={}, cder={})

    assert [found.dataset for found in status(lake, known, None).datasets] == ["cder", "nsde"]
    assert [found.dataset for found in status(lake, known, "nsde").datasets] == ["nsde"]
    assert status(lake, known, None).lake == str(tmp_path / "lake")
    with pytest.raises(UsageError) as raised:
        status(lake, known, "nsed")
    assert raised.value.hint == "did you mean nsde?"


def test_a_time_without_a_zone_is_utc(lake: LocalStorage, tmp_path: Path) -> None:
    published(lake, "2026-11-20T03:00:00", tmp_path)

    assert nsde(lake, tmp_path, "2026-11-20T04:00:00Z").age_hours == 1.0


def test_a_time_that_is_none_is_a_damaged_log(lake: LocalStorage, tmp_path: Path) -> None:
    published(lake, "yesterday", tmp_path)

    with pytest.raises(CorruptLogError) as raised:
        nsde(lake, tmp_path, "2026-11-20T04:00:00Z")

    assert raised.value.reason == f"{ENTRY}: published_at: 'yesterday' is no time"


def test_sizes_count_every_file_of_a_dataset_and_of_the_lake(lake: LocalStorage, tmp_path: Path) -> None:
    for path, size in [
        ("raw/nsde/sha256=1/source.json", 1),
        ("bronze/nsde/run=1/part-0.parquet", 20),
        ("manifests/cder/pruned/notes.txt", 300),
        (".work/nsde-0123456789ab/source", 4000),
        ("README", 50_000),
    ]:
        lake.create(path, b"x" * size)

    found = status(lake, catalog(tmp_path, nsde={}, cder={}), None)

    assert [(one.dataset, one.bytes) for one in found.datasets] == [("cder", 300), ("nsde", 21)]
    assert found.bytes == 54_321


def test_a_very_large_lake_is_counted_only_when_asked(
    lake: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = catalog(tmp_path, nsde={})
    for number in range(4):
        lake.create(f"raw/nsde/{number}", b"x")
    monkeypatch.setattr("pharmaetl.status.COUNTED_FILES", 3)

    assert (status(lake, known, None).bytes, status(lake, known, None).datasets[0].bytes) == (None, None)
    assert (status(lake, known, None, measure=True).bytes) == 4


def test_a_record_that_can_not_be_read_is_told_of_once(
    lake: LocalStorage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    published(lake, "2026-11-20T03:00:00Z", tmp_path)
    lake.create(f"runs/nsde/{RUN_B}.json", b"")

    nsde(lake, tmp_path, "2026-11-20T04:00:00Z")

    assert caplog.text.count("can't be read") == 1


def test_of_runs_that_began_in_one_second_the_last_to_end_is_the_last(lake: LocalStorage, tmp_path: Path) -> None:
    earlier, later = "20261120T030000Z-ffffffff", "20261120T030000Z-00000000"
    for run_id, outcome in [(earlier, "failed"), (later, "skipped")]:
        runs.save(lake, record(run_id, outcome=outcome))
    os.utime(tmp_path / "lake" / f"runs/nsde/{earlier}.json", (1000, 1000.25))
    os.utime(tmp_path / "lake" / f"runs/nsde/{later}.json", (1000, 1000.5))

    assert nsde(lake, tmp_path, "2026-11-20T04:00:00Z").last_run == LastRun(later, "skipped")
