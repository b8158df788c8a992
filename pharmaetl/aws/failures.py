"""A failed execution, told in this lake's words: its run's record, and what dead letter and alert say."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pharmaetl import errors, lineage, runid
from pharmaetl.aws import handover
from pharmaetl.aws.events import Failure, FailureRequest, StateError
from pharmaetl.catalog import Dataset
from pharmaetl.engine import Shared
from pharmaetl.errors import ConflictError, EngineError, NotStoredError, PharmaetlError, UnavailableError, UsageError
from pharmaetl.lake import runs
from pharmaetl.lake.documents import ErrorInfo, RunRecord, Source, StepResult
from pharmaetl.lake.storage import Storage
from pharmaetl.local import recording
from pharmaetl.local.workspace import workspace
from pharmaetl.pipeline import local_steps_for
from pharmaetl.secret import redact
from pharmaetl.watch import Silent

HINT = "\nhint: "
"""Between reason and hint in what a Lambda function raises."""
_STEPS = {
    "FetchAndHash": "fetch", "Bronze": "bronze", "Silver": "silver", "Gold": "gold", "UpdateManifest": "publish",
}  # fmt: skip
_RAISED = re.compile(r"\b([A-Z]\w*Error): *(.*)", re.DOTALL)
_LONGEST = 2000


def record_failure(storage: Storage, dataset: Dataset, request: FailureRequest) -> Failure:
    """Make sure that the failed run has its record, and say what is to be done. A second try says the same."""
    error = explained(request.error, request.state)
    started = handover.moment(request.started_at)
    record = _record_so_far(storage, dataset, request, started)
    if record is None:
        record = _first_record(storage, dataset, request, started, error)
    elif record.outcome == "running":
        record = _ended(storage, dataset, request, record, error)
    told = record.error if record.error and record.outcome == "failed" else _info(error)
    hint = told.hint
    if record.outcome in {"published", "skipped"}:
        hint = f"the run itself has ended: {record.outcome}; `pharmaetl runs show {record.run_id}`"
    return Failure(
        dataset=dataset.name,
        run_id=record.run_id,
        state=request.state,
        code=told.code,
        reason=redact(told.reason),
        hint=redact(hint),
        redrive=redrive(dataset, request),
    )


def explained(error: StateError, state: str) -> PharmaetlError:
    """What Step Functions caught as one of our errors, with the class that its name, or the job's message, tells."""
    cause = _object(error.Cause)
    if "errorMessage" in cause:
        reason, _, hint = str(cause["errorMessage"]).partition(HINT)
        kind = _class_of(error.Error) or _class_of(str(cause.get("errorType", "")))
        if kind is None and error.Error.startswith(("Lambda.", "Sandbox.", "Runtime.")):
            kind = UnavailableError
        return _made(kind or PharmaetlError, reason or error.Error, hint)
    if "JobRunState" in cause:
        return _of_job(cause)
    if error.Error == "States.Timeout":
        return UnavailableError(f"{state} was not done in time", hint="its log says how far it came; run it again")
    said = " ".join(part for part in (error.Error, (error.Cause or "").strip()) if part) or "no error was given"
    kind = UnavailableError if error.Error.startswith(("Lambda.", "Glue.", "Sandbox.")) else PharmaetlError
    return _made(_class_of(error.Error) or kind, said, "")


def redrive(dataset: Dataset, request: FailureRequest) -> str:
    """The command that does the same again, as a new execution."""
    machine, colon, _ = request.execution.replace(":execution:", ":stateMachine:").rpartition(":")
    if not colon or ":stateMachine:" not in machine:
        return f"pharmaetl run {dataset.name} --target aws"
    given = redact(json.dumps(request.input or {}, sort_keys=True))
    return f"aws stepfunctions start-execution --state-machine-arn {machine} --input {shlex.quote(given)}"


def _of_job(job: dict[str, Any]) -> PharmaetlError:
    """A Glue job run that failed: its last line names the class of what it raised (AWS Glue API, JobRun)."""
    run_id, state = job.get("Id") or job.get("JobRunId") or "?", job["JobRunState"]
    message = str(job.get("ErrorMessage") or "")
    hint = f"job run {run_id} of {job.get('JobName') or '?'} says more in its CloudWatch logs, below /aws-glue/"
    found = _RAISED.search(message)
    kind = _class_of(found[1]) if found else None
    if found and kind:
        return _made(kind, found[2], hint)
    return EngineError(f"job run {run_id} ended as {state}: {message[:_LONGEST] or 'it left no message'}", hint=hint)


