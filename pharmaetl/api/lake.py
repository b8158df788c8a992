"""The lake: what is published, what was done, where the files are, and whether all is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

from pharmaetl.api import catalogue
from pharmaetl.errors import UsageError
from pharmaetl.lake import layout, publishlog
from pharmaetl.lake import runs as run_records
from pharmaetl.lake.documents import LogEntry, RunRecord, TableVersion
from pharmaetl.lake.storage import ReadOnlyStorage
from pharmaetl.place import Place

if TYPE_CHECKING:
    from pharmaetl.catalog import Dataset
    from pharmaetl.doctor import Diagnosis
    from pharmaetl.lake.finding import Finding
    from pharmaetl.lake.prune import Pruning
    from pharmaetl.lake.pruned import Pruned
    from pharmaetl.lineage_tree import LineageView
    from pharmaetl.quality.history import QualityHistory, QualityView
    from pharmaetl.status import LakeStatus

Layer = Literal["raw", "bronze", "silver", "gold"]


def status(place: Place, dataset: str | None = None, measure: bool = False) -> LakeStatus:
    """What each dataset last published, how old and how large it is; `measure` counts every file of the lake."""
    from pharmaetl import status as lake_status

    return lake_status.status(place.storage, place.catalog, dataset, measure=measure)


@dataclass(frozen=True)
class ManifestView:
    """The current version of a dataset; None where nothing is published."""

    dataset: str
    current: LogEntry | None
    entries: int


def manifest(place: Place, dataset: str) -> ManifestView:
    """The current version, with its files."""
    name = place.catalog.find(dataset).name
    current = publishlog.current(place.storage, name)
    return ManifestView(name, current, current.sequence if current else 0)


def history(place: Place, dataset: str) -> tuple[LogEntry, ...]:
    """The whole publish log, oldest first."""
    return publishlog.entries(place.storage, place.catalog.find(dataset).name)


def verify(place: Place, dataset: str) -> tuple[Finding, ...]:
    """What is wrong with the log, the files it lists and their sources; every one of them is read and hashed."""
    from pharmaetl import unpacked
    from pharmaetl.lake import integrity

    found = place.catalog.find(dataset)
    findings = integrity.verify(place.storage, found.name)
    if any(finding.path.startswith(layout.log_dir(found.name)) and finding.severity == "error" for finding in findings):
        return findings  # without a log, nobody knows what there should be
    return findings + unpacked.findings(place.storage, found)


def pruned(place: Place, dataset: str) -> dict[str, Pruned]:
    """By run id, the published versions that `prune` has given up; the log still has their entries."""
    from pharmaetl.lake import pruned as pruned_versions

    return pruned_versions.read_all(place.storage, place.catalog.find(dataset).name)


def prune(place: Place, dataset: str | None, grace_hours: float | None, dry_run: bool) -> Pruning:
    """Remove what no kept version, run or rollback needs, of one dataset or all; or only say what that is."""
    from pharmaetl.lake import prune as housekeeping

    chosen = [place.catalog.find(dataset)] if dataset else list(place.catalog)
    request = housekeeping.Request(
        dataset=dataset,
        retentions={each.name: each.config.retention for each in chosen},
        grace_hours=housekeeping.GRACE_HOURS if grace_hours is None else grace_hours,
        dry_run=dry_run,
    )
    return housekeeping.prune(ReadOnlyStorage(place.storage) if dry_run else place.storage, request)


def rollback(place: Place, dataset: str, to: str | None, reason: str) -> LogEntry:
    """Make an older version current again; the newer one stays in the lake and in the log.

    Where the lake is on S3, the Glue catalogue follows; that it can't is a warning, since the log alone decides.
    """
    from pharmaetl.lake import manifest as publish_log

    found = place.catalog.find(dataset)
    entry = publish_log.rollback(place.storage, found.name, to, reason)
    catalogue.follow(place.storage, found.config)
    return entry


def quality(place: Place, dataset: str, run_id: str | None = None) -> QualityView:
    """What the gate said of the current version, or of one run of the dataset."""
    from pharmaetl.quality import history as quality_history

    return quality_history.of_run(place.storage, place.catalog.find(dataset).name, run_id)


def quality_over_time(place: Place, dataset: str) -> QualityHistory:
    """Verdicts and checks of every published version, oldest first."""
    from pharmaetl.quality import history as quality_history

    return quality_history.of_entries(place.catalog.find(dataset).name, history(place, dataset))


def runs(place: Place, dataset: str | None, limit: int) -> tuple[RunRecord, ...]:
    """The newest runs, of one dataset or all."""
    found = run_records.recent(place.storage, place.catalog.find(dataset).name if dataset else None, limit)
    return tuple(run_records.as_ended(place.storage, record) for record in found)


def run_record(place: Place, run_id: str) -> RunRecord:
    """The record of a run; the first letters of its id will do where they are unique."""
    return run_records.as_ended(place.storage, run_records.find(place.storage, run_id))


def lineage(place: Place, target: str) -> LineageView:
    """Where the rows of a dataset's current version, or of one run, came from."""
    from pharmaetl import lineage_tree

    if target in place.catalog.names():
        current = publishlog.current(place.storage, target)
        if current is None:
            raise UsageError(f"nothing of {target} is published yet", hint=f"publish with `pharmaetl run {target}`")
        record = run_records.read(place.storage, target, current.run_id)
    else:
        record = run_records.find(place.storage, target)
    return lineage_tree.view(place.storage, record)


