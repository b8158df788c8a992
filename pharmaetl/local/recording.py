"""A run's record: claimed when the run gets its id, written anew when it ends, however it ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from pharmaetl import lineage
from pharmaetl.errors import ConflictError, DeniedError, NotStoredError, PharmaetlError, UnavailableError
from pharmaetl.lake import layout, manifest, notice, runs
from pharmaetl.lake.documents import ErrorInfo, RunRecord
from pharmaetl.lake.storage import Storage
from pharmaetl.local import gold as local_gold
from pharmaetl.local.state import Run, remove_tree
from pharmaetl.secret import redact

_LOOK_BACK = 20
"""How many of the newest runs are looked at for some that died."""


def claim(state: Run) -> None:
    """Take a run id that no other run has. Two runs of the same input in one second differ by a later start.

    From here on nobody removes what the run may need: who wants to, sees its record, or is waited for.
    """
    if state.run_id:
        runs.save(state.storage, record_of(state, "running", ""))
    else:
        _claim_new_id(state)
    # after the record, so that of a pruning and a run at least one sees the other
    waited = notice.wait_until_clear(
        state.storage,
        state.dataset.name,
        state.run_id,
        state.source_sha256,
        note=state.watch.note,
        seconds=notice.LEASE_SECONDS,
    )
    if waited:
        runs.save(state.storage, record_of(state, "running", ""))
    close_dead(state)


def _claim_new_id(state: Run) -> None:
    for _ in range(120):
        state.run_id = state.make_run_id()
        if runs.claim(state.storage, record_of(state, "running", "")):
            state.claimed_after = state.current.sequence if state.current else 0
            return
        if _taken_over(state):
            return
        state.started += timedelta(seconds=1)
    raise ConflictError(f"run id {state.run_id} and the 120 after it are taken", hint="is the machine's clock right?")


def _taken_over(state: Run) -> bool:
    """Is the run id that of an earlier try of the same execution? Then this one goes on under it."""
    try:
        owner = runs.read(state.storage, state.dataset.name, state.run_id).process
    except NotStoredError:  # `prune` has removed the record since
        return False
    if owner != state.execution:
        return False
    runs.save(state.storage, record_of(state, "running", ""))
    return True


def close_dead(state: Run) -> None:
    """End the records and the lineage of this dataset's runs that died without a word, as far as storage lets."""
    try:
        for run_id in _unfinished(state):
            _close(state.storage, state.dataset.name, run_id)
    except PharmaetlError as error:
        state.watch.note(f"what a dead run left unfinished stays so for now: {error.reason}")


def _unfinished(state: Run) -> list[str]:
    """Of the newest runs, those that need an end: dead ones, and ended ones that have no lineage yet."""
    dataset = state.dataset.name
    with_lineage = {stored.path for stored in state.storage.list(layout.lineage_dir(dataset))}
    found = []
    for record in runs.readable(state.storage, dataset, _LOOK_BACK):
        lacks_lineage = layout.lineage_events(dataset, record.run_id) not in with_lineage
        if runs.is_dead(record) or (record.ended_at is not None and lacks_lineage):
            found.append(record.run_id)
    return [run_id for run_id in found if run_id != state.run_id]


def _close(storage: Storage, dataset: str, run_id: str) -> None:
    """Write the end of one run, unless somebody resumes it at this moment.

    The lineage comes first: a run whose record still says running is looked at again.
    """
    with notice.announced(storage, dataset, "close", runs=[run_id]):
        record = runs.read(storage, dataset, run_id)
        if runs.is_dead(record):
            ended = runs.as_ended(storage, record).model_copy(update={"ended_at": _stamp(now())})
            lineage.write(storage, ended)
            runs.save(storage, ended)
        elif record.ended_at is not None and not storage.exists(layout.lineage_events(dataset, run_id)):
            lineage.write(storage, record)


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
            "gold": local_gold.results(state),
            "quality": state.quality,
            "steps": state.steps,
            "seconds": round(time.monotonic() - state.begun, 3),
            "started_at": _stamp(state.started),
            "ended_at": _stamp(max(now(), state.started)) if ended else None,
            "engine": state.engine_name,
            "config_sha256": state.dataset.config_sha256,
            "code_sha256": state.dataset.code_sha256,
            "process": state.process,
            "profiles": state.profiles,
            "drift": state.drift,
            "drift_against": state.current.run_id if state.current and state.profiles else None,
            "error": _error_info(error) if error else None,
        }
    )


def _error_info(error: PharmaetlError) -> ErrorInfo:
    return ErrorInfo(code=error.code, reason=redact(error.reason), hint=redact(error.hint), exit_code=error.exit_code)


def finish(state: Run, outcome: str, reason: str) -> RunRecord:
    """Record the end of a run that did not fail, with its lineage.

    The log alone decides what is published: a record of that which can't be written is left to the next run.
    """
    record = record_of(state, outcome, reason)
    try:
        runs.save(state.storage, record)
        lineage.write(state.storage, record)
    except PharmaetlError as error:
        if outcome != "published":
            raise
        state.watch.note(f"published, but the run's record is not complete; the next run sees to it: {error.reason}")
    return record


def failed(state: Run, error: PharmaetlError) -> PharmaetlError:
    """Record a failure, whatever it takes: where the lake itself is what fails, the error alone has to do."""
    claimed = bool(state.run_id)
    if state.execution and not claimed and isinstance(error, UnavailableError) and not isinstance(error, DeniedError):
        # the state machine tries again, then under the id of a source; of its last try it has a record made
        return error
    remove_tree(state.work)  # on a full disk, that makes room for the record
    try:
        if not claimed:
            _claim_new_id(state)
        record = _end_of(state, error)
        runs.save(state.storage, record)
        lineage.write(state.storage, record)
    except PharmaetlError:
        state.watch.note("the run's record could not be written either")
    else:
        error.run_id = state.run_id
        if not claimed:
            close_dead(state)
    return error


def _end_of(state: Run, error: PharmaetlError) -> RunRecord:
    """What is recorded of a run that was stopped: failed; or published, where it was stopped after its commit."""
    if state.entry is None and state.quality is not None:
        state.entry = manifest.find(state.storage, state.dataset.name, state.run_id)
    if state.entry is None:
        return record_of(state, "failed", error.reason, error)
    error.hint = f"it is published all the same, as entry {state.entry.sequence}; nothing else is to be done"
    return record_of(state, "published", f"published as entry {state.entry.sequence}, then {error.reason}")


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
