"""Everything that the command line can do, as functions that return dataclasses or documents.

Every function raises PharmaetlError's subclasses for whatever a user can act on. What needs an engine, a download or
pandas is imported by the functions that need it, so that looking at a lake stays quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pharmaetl import status as lake_status
from pharmaetl import validation
from pharmaetl.catalog import Dataset
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.errors import ConflictError, InterruptedRunError, UsageError
from pharmaetl.lake import layout
from pharmaetl.lake import manifest as publish_log
from pharmaetl.lake import runs as run_records
from pharmaetl.lake.documents import LogEntry, RunRecord
from pharmaetl.lake.integrity import Finding
from pharmaetl.lineage_tree import LineageNode, LineageView
from pharmaetl.place import Place
from pharmaetl.quality import dqdl
from pharmaetl.quality import history as quality_history
from pharmaetl.quality.dqdl import Ruleset
from pharmaetl.quality.history import QualityHistory, QualityView
from pharmaetl.run_options import RunOptions
from pharmaetl.status import DatasetStatus, LakeStatus, LastRun
from pharmaetl.validation import Validation
from pharmaetl.watch import Silent, Watch

if TYPE_CHECKING:
    from pharmaetl.doctor import Diagnosis
    from pharmaetl.drift.report import DriftReport
    from pharmaetl.lake.schema import Acceptance
    from pharmaetl.onboarding.new_dataset import NewDataset
    from pharmaetl.plan import Plan

__all__ = [
    "DatasetStatus", "DatasetView", "Finding", "LakeStatus", "LastRun", "LineageNode", "LineageView", "ManifestView",
    "Place", "QualityHistory", "QualityView", "Ruleset", "RunOptions", "Validation",
]  # fmt: skip

Layer = Literal["raw", "bronze", "silver"]


def run(place: Place, dataset: str, options: RunOptions, watch: Watch | None = None) -> RunRecord:
    """Run a dataset: the record of a published or skipped run. A failed one raises, with `run_id` set."""
    from pharmaetl.local import runner as local

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

    from pharmaetl.engine import Shared
    from pharmaetl.local import runner as local

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
    from pharmaetl.lake.storage import ReadOnlyStorage

    return planning.plan(ReadOnlyStorage(place.storage), place.catalog.find(dataset), options)


def resume(place: Place, run_id: str, watch: Watch | None = None) -> RunRecord:
    """Go on with a failed, interrupted or dead run from its stored source."""
    from pharmaetl.local import runner as local

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


def quality(place: Place, dataset: str, run_id: str | None = None) -> QualityView:
    """What the gate said of the current version, or of one run of the dataset."""
    return quality_history.of_run(place.storage, place.catalog.find(dataset).name, run_id)


def quality_over_time(place: Place, dataset: str) -> QualityHistory:
    """Verdicts and checks of every published version, oldest first."""
    return quality_history.of_entries(place.catalog.find(dataset).name, history(place, dataset))


def quality_rulesets(place: Place, dataset: str, table: str | None = None) -> tuple[Ruleset, ...]:
    """The rules of one table, or of all, as AWS Glue DQDL."""
    return dqdl.rulesets(place.catalog.find(dataset).config, table)


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


def validate(place: Place, target: str | None) -> tuple[Validation, ...]:
    """Check one config (by dataset name, folder or file), or all of the catalog."""
    return validation.validate(place.catalog, target)


def new_dataset(place: Place, target: str, source: str, force: bool) -> NewDataset:
    """Look at a file or URL and write a dataset's folder ORG/NAME, so that `run` works on it at once."""
    from pharmaetl.onboarding import new_dataset as onboarding

    return onboarding.create(target, source, place.datasets, force=force)


def schema() -> dict[str, Any]:
    """The JSON Schema of dataset.json, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **DatasetConfig.model_json_schema()}


def drift(place: Place, dataset: str, source: str | None = None) -> DriftReport:
    """What differs from the version published before: as the newest run met it, or as a file that is only looked at."""
    from pharmaetl.drift import report as drift_report
    from pharmaetl.lake.storage import ReadOnlyStorage

    found, storage = place.catalog.find(dataset), ReadOnlyStorage(place.storage)
    if source is None:
        return drift_report.of_newest_run(storage, found.name)
    return drift_report.of_source(storage, found.config, source)


def accept(place: Place, dataset: str, reason: str, columns: Sequence[str] = ()) -> Acceptance:
    """Record that the headers which the newest run met are meant to be so; with `columns`, those headers alone."""
    from pharmaetl.drift import contracts
    from pharmaetl.drift import report as drift_report

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
