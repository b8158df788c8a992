"""The two ends of a run on AWS, around the Glue jobs: what comes before bronze, and what comes after silver.

Each executes its part of `local_steps_for` with the code that a laptop runs, on any storage. All of it may be done
twice: run id, files and documents follow from the execution alone, and what is there already is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Literal

from pharmaetl import lineage, runid
from pharmaetl.aws import collecting, handover, jobdocument, retries, secrets
from pharmaetl.aws.deadline import Deadline
from pharmaetl.aws.events import Asked, FetchRequest, FetchResult, PublishRequest, PublishResult
from pharmaetl.aws.workers import workers
from pharmaetl.catalog import Dataset
from pharmaetl.engine import Shared
from pharmaetl.errors import NotStoredError, UsageError
from pharmaetl.lake import layout, manifest, publishlog, runs
from pharmaetl.lake.documents import ErrorInfo, LogEntry, RunRecord
from pharmaetl.lake.storage import Storage
from pharmaetl.local import recording, runner
from pharmaetl.local.state import Run, Stop
from pharmaetl.local.workspace import workspace
from pharmaetl.pipeline import Layer, LocalStep, SparkJob, local_steps_for
from pharmaetl.secret import redact
from pharmaetl.watch import Watch

_LOOK_BACK = 20
"""How many of the newest runs are looked at for some that never ended."""


def fetch_and_hash(
    storage: Storage, dataset: Dataset, request: FetchRequest, deadline: Deadline, watch: Watch
) -> FetchResult:
    """Fetch, compare, unpack, split, and hand over to the Glue jobs; or end the run where nothing changed.

    Raises what these steps raise, with the failure in the run's record. A second try of the same execution goes on
    under the same run id, and where the first one was done, returns what that returned.
    """
    started = handover.moment(request.started_at)
    url_of(dataset, request.input)
    options = request.input.options(dataset.name)
    earlier = handover.of_execution(storage, dataset.name, request.execution, started)
    handed = handover.of_records(storage, dataset, earlier)
    if handed is not None:
        return _changed(storage, handed)
    with _workplace(storage, dataset) as (work, engines):
        run = Run(
            storage,
            dataset,
            options,
            deadline.watching(watch),
            work,
            started=started,
            begun=handover.begun(started),
            engines=engines,
            execution=request.execution,
            fetch_seconds=deadline.for_download(),
        )
        with runner.recorded(run):
            run.current = manifest.current(storage, dataset.name)
            stop = _walk(run, before_bronze(dataset))
            _close_earlier(run, earlier)
            _close_abandoned(run)
            if stop is not None:
                recording.finish(run, "skipped", stop.reason)
                return _unchanged(run, stop.reason)
            text_bytes = sum(part.text.bytes for part in run.parts)
            return _changed(storage, handover.save(run, workers(text_bytes, dataset.config)))


def publish(storage: Storage, dataset: Dataset, request: PublishRequest, watch: Watch) -> PublishResult:
    """Take in what the jobs have written, judge, audit and commit it: one version, with the files of one attempt.

    Raises GateError, ConflictError where another run was first, and what the steps raise else, with the failure in the
    run's record. Done before by an earlier try of the same state, it returns what came of that.
    """
    known = _published_before(storage, dataset, handover.checked(request.run_id))
    if known is not None:
        return known
    handed = handover.read(storage, dataset, request.run_id)
    attempts = _attempts(dataset, request)
    with _workplace(storage, dataset) as (work, engines):
        run = handover.restored(handed, storage, dataset, watch=watch, work=work, engines=engines)
        with runner.recorded(run):
            take_in = collecting.taking_in(attempts)
            stop = _walk(run, after_fetching(dataset), take_in)
            if stop is not None:
                recording.finish(run, "skipped", stop.reason)
                return _result("skipped", run.run_id, publishlog.current(storage, dataset.name), stop.reason)
            recording.finish(run, "published", run.why)
            return _result("published", run.run_id, run.entry, run.why)


def _attempts(dataset: Dataset, request: PublishRequest) -> dict[Layer, str]:
    """The job runs by layer; UsageError where one that the dataset needs is not named."""
    attempts: dict[Layer, str] = {"bronze": request.bronze_attempt, "silver": request.silver_attempt}
    if not dataset.config.gold:
        return attempts
    if request.gold_attempt is None:
        raise UsageError(f"gold_attempt is missing: {dataset.name} has gold tables", hint="start a new execution")
    return {**attempts, "gold": request.gold_attempt}


def url_of(dataset: Dataset, asked: Asked) -> str:
    """Where the source of a run is asked for, placeholders unfilled; UsageError for what its input can't mean."""
    config, options = dataset.config, asked.options(dataset.name)
    if options.source is not None:
        secrets.refuse_elsewhere(options.source, [config.source_url, *config.editions.values()])
    return options.source or config.url_of(options.edition)


