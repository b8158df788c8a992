"""What is published and how old it is, to the second at which it becomes stale."""

from __future__ import annotations

import json
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
    )


def test_a_dataset_that_was_never_published_is_neither_fresh_nor_stale(lake: LocalStorage, tmp_path: Path) -> None:
    assert nsde(lake, tmp_path, "2026-11-20T13:29:00Z") == DatasetStatus(
        "nsde", None, None, None, None, None, None, None, None
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
