"""A run's record: claimed when the run gets its id, written anew when it ends, however it ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from pharmaetl import lineage
from pharmaetl.errors import ConflictError, PharmaetlError
from pharmaetl.lake import layout, runs
from pharmaetl.lake.documents import ErrorInfo, RunRecord
from pharmaetl.local.state import Run, remove_tree
from pharmaetl.secret import redact


def claim(state: Run) -> None:
    """Take a run id that no other run has. Two runs of the same input in one second differ by a later start."""
    if state.run_id:
        runs.save(state.storage, record_of(state, "running", ""))
        return
    for _ in range(120):
        state.run_id = state.make_run_id()
        if runs.claim(state.storage, record_of(state, "running", "")):
            return
        state.started += timedelta(seconds=1)
    raise ConflictError(f"run id {state.run_id} and the 120 after it are taken", hint="is the machine's clock right?")


def record_of(state: Run, outcome: str, reason: str, error: PharmaetlError | None = None) -> RunRecord:
    """The record as things stand now."""
    ended = outcome != "running"
    return RunRecord.model_validate(
        {
            "dataset": state.dataset.name,
            "run_id": state.run_id,
            "outcome": outcome,
            "reason": redact(reason),
            "version": layout.version_of(state.run_id) if outcome == "published" else None,
            "source": state.source_document(),
            "tables": state.results,
            "quality": state.quality,
            "steps": state.steps,
            "seconds": round(time.monotonic() - state.begun, 3),
            "started_at": _stamp(state.started),
            "ended_at": _stamp(max(now(), state.started)) if ended else None,
            "engine": state.engine_name,
            "config_sha256": state.dataset.config_sha256,
            "code_sha256": state.dataset.code_sha256,
            "process": runs.process_name(),
            "profiles": state.profiles,
            "drift": state.drift,
            "drift_against": state.current.run_id if state.current and state.profiles else None,
            "error": _error_info(error) if error else None,
        }
    )


def _error_info(error: PharmaetlError) -> ErrorInfo:
    return ErrorInfo(code=error.code, reason=redact(error.reason), hint=redact(error.hint), exit_code=error.exit_code)


def finish(state: Run, outcome: str, reason: str) -> RunRecord:
    """Record the end of a run that did not fail, with its lineage."""
    record = record_of(state, outcome, reason)
    runs.save(state.storage, record)
    lineage.write(state.storage, record)
    return record


def failed(state: Run, error: PharmaetlError) -> PharmaetlError:
    """Record a failure, whatever it takes: where the lake itself is what fails, the error alone has to do."""
    if not state.run_id:
        state.run_id = state.make_run_id()
    record = record_of(state, "failed", error.reason, error)
    remove_tree(state.work)  # on a full disk, that makes room for the record
    try:
        runs.save(state.storage, record)
        lineage.write(state.storage, record)
    except PharmaetlError:
        state.watch.note("the run's record could not be written either")
    else:
        error.run_id = state.run_id
    return error


def hint_to_resume(state: Run) -> str:
    """The command that goes on where this run stopped."""
    return (
        f"pharmaetl runs resume {state.run_id} goes on from the stored source"
        if state.raw_stored
        else f"pharmaetl run {state.dataset.name}"
    )


def now() -> datetime:
    """This second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
