"""What one attempt of each Glue job has written, taken into the lake's own layout: copied inside the storage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pharmaetl.aws import handover
from pharmaetl.errors import ConflictError, EngineError
from pharmaetl.lake import layout
from pharmaetl.lake.storage import CopyingStorage, Storage
from pharmaetl.local import gold, layers, runner
from pharmaetl.local.state import GoldPart, Part, Run, Stop
from pharmaetl.pipeline import Layer, LocalStep, SparkJob


def taking_in(attempts: Mapping[Layer, str]) -> Callable[[Run, LocalStep], Stop | None]:
    """How steps are executed after the jobs: a job's step takes in what its attempt wrote, others are as ever."""

    def execute(run: Run, step: LocalStep) -> Stop | None:
        if isinstance(step, SparkJob):
            _TAKE[step.layer](run, attempts)
            return None
        return runner.execute(run, step)

    return execute


def _bronze(run: Run, attempts: Mapping[Layer, str]) -> None:
    report = _report(run, "bronze", attempts["bronze"])
    for part in _written(run):
        _copy_in(run, f"{report.folder}/{part.table.name}", layers.bronze_dir(run, part))
    run.seconds_elsewhere = report.seconds
    run.detail = f"{sum(part.rows_bronze for part in run.parts):,} rows"


def _silver(run: Run, attempts: Mapping[Layer, str]) -> None:
    report = _report(run, "silver", attempts["silver"])
    _refuse_other_input(run, report, "bronze", attempts)
    for part in run.parts:
        if part.rows_bronze == 0:
            layers.nothing_left(part)
            continue
        layers.take_measures(part, report.document["tables"][part.table.name])
        level = run.dataset.config.table_level(part.table)
        written = f"{report.folder}/{part.table.name}"
        _copy_in(run, f"{written}/silver", run.folder_of(part))
        _copy_in(run, f"{written}/quarantine", layout.quarantine_dir(run.dataset.name, level, run.run_id))
    run.seconds_elsewhere = report.seconds
    layers.account(run)


def _gold(run: Run, attempts: Mapping[Layer, str]) -> None:
    report = _report(run, "gold", attempts["gold"])
    _refuse_other_input(run, report, "silver", attempts)
    run.gold = []
    for table in run.dataset.config.gold:
        part, measures = GoldPart(table.as_table()), report.document["tables"][table.name]
        gold.take_measures(part, measures)
        run.gold.append(part)
        if measures["rows"]:
            _copy_in(run, f"{report.folder}/{table.name}", run.folder_of(part))
    run.seconds_elsewhere = report.seconds
    gold.account(run)


_TAKE: Mapping[Layer, Callable[[Run, Mapping[Layer, str]], None]] = {
    "bronze": _bronze, "silver": _silver, "gold": _gold,
}  # fmt: skip


def _refuse_other_input(run: Run, report: _Report, below: Layer, attempts: Mapping[Layer, str]) -> None:
    """A job that has read another attempt than the one that is published has made something else of it."""
    wanted, read = handover.attempt_path(run, below, attempts[below]), str(report.document[f"{below}_path"])
    if not read.endswith(wanted):
        raise ConflictError(
            f"{report.folder} was made of {read}, not of {wanted}",
            hint="nothing was published; start a new execution",
        )


def _written(run: Run) -> Iterator[Part]:
    return (part for part in run.parts if part.rows_bronze)


@dataclass(frozen=True)
class _Report:
    """What one attempt says of itself."""

    folder: str
    document: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long the job has worked, without its start-up."""
        return float(self.document["seconds"])


def _report(run: Run, layer: Layer, attempt: str) -> _Report:
    """The document that an attempt wrote last; EngineError where there is none, or one of another run."""
    folder = handover.attempt_path(run, layer, attempt)
    texts = [
        run.storage.read(stored.path).decode()
        for stored in run.storage.list(f"{folder}/report")
        if not stored.path.rpartition("/")[2].startswith(("_", "."))
    ]
    hint = f"nothing was published; look at the log of job run {attempt}"
    if not "".join(texts).strip():
        raise EngineError(f"{folder}: the {layer} job has left no report", hint=hint)
    document = json.loads("".join(texts))
    if (document["run_id"], document["attempt"]) != (run.run_id, attempt):
        raise EngineError(f"{folder}: this is the report of {document['run_id']}, {document['attempt']}", hint=hint)
    return _Report(folder, document)


def _copy_in(run: Run, written: str, folder: str) -> None:
    """Copy what an engine wrote to part-00000.parquet and on; what is there already stays, if it is the same.

    Files of another attempt of the same run are never mixed with these, nor replaced: ConflictError.
    """
    sources = [
        stored.path
        for stored in run.storage.list(written)
        if stored.path.endswith(".parquet") and "/" not in stored.path.removeprefix(f"{written}/")
    ]
    targets = [f"{folder}/part-{number:05d}.parquet" for number in range(len(sources))]
    for stored in run.storage.list(folder):
        if stored.path not in targets:
            raise ConflictError(
                f"{stored.path} is there, and attempt {written} has not written it",
                hint="nothing was published; start a new execution, which gets a run id of its own",
            )
    for source, target in zip(sources, targets, strict=True):
        _copy(run, source, target)


def _copy(run: Run, source: str, target: str) -> None:
    storage: Storage = run.storage
    if isinstance(storage, CopyingStorage):
        storage.copy(source, target)
        return
    if storage.exists(target):
        if storage.sha256(target) != storage.sha256(source):
            raise ConflictError(
                f"{target} is there already, with other bytes than {source}",
                hint="nothing was overwritten; start a new execution, which gets a run id of its own",
            )
        return
    copy = run.work / "copy.parquet"
    storage.fetch(source, copy)
    storage.put(target, copy)
