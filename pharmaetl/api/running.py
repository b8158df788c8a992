"""Runs: bring datasets up to date, say what that would take, go on with what died."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pharmaetl.api import catalogue
from pharmaetl.catalog import Dataset
from pharmaetl.errors import ConflictError, InterruptedRunError, UsageError
from pharmaetl.lake import runs as run_records
from pharmaetl.lake.documents import RunRecord
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions
from pharmaetl.watch import Silent, Watch

if TYPE_CHECKING:
    from pharmaetl.plan import Plan


def run(place: Place, dataset: str, options: RunOptions, watch: Watch | None = None) -> RunRecord:
    """Run a dataset: the record of a published or skipped run. A failed one raises, with `run_id` set."""
    from pharmaetl.local import runner as local

    found = place.catalog.find(dataset)
    return _shown(place, found, local.run(place.storage, found, options, watch or Silent()))


def _shown(place: Place, dataset: Dataset, record: RunRecord) -> RunRecord:
    """The record of a run; where it published, the Glue catalogue of a lake on S3 has followed."""
    if record.outcome == "published":
        catalogue.follow(place.storage, dataset.config)
    return record


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
    with closing(Shared(several=len(found) > 1)) as engines:
        for dataset in found:
            try:
                record = local.run(place.storage, dataset, options, watch or Silent(), engines)
                yield Attempt(dataset.name, _shown(place, dataset, record))
            except InterruptedRunError:
                raise
            except Exception as error:
                failed = run_records.recent(place.storage, dataset.name, 1)
                run_id = getattr(error, "run_id", None)
                yield Attempt(dataset.name, next((one for one in failed if one.run_id == run_id), None), error)


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
    found = place.catalog.find(record.dataset)
    return _shown(place, found, local.resume(place.storage, found, record, watch or Silent()))