def _record_so_far(storage: Storage, dataset: Dataset, request: FailureRequest, started: datetime) -> RunRecord | None:
    if request.fetch is not None:
        with contextlib.suppress(NotStoredError):
            return runs.read(storage, dataset.name, handover.checked(request.fetch.run_id))
    return next(reversed(handover.of_execution(storage, dataset.name, request.execution, started)), None)


def _first_record(
    storage: Storage, dataset: Dataset, request: FailureRequest, started: datetime, error: PharmaetlError
) -> RunRecord:
    """The record of an execution that failed before its run had an id."""
    for second in range(120):
        start = started + timedelta(seconds=second)
        record = RunRecord(
            dataset=dataset.name,
            run_id=runid.make(
                start,
                dataset=dataset.name,
                source_sha256="",
                config_sha256=dataset.config_sha256,
                code_sha256=dataset.code_sha256,
            ),
            outcome="running",
            source=Source(url=redact(_url(request, dataset))),
            started_at=_stamp(start),
            config_sha256=dataset.config_sha256,
            code_sha256=dataset.code_sha256,
            process=request.execution,
        )
        if runs.claim(storage, record):
            return _failed(storage, record, request, error)
    raise ConflictError(f"run id {record.run_id} and the 120 before it are taken")


def _url(request: FailureRequest, dataset: Dataset) -> str:
    given = request.input.get("source_url") if isinstance(request.input, dict) else None
    return given if isinstance(given, str) else dataset.config.source_url


def _ended(
    storage: Storage, dataset: Dataset, request: FailureRequest, record: RunRecord, error: PharmaetlError
) -> RunRecord:
    """The record of a run that could not write its own end, with all that was handed over by then."""
    try:
        handed = handover.read(storage, dataset, record.run_id)
    except (UsageError, ConflictError):  # it did not come so far, or another deployment did
        return _failed(storage, record, request, error)
    with workspace(storage, dataset.name) as work, contextlib.closing(Shared()) as engines:
        run = handover.restored(handed, storage, dataset, watch=Silent(), work=work, engines=engines)
        run.steps += _steps_until(run.steps, dataset, request.state)
        recording.failed(run, error)
    return runs.read(storage, dataset.name, record.run_id)


def _failed(storage: Storage, record: RunRecord, request: FailureRequest, error: PharmaetlError) -> RunRecord:
    ended = {
        "outcome": "failed",
        "reason": redact(error.reason),
        "ended_at": _stamp(recording.now()),
        "steps": (*record.steps, StepResult(name=_STEPS.get(request.state, request.state), outcome="failed")),
        "error": _info(error),
    }
    closed = record.model_copy(update=ended)
    lineage.write(storage, closed)
    runs.save(storage, closed)
    return closed


def _steps_until(known: list[StepResult], dataset: Dataset, state: str) -> list[StepResult]:
    """The steps after the known ones up to the failed one; the gate is passed over: nothing is known of it."""
    names = [step.name for step in local_steps_for(dataset.config)]
    last = _STEPS.get(state, state)
    done = [name for name in names[len(known) : names.index(last)] if name != "gate"] if last in names else []
    return [*(StepResult(name=name, outcome="done") for name in done), StepResult(name=last, outcome="failed")]


def _info(error: PharmaetlError) -> ErrorInfo:
    return ErrorInfo(code=error.code, reason=redact(error.reason), hint=redact(error.hint), exit_code=error.exit_code)


def _made(kind: type[PharmaetlError], reason: str, hint: str) -> PharmaetlError:
    return kind(" ".join(reason.split())[:_LONGEST], hint=" ".join(hint.split())[:_LONGEST])


def _class_of(name: str) -> type[PharmaetlError] | None:
    """Our error class of a name; of one that another module adds, the nearest that `pharmaetl.errors` has."""
    found = next((kind for kind in _classes(PharmaetlError) if kind.__name__ == name), None)
    return next((kind for kind in found.__mro__ if kind.__module__ == errors.__name__), None) if found else None


def _classes(root: type[PharmaetlError]) -> Iterator[type[PharmaetlError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _classes(kind)


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
