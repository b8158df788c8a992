"""The lake: what is published, what was done, where the files are, and whether all is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pharmaetl import status as lake_status
from pharmaetl.errors import UsageError
from pharmaetl.lake import layout
from pharmaetl.lake import manifest as publish_log
from pharmaetl.lake import runs as run_records
from pharmaetl.lake.documents import LogEntry, RunRecord
from pharmaetl.lake.integrity import Finding
from pharmaetl.lineage_tree import LineageView
from pharmaetl.place import Place
from pharmaetl.quality import history as quality_history
from pharmaetl.quality.history import QualityHistory, QualityView
from pharmaetl.status import LakeStatus

if TYPE_CHECKING:
    from pharmaetl.doctor import Diagnosis

Layer = Literal["raw", "bronze", "silver"]


def status(place: Place, dataset: str | None = None) -> LakeStatus:
    """What each dataset last published, and how old it is."""
    return lake_status.status(place.storage, place.catalog, dataset)


@dataclass(frozen=True)
class ManifestView:
    """The current version of a dataset; None where nothing is published."""

    dataset: str
    current: LogEntry | None
    entries: int


def manifest(place: Place, dataset: str) -> ManifestView:
    """The current version, with its files."""
    name = place.catalog.find(dataset).name
    current = publish_log.current(place.storage, name)
    return ManifestView(name, current, current.sequence if current else 0)


def history(place: Place, dataset: str) -> tuple[LogEntry, ...]:
    """The whole publish log, oldest first."""
    return publish_log.entries(place.storage, place.catalog.find(dataset).name)


def verify(place: Place, dataset: str) -> tuple[Finding, ...]:
    """What is wrong with the log and the files it lists; every listed file is read and hashed."""
    return publish_log.verify(place.storage, place.catalog.find(dataset).name)


def rollback(place: Place, dataset: str, to: str | None, reason: str) -> LogEntry:
    """Make an older version current again; the newer one stays in the lake and in the log."""
    return publish_log.rollback(place.storage, place.catalog.find(dataset).name, to, reason)


def quality(place: Place, dataset: str, run_id: str | None = None) -> QualityView:
    """What the gate said of the current version, or of one run of the dataset."""
    return quality_history.of_run(place.storage, place.catalog.find(dataset).name, run_id)


def quality_over_time(place: Place, dataset: str) -> QualityHistory:
    """Verdicts and checks of every published version, oldest first."""
    return quality_history.of_entries(place.catalog.find(dataset).name, history(place, dataset))


def runs(place: Place, dataset: str | None, limit: int) -> tuple[RunRecord, ...]:
    """The newest runs, of one dataset or all."""
    found = run_records.recent(place.storage, place.catalog.find(dataset).name if dataset else None, limit)
    return tuple(run_records.as_ended(record) for record in found)


def run_record(place: Place, run_id: str) -> RunRecord:
    """The record of a run; the first letters of its id will do where they are unique."""
    return run_records.as_ended(run_records.find(place.storage, run_id))


def lineage(place: Place, target: str) -> LineageView:
    """Where the rows of a dataset's current version, or of one run, came from."""
    from pharmaetl import lineage_tree

    if target in place.catalog.names():
        current = publish_log.current(place.storage, target)
        if current is None:
            raise UsageError(f"nothing of {target} is published yet", hint=f"publish with `pharmaetl run {target}`")
        record = run_records.read(place.storage, target, current.run_id)
    else:
        record = run_records.find(place.storage, target)
    return lineage_tree.view(place.storage, record)


def paths(place: Place, dataset: str, layer: Layer = "silver", table: str | None = None) -> tuple[str, ...]:
    """The folders of the current version: absolute paths or URLs."""
    found = place.catalog.find(dataset)
    current = publish_log.current(place.storage, found.name)
    if current is None:
        raise UsageError(f"nothing of {dataset} is published yet", hint=f"publish with `pharmaetl run {dataset}`")
    names = [entry.name for entry in current.tables]
    if table is not None and table not in names:
        raise UsageError(f"{dataset} has no table {table!r}", hint=f"tables: {', '.join(names)}")
    if layer == "raw":
        return (place.storage.url(layout.raw_dir(found.name, current.source.sha256 or "")),)
    chosen = [entry for entry in current.tables if table in {None, entry.name}]
    if layer == "silver":
        return tuple(place.storage.url(entry.path) for entry in chosen)
    alone = f"{layout.SILVER}/{found.name}/version="
    levels = [None if entry.path.startswith(alone) else entry.name for entry in chosen]
    return tuple(place.storage.url(layout.bronze_dir(found.name, level, current.run_id)) for level in levels)


def doctor(place: Place) -> tuple[Diagnosis, ...]:
    """Is this machine set up? Each finding comes with its fix."""
    from pharmaetl import doctor as diagnosis

    return diagnosis.doctor(place)


def repair(place: Place) -> tuple[Diagnosis, ...]:
    """Rebuild what is derived from the publish log, and say what can't be rebuilt."""
    from pharmaetl import doctor as diagnosis

    return diagnosis.repair(place)
