"""What each dataset last published, and how old that is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pharmaetl.catalog import Catalog, Dataset
from pharmaetl.config.dataset_config import Cadence
from pharmaetl.lake import documentfile, layout, manifest, runs
from pharmaetl.lake.storage import Storage

STALE_HOURS: dict[Cadence, int] = {"daily": 48, "weekly": 9 * 24, "monthly": 45 * 24}
"""After how long without a new version a dataset of a cadence is stale."""


@dataclass(frozen=True)
class LastRun:
    """The newest run of a dataset."""

    run_id: str
    outcome: str


@dataclass(frozen=True)
class DatasetStatus:
    """What is published of a dataset. None where nothing is."""

    dataset: str
    published_run_id: str | None
    version: str | None
    published_at: str | None
    rows: int | None
    quality: str | None
    age_hours: float | None
    stale: bool | None
    last_run: LastRun | None


@dataclass(frozen=True)
class LakeStatus:
    """Every dataset of a lake."""

    lake: str
    datasets: tuple[DatasetStatus, ...]


def status(storage: Storage, catalog: Catalog, name: str | None, now: datetime | None = None) -> LakeStatus:
    """The status of one dataset, or of all of the catalog."""
    chosen = [catalog.find(name)] if name else list(catalog)
    moment = now or datetime.now(UTC)
    return LakeStatus(storage.root, tuple(_of(storage, dataset, moment) for dataset in chosen))


def _of(storage: Storage, dataset: Dataset, now: datetime) -> DatasetStatus:
    entry = manifest.current(storage, dataset.name)
    newest = runs.recent(storage, dataset.name, 1)
    last_run = LastRun(newest[0].run_id, runs.as_ended(newest[0]).outcome) if newest else None
    if entry is None:
        return DatasetStatus(dataset.name, None, None, None, None, None, None, None, last_run)
    place = layout.log_entry(dataset.name, entry.sequence)
    hours = _hours_since(_last_confirmed(storage, dataset, entry.published_at), now, place)
    return DatasetStatus(
        dataset=dataset.name,
        published_run_id=entry.run_id,
        version=entry.version,
        published_at=entry.published_at,
        rows=sum(table.rows for table in entry.tables),
        quality=entry.quality.verdict,
        age_hours=round(_hours_since(entry.published_at, now, place), 1),
        stale=hours > STALE_HOURS[dataset.config.cadence],
        last_run=last_run,
    )


def _last_confirmed(storage: Storage, dataset: Dataset, published_at: str) -> str:
    """When the version was last known to be the newest: when it was published, or a later run found no newer one."""
    for record in runs.recent(storage, dataset.name, 20):
        if record.outcome == "skipped" and record.ended_at and "unchanged" in record.reason:
            return max(record.ended_at, published_at)
    return published_at


def _hours_since(stamp: str, now: datetime, place: str) -> float:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        raise documentfile.corrupt(place, f"published_at: {stamp!r} is no time") from None
    return (now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds() / 3600
