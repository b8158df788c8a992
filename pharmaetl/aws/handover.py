"""What the stages of one execution hand on to each other, below `.work/<dataset>-<run_id>/` of the lake.

| path | written by | read by |
|---|---|---|
| records/<table>/records.txt | fetch_and_hash | bronze job |
| rejects/<table>/rejects.txt | fetch_and_hash, where records were refused | silver job |
| jobs.json | fetch_and_hash | the jobs (`pharmaetl.spark.glue` says what is in it) |
| handover.json | fetch_and_hash, last of all | update_manifest |
| bronze/attempt=<id>/… | bronze job | silver job, update_manifest |
| silver/attempt=<id>/… | silver job | gold job, update_manifest |
| gold/attempt=<id>/… | gold job, where the dataset has gold tables | update_manifest |

Nothing of it is read once the run is published; the bucket's lifecycle rule removes it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pharmaetl import runid
from pharmaetl.aws import jobdocument
from pharmaetl.aws.jobdocument import folder
from pharmaetl.catalog import Dataset
from pharmaetl.download.transfer import Fetched
from pharmaetl.engine import Shared
from pharmaetl.errors import ConflictError, CorruptLogError, NotStoredError, UsageError
from pharmaetl.lake import documentfile, layout, publishlog, runs
from pharmaetl.lake.document import FORMAT, Document
from pharmaetl.lake.documents import RunRecord, Source, StepResult
from pharmaetl.lake.schema import TableProfile
from pharmaetl.lake.storage import Storage
from pharmaetl.local import contract
from pharmaetl.local.state import Part, Run
from pharmaetl.pipeline import Layer
from pharmaetl.run_options import RunOptions
from pharmaetl.text.delimited import Split
from pharmaetl.text.header import HeaderMatch
from pharmaetl.text.unpack import Text
from pharmaetl.watch import Watch

_ATTEMPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_LATEST_SHIFT = timedelta(seconds=120)
"""Runs of the same input that start in one second get ids of later ones: up to so many."""


class HandedPart(Document):
    """One table of the source, split into records."""

    table: str
    text: Text
    header: HeaderMatch
    split: Split
    warnings: tuple[str, ...] = ()


class Handover(Document):
    """A run between its first Lambda function and its last."""

    format: int = FORMAT
    dataset: str
    run_id: str
    execution: str
    started_at: str
    edition: str | None = None
    accept_shrink: str | None = None
    why: str = ""
    parent: int | None = None
    """Sequence of the entry that was current when the run began; it publishes on top of no other."""
    source: Source
    steps: tuple[StepResult, ...] = ()
    parts: tuple[HandedPart, ...]
    served: dict[str, TableProfile]
    config_sha256: str
    code_sha256: str
    bronze_workers: int
    silver_workers: int
    gold_workers: int | None = None


def layer_path(dataset: str, run_id: str, layer: str) -> str:
    """Where the attempts of a layer's job write."""
    return f"{folder(dataset, run_id)}/{layer}"


def attempt_path(run: Run, layer: str, attempt: str) -> str:
    """Where one attempt of a layer's job has written; UsageError for what is no attempt's id."""
    if not _ATTEMPT.fullmatch(attempt):
        raise UsageError(f"{attempt!r} is no id of a job run", hint="Glue's look like jr_1f2e3d4c")
    return f"{layer_path(run.dataset.name, run.run_id, layer)}/attempt={attempt}"


def checked(run_id: str) -> str:
    """The run id itself; UsageError for what is none, and must not become part of a path."""
    if not runid.is_run_id(run_id):
        raise UsageError(f"{run_id!r} is no run id", hint="they look like 20261123T031500Z-1f2e3d4c")
    return run_id


def save(run: Run, workers: Mapping[Layer, int]) -> Handover:
    """Upload the records and the documents of a run whose source is unpacked; the handover itself comes last.

    `workers`: of each job that the dataset has.
    """
    parts = tuple(_upload(run, part) for part in run.parts)
    run.storage.replace(jobdocument.path(run.dataset.name, run.run_id), jobdocument.of(run))
    handed = Handover(
        dataset=run.dataset.name,
        run_id=run.run_id,
        execution=run.execution or "",
        started_at=run.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        edition=run.options.edition,
        accept_shrink=run.options.accept_shrink,
        why=run.why,
        parent=run.current.sequence if run.current else None,
        source=run.source_document(),
        steps=tuple(run.steps),
        parts=parts,
        served=run.served,
        config_sha256=run.dataset.config_sha256,
        code_sha256=run.dataset.code_sha256,
        bronze_workers=workers["bronze"],
        silver_workers=workers["silver"],
        gold_workers=workers.get("gold"),
    )
    run.storage.replace(_path(run.dataset.name, run.run_id), documentfile.encode(handed))
    return handed


