"""What each dataset last published, and how old that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from pharmaetl.catalog import Catalog, Dataset
from pharmaetl.config.cadence import Cadence
from pharmaetl.lake import documentfile, layout, publishlog, runs
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.storage import Storage

STALE_HOURS: dict[Cadence, int] = {"daily": 48, "weekly": 9 * 24, "monthly": 45 * 24}
"""After how long without a new version a dataset of a cadence is stale."""

COUNTED_FILES = 20_000
"""Up to so many files a local lake is counted unasked: on a common disk, that takes 0.2 s."""
_LOOK_BACK = 20


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
    bytes: int | None = None
    """Of all its files in the lake, whatever they are for; None where they were not counted."""


@dataclass(frozen=True)
class LakeStatus:
    """Every dataset of a lake."""

    lake: str
    datasets: tuple[DatasetStatus, ...]
    bytes: int | None = None
    """Of every file in the lake; None where they were not counted."""


def status(
    storage: Storage, catalog: Catalog, name: str | None, now: datetime | None = None, *, measure: bool = False
) -> LakeStatus:
    """The status of one dataset, or of all of the catalog.

    `measure` counts every file, however many there are; without it, only where that takes no time.
    """
    chosen = [catalog.find(name)] if name else list(catalog)
    moment = now or datetime.now(UTC)
    sizes = _sizes(storage, measure=measure)
    found = tuple(_of(storage, dataset, moment, sizes) for dataset in chosen)
    return LakeStatus(storage.root, found, None if sizes is None else sum(sizes.values()))


def _sizes(storage: Storage, *, measure: bool) -> Counter[str] | None:
    """Bytes by dataset, and under an empty name those that belong to none; None where counting would take too long."""
    is_remote = "://" in storage.root
    if is_remote and not measure:
        return None
    sizes: Counter[str] = Counter()
    gold: Counter[str] = Counter()
    owners: dict[str, str] = {}
    for number, stored in enumerate(storage.list("")):
        if number == COUNTED_FILES and not measure:
            return None
        top, _, below = stored.path.partition("/")
        name, _, rest = below.partition("/")
        if top == layout.GOLD:  # its folders don't name a dataset: the run's record does
            gold[layout.run_of(stored.path)] += stored.bytes
            continue
        if top == layout.RUNS:
            owners[rest.removesuffix(".json")] = name
        sizes[name.removesuffix(".json") if not top.startswith(".") else ""] += stored.bytes
    for run_id, size in gold.items():
        sizes[owners.get(run_id, "")] += size
    return sizes


def _of(storage: Storage, dataset: Dataset, now: datetime, sizes: Counter[str] | None) -> DatasetStatus:
    entry = publishlog.current(storage, dataset.name)
    newest = runs.recent(storage, dataset.name, _LOOK_BACK)
    last_run = LastRun(newest[0].run_id, runs.as_ended(storage, newest[0]).outcome) if newest else None
    size = None if sizes is None else sizes[dataset.name]
    if entry is None:
        return DatasetStatus(dataset.name, None, None, None, None, None, None, None, last_run, size)
    place = layout.log_entry(dataset.name, entry.sequence)
    hours = _hours_since(_last_confirmed(newest, entry.published_at), now, place)
    return DatasetStatus(
        dataset=dataset.name,
        published_run_id=entry.run_id,
        version=entry.version,
        published_at=entry.published_at,
        rows=sum(table.rows for table in entry.tables),
        quality=entry.quality.verdict,
        age_hours=round(_hours_since(entry.published_at, now, place), 1),
        stale=hours > STALE_HOURS[dataset.cadence],
        last_run=last_run,
        bytes=size,
    )


def _last_confirmed(newest_first: Iterable[RunRecord], published_at: str) -> str:
    """When the version was last known to be the newest: when it was published, or a later run found no newer one."""
    for record in newest_first:
        if record.outcome == "skipped" and record.ended_at and "unchanged" in record.reason:
            return max(record.ended_at, published_at)
    return published_at


def _hours_since(stamp: str, now: datetime, place: str) -> float:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        raise documentfile.corrupt(place, f"published_at: {stamp!r} is no time") from None
    return (now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds() / 3600
