"""Everything that the command line can do, as functions that return dataclasses or documents.

Every function raises PharmaetlError's subclasses for whatever a user can act on. What needs an engine, a download or
pandas is imported by the functions that need it, so that looking at a lake stays quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pharmaetl import configfile, layout
from pharmaetl import manifest as publish_log
from pharmaetl import runs as run_records
from pharmaetl import status as lake_status
from pharmaetl.catalog import Dataset
from pharmaetl.config import DatasetConfig
from pharmaetl.documents import LogEntry, RunRecord
from pharmaetl.errors import ConflictError, InterruptedRunError, UsageError
from pharmaetl.integrity import Finding
from pharmaetl.lineage_tree import LineageNode, LineageView
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions
from pharmaetl.status import DatasetStatus, LakeStatus, LastRun
from pharmaetl.watch import Silent, Watch

if TYPE_CHECKING:
    from pharmaetl.doctor import Diagnosis
    from pharmaetl.drift_report import DriftReport
    from pharmaetl.plan import Plan
    from pharmaetl.schema import Acceptance

__all__ = [
    "DatasetStatus", "DatasetView", "Finding", "LakeStatus", "LastRun", "LineageNode", "LineageView", "ManifestView",
    "Place", "RunOptions", "Validation",
]  # fmt: skip

Layer = Literal["raw", "bronze", "silver"]


def run(place: Place, dataset: str, options: RunOptions, watch: Watch | None = None) -> RunRecord:
    """Run a dataset: the record of a published or skipped run. A failed one raises, with `run_id` set."""
    from pharmaetl import local

    return local.run(place.storage, place.catalog.find(dataset), options, watch or Silent())


@dataclass(frozen=True)
class Attempt:
    """How one of several datasets' runs ended: with a record, or with what went wrong."""

    dataset: str
    record: RunRecord | None
    error: Exception | None = None


def run_each(place: Place, names: Sequence[str], options: RunOptions, watch: Watch | None = None) -> Iterator[Attempt]:
    """Run datasets one after the other on one engine; a failure of one, or a bug in it, stops no other."""
    from contextlib import closing

    from pharmaetl import local
    from pharmaetl.engine import Shared

    found = [place.catalog.find(name) for name in names]
    with closing(Shared()) as engines:
        for dataset in found:
            try:
                yield Attempt(dataset.name, local.run(place.storage, dataset, options, watch or Silent(), engines))
            except InterruptedRunError:
                raise
            except Exception as error:
                failed = run_records.recent(place.storage, dataset.name, 1)
                run_id = getattr(error, "run_id", None)
                record = next((record for record in failed if record.run_id == run_id), None)
                yield Attempt(dataset.name, record, error)


def plan(place: Place, dataset: str, options: RunOptions) -> Plan:
    """What such a run would do, and why; writes nothing."""
    from pharmaetl import plan as planning
    from pharmaetl.storage import ReadOnlyStorage

    return planning.plan(ReadOnlyStorage(place.storage), place.catalog.find(dataset), options)


def resume(place: Place, run_id: str, watch: Watch | None = None) -> RunRecord:
    """Go on with a failed, interrupted or dead run from its stored source."""
    from pharmaetl import local

    record = run_records.find(place.storage, run_id)
    if record.outcome == "running" and not run_records.is_dead(record):
        raise ConflictError(
            f"{record.run_id} is still running, as {record.process}", hint=f"pharmaetl runs show {record.run_id}"
        )
    if record.outcome in {"published", "skipped"}:
        raise UsageError(f"{record.run_id} is done: {record.outcome}", hint=f"pharmaetl run {record.dataset} --force")
    return local.resume(place.storage, place.catalog.find(record.dataset), record, watch or Silent())


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


def runs(place: Place, dataset: str | None, limit: int) -> tuple[RunRecord, ...]:
    """The newest runs, of one dataset or all."""
    found = run_records.recent(place.storage, place.catalog.find(dataset).name if dataset else None, limit)
    return tuple(run_records.as_ended(record) for record in found)