def note_on_publication(storage: Storage, dataset: Dataset, run_id: str, text: str) -> None:
    """Add to a published run's record something that went wrong without undoing the publication."""
    record = runs.read(storage, dataset.name, run_id)
    steps = [
        step.model_copy(update={"detail": f"{step.detail}; {redact(text)}"}) if step.name == "publish" else step
        for step in record.steps
    ]
    runs.save(storage, record.model_copy(update={"steps": tuple(steps)}))


def before_bronze(dataset: Dataset) -> tuple[LocalStep, ...]:
    """The steps that need no engine and come before it."""
    steps = local_steps_for(dataset.config)
    return tuple(takewhile(lambda step: not isinstance(step, SparkJob), steps))


def after_fetching(dataset: Dataset) -> tuple[LocalStep, ...]:
    """The jobs, whose results are to be taken in, and the steps after them."""
    return local_steps_for(dataset.config)[len(before_bronze(dataset)) :]


def _walk(
    run: Run, steps: tuple[LocalStep, ...], execute: Callable[[Run, LocalStep], Stop | None] | None = None
) -> Stop | None:
    stops = (runner.timed(run, step, execute) for step in steps)
    return next((stop for stop in stops if stop is not None), None)


@contextlib.contextmanager
def _workplace(storage: Storage, dataset: Dataset) -> Iterator[tuple[Path, Shared]]:
    """A folder for unfinished files, and an engine that is never started: Glue's does the work."""
    with workspace(storage, dataset.name) as work, contextlib.closing(Shared()) as engines:
        yield work, engines


def _close_earlier(run: Run, earlier: tuple[RunRecord, ...]) -> None:
    """End the records of tries that were cut off and met another source than this one."""
    for record in earlier:
        if record.run_id != run.run_id and record.outcome == "running":
            _close(run.storage, record, f"cut off; a later try of the same execution went on as {run.run_id}")


def _close_abandoned(run: Run) -> None:
    """End the records of executions that were stopped or timed out as a whole: no state of theirs came to say so."""
    longest = timedelta(seconds=retries.MACHINE_SECONDS)
    for record in runs.readable(run.storage, run.dataset.name, _LOOK_BACK):
        is_over = run.started - runid.started_at(record.run_id) > longest
        if is_over and record.outcome == "running" and ":execution:" in record.process:
            _close(run.storage, record, f"its execution ended without a word: {record.process}")


def _close(storage: Storage, record: RunRecord, reason: str) -> None:
    error = ErrorInfo(code="dead", reason=reason, exit_code=1)
    ended_at = recording.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"outcome": "failed", "reason": reason, "error": error, "ended_at": ended_at}
    lineage.write(storage, closed := record.model_copy(update=ended))
    runs.save(storage, closed)


def _changed(storage: Storage, handed: handover.Handover) -> FetchResult:
    dataset, run_id = handed.dataset, handed.run_id
    sha256 = handed.source.sha256 or ""
    return FetchResult(
        dataset=dataset,
        run_id=run_id,
        changed=True,
        reason=handed.why,
        version=layout.version_of(run_id),
        source_sha256=sha256,
        raw_path=storage.url(layout.raw_dir(dataset, sha256)),
        jobs_path=storage.url(jobdocument.path(dataset, run_id)),
        bronze_path=storage.url(handover.layer_path(dataset, run_id, "bronze")),
        silver_path=storage.url(handover.layer_path(dataset, run_id, "silver")),
        gold_path=storage.url(handover.layer_path(dataset, run_id, "gold")) if handed.gold_workers else None,
        bronze_workers=handed.bronze_workers,
        silver_workers=handed.silver_workers,
        gold_workers=handed.gold_workers,
    )


def _unchanged(run: Run, reason: str) -> FetchResult:
    return FetchResult(
        dataset=run.dataset.name,
        run_id=run.run_id,
        changed=False,
        reason=reason,
        version=run.current.version if run.current else None,
        source_sha256=run.source_sha256,
    )


def _published_before(storage: Storage, dataset: Dataset, run_id: str) -> PublishResult | None:
    """What an earlier try of the same state returned, if it came to its end."""
    try:
        record = runs.read(storage, dataset.name, run_id)
    except NotStoredError:
        return None
    entry = manifest.find(storage, dataset.name, run_id) if record.outcome == "published" else None
    return _result("published", run_id, entry, record.reason) if entry else None


def _result(
    outcome: Literal["published", "skipped"], run_id: str, entry: LogEntry | None, reason: str
) -> PublishResult:
    return PublishResult(
        outcome=outcome,
        run_id=run_id,
        sequence=entry.sequence if entry else None,
        version=entry.version if entry else None,
        rows=sum(table.rows for table in entry.tables) if entry else 0,
        reason=reason,
    )