def paths(place: Place, dataset: str, layer: Layer = "silver", table: str | None = None) -> tuple[str, ...]:
    """The folders of the current version: absolute paths or URLs."""
    found = place.catalog.find(dataset)
    current = publishlog.current(place.storage, found.name)
    if current is None:
        raise UsageError(f"nothing of {dataset} is published yet", hint=f"publish with `pharmaetl run {dataset}`")
    chosen = _published_tables(found, current, layer, table)
    if layer == "raw":
        return (place.storage.url(layout.raw_dir(found.name, current.source.sha256 or "")),)
    if layer in {"silver", "gold"}:
        return tuple(place.storage.url(entry.path) for entry in chosen)
    alone = f"{layout.SILVER}/{found.name}/version="
    levels = [None if entry.path.startswith(alone) else entry.name for entry in chosen]
    return tuple(place.storage.url(layout.bronze_dir(found.name, level, current.run_id)) for level in levels)


def _published_tables(dataset: Dataset, current: LogEntry, layer: Layer, table: str | None) -> list[TableVersion]:
    """The tables of a layer in the current version, or the one of that name; UsageError where there is none."""
    tables, others = (current.gold, current.tables) if layer == "gold" else (current.tables, current.gold)
    if layer == "gold" and not tables:
        _refuse_without_gold(dataset, current)
    names = [version.name for version in tables]
    if table is None or table in names:
        return [version for version in tables if table in {None, version.name}]
    hint = f"tables: {', '.join(names)}"
    if table in [version.name for version in others]:
        right = "silver" if layer == "gold" else "gold"
        hint = f"it is a {right} table: pharmaetl path {dataset.name} --layer {right} --table {table}"
    raise UsageError(f"{dataset.name} has no{' gold' if layer == 'gold' else ''} table {table!r}", hint=hint)


def _refuse_without_gold(dataset: Dataset, current: LogEntry) -> NoReturn:
    if dataset.config.gold:
        reason = f"the current version of {dataset.name} ({current.run_id}) has no gold tables: it is from before them"
        raise UsageError(reason, hint=f"`pharmaetl run {dataset.name}` makes them")
    raise UsageError(
        f"{dataset.name} has no gold tables", hint="`gold` in a config describes them; docs/datasets.md says how"
    )


def doctor(place: Place) -> tuple[Diagnosis, ...]:
    """Is this machine set up? Each finding comes with its fix."""
    from pharmaetl import doctor as diagnosis

    found = diagnosis.doctor(place)
    if not place.lake.lower().startswith("s3://") or any(one.name == "lake" and one.outcome == "fail" for one in found):
        return found
    from pharmaetl.aws import lake_check

    return (*found, *lake_check.diagnoses(place.storage))


def repair(place: Place) -> tuple[Diagnosis, ...]:
    """Make anew what is derived from the log, the records and the raw files, and say what can't be."""
    from pharmaetl import repair as mending

    return mending.repair(place)