def run_record(place: Place, run_id: str) -> RunRecord:
    """The record of a run; the first letters of its id will do where they are unique."""
    return run_records.as_ended(run_records.find(place.storage, run_id))


@dataclass(frozen=True)
class DatasetView:
    """What a dataset is, for a listing."""

    dataset: str
    organization: str
    description: str
    path: str
    tables: tuple[str, ...]
    cadence: str
    source_url: str
    config_sha256: str
    code_sha256: str


def dataset_names(place: Place) -> list[str]:
    """The names of the catalog's datasets, sorted; their configs are not read."""
    return place.catalog.names()


def datasets(place: Place) -> tuple[DatasetView, ...]:
    """Every dataset of the catalog; InvalidConfigError where one's config is wrong."""
    return tuple(_view(dataset) for dataset in place.catalog)


def _view(dataset: Dataset) -> DatasetView:
    config = dataset.config
    return DatasetView(
        dataset=dataset.name,
        organization=dataset.organization,
        description=config.description,
        path=str(dataset.folder),
        tables=tuple(table.name for table in config.tables),
        cadence=config.cadence,
        source_url=config.source_url,
        config_sha256=dataset.config_sha256,
        code_sha256=dataset.code_sha256,
    )


def dataset_config(place: Place, name: str) -> dict[str, Any]:
    """A dataset's config as JSON, with every default filled in."""
    return place.catalog.find(name).config.model_dump(mode="json")


@dataclass(frozen=True)
class Validation:
    """One config file and what is wrong in it."""

    path: str
    problems: tuple[configfile.Problem, ...]


def validate(place: Place, target: str | None) -> tuple[Validation, ...]:
    """Check one config (by dataset name, folder or file), or all of the catalog."""
    if target is None:
        return tuple(_validated(dataset) for dataset in place.catalog)
    path = Path(target)
    if path.is_dir():
        return (_validated(Dataset(path.resolve())),)
    if path.is_file():
        folder = path.resolve().parent.parent
        return (
            _validated(Dataset(folder)) if path.resolve() == Dataset(folder).config_path else _validated_file(path),
        )
    return (_validated(place.catalog.find(target)),)


def _validated(dataset: Dataset) -> Validation:
    try:
        _ = dataset.config
    except configfile.InvalidConfigError as error:
        return Validation(str(dataset.config_path), error.problems)
    return Validation(str(dataset.config_path), ())


def _validated_file(path: Path) -> Validation:
    try:
        configfile.read(path)
    except configfile.InvalidConfigError as error:
        return Validation(str(path), error.problems)
    return Validation(str(path), ())


def schema() -> dict[str, Any]:
    """The JSON Schema of dataset.json, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **DatasetConfig.model_json_schema()}


def drift(place: Place, dataset: str, source: str | None = None) -> DriftReport:
    """What differs from the version published before: as the newest run met it, or as a file that is only looked at."""
    from pharmaetl import drift_report
    from pharmaetl.storage import ReadOnlyStorage

    found, storage = place.catalog.find(dataset), ReadOnlyStorage(place.storage)
    if source is None:
        return drift_report.of_newest_run(storage, found.name)
    return drift_report.of_source(storage, found.config, source)


def accept(place: Place, dataset: str, reason: str, columns: Sequence[str] = ()) -> Acceptance:
    """Record that the headers which the newest run met are meant to be so; with `columns`, those headers alone."""
    from pharmaetl import contracts, drift_report

    config = place.catalog.find(dataset).config
    record = drift_report.newest_look(place.storage, config.dataset)
    return contracts.accept(place.storage, config, record, columns=columns, reason=reason)


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
    level = {entry.name: entry.name if len(names) > 1 else None for entry in chosen}
    return tuple(
        place.storage.url(layout.bronze_dir(found.name, level[entry.name], current.run_id)) for entry in chosen
    )


def doctor(place: Place) -> tuple[Diagnosis, ...]:
    """Is this machine set up? Each finding comes with its fix."""
    from pharmaetl import doctor as diagnosis

    return diagnosis.doctor(place)