def read(storage: Storage, dataset: Dataset, run_id: str) -> Handover:
    """A run's handover. UsageError where there is none, ConflictError where a deployment came in between."""
    path = _path(dataset.name, checked(run_id))
    try:
        handed = documentfile.decode(Handover, path, storage.read(path))
    except NotStoredError as error:
        hint = "its unpublished files are removed some days after it ended; start a new execution"
        raise UsageError(f"nothing was handed over by run {run_id}", hint=hint) from error
    if (handed.config_sha256, handed.code_sha256) != (dataset.config_sha256, dataset.code_sha256):
        raise ConflictError(
            f"config or code of {dataset.name} were deployed anew while {run_id} was under way",
            hint="nothing was published; start a new execution",
            run_id=run_id,
        )
    return handed


def restored(handed: Handover, storage: Storage, dataset: Dataset, *, watch: Watch, work: Path, engines: Shared) -> Run:
    """The run as it was when it was handed over."""
    tables = {table.name: table for table in dataset.config.tables}
    source = handed.source
    run = Run(
        storage,
        dataset,
        RunOptions(source=source.url, edition=handed.edition, accept_shrink=handed.accept_shrink),
        watch,
        work,
        started=(started := moment(handed.started_at)),
        begun=begun(started),
        engines=engines,
        execution=handed.execution,
        run_id=handed.run_id,
        current=publishlog.read(storage, dataset.name, handed.parent) if handed.parent else None,
        why=handed.why,
        fetched=_fetched(source, work),
        raw_stored=True,
        release_date=source.release_date,
        parts=[Part(tables[part.table], part.text, part.header, part.split, part.warnings) for part in handed.parts],
        served=dict(handed.served),
        steps=list(handed.steps),
    )
    contract.note(run, whole=True)
    return run


def of_execution(storage: Storage, dataset: str, execution: str, started: datetime) -> tuple[RunRecord, ...]:
    """The records that an execution has made so far, oldest first: more than one where its tries met other sources."""
    found = []
    for stored in storage.list(layout.runs_dir(dataset)):
        run_id = stored.path.rpartition("/")[2].removesuffix(".json")
        if runid.is_run_id(run_id) and timedelta(0) <= runid.started_at(run_id) - started <= _LATEST_SHIFT:
            try:
                record = runs.read(storage, dataset, run_id)
            except (NotStoredError, CorruptLogError):
                continue
            if record.process == execution:
                found.append(record)
    return tuple(found)


def of_records(storage: Storage, dataset: Dataset, records: tuple[RunRecord, ...]) -> Handover | None:
    """What an earlier try of the same execution handed over, if it came so far."""
    for record in reversed(records):
        if storage.exists(_path(dataset.name, record.run_id)):
            return read(storage, dataset, record.run_id)
    return None


def moment(stamp: str) -> datetime:
    """A time as Step Functions or a document writes it, in whole seconds. UsageError for anything else."""
    try:
        found = datetime.fromisoformat(stamp)
    except ValueError as error:
        raise UsageError(f"{stamp!r} is no time", hint="write 2026-11-23T03:15:00Z") from error
    if found.tzinfo is None:
        raise UsageError(f"{stamp!r} has no time zone", hint="write 2026-11-23T03:15:00Z")
    return found.astimezone(UTC).replace(microsecond=0)


def begun(started: datetime) -> float:
    """When a run that started then began, by this process's own clock."""
    return time.monotonic() - max(0.0, (datetime.now(UTC) - started).total_seconds())


def _path(dataset: str, run_id: str) -> str:
    return f"{folder(dataset, run_id)}/handover.json"


def _upload(run: Run, part: Part) -> HandedPart:
    """Put a table's records into the lake; in the document, paths are those there."""
    name, split = part.table.name, part.split
    records, rejects = jobdocument.records(run, name), jobdocument.rejects(run, name)
    run.storage.put(records, split.records)
    if split.rows_rejected:
        run.storage.put(rejects, split.rejects)
    return HandedPart(
        table=name,
        text=replace(part.text, path=Path(layout.unpacked(run.dataset.name, run.source_sha256, part.text.member))),
        header=part.header,
        split=replace(split, records=Path(records), rejects=Path(rejects)),
        warnings=part.warnings,
    )


def _fetched(source: Source, work: Path) -> Fetched:
    return Fetched(
        path=work,
        url=source.url,
        file_name="",
        sha256=source.sha256 or "",
        bytes=source.bytes or 0,
        etag=source.etag,
        last_modified=source.last_modified,
        fetched_at=source.fetched_at or "",
    )
