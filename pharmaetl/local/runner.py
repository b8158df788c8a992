"""The runner on this machine: executes the steps of `steps_for` one after the other and keeps the run's record."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import assert_never

from pharmaetl import lineage, runid
from pharmaetl.catalog import Dataset
from pharmaetl.engine import Shared, choose
from pharmaetl.errors import ConflictError, InterruptedRunError, PharmaetlError
from pharmaetl.lake import layout, manifest, runs
from pharmaetl.lake.documents import ErrorInfo, RunRecord, StepResult
from pharmaetl.lake.storage import Storage
from pharmaetl.local import layers as local_layers
from pharmaetl.local import steps as local_steps
from pharmaetl.local.state import Run, Stop, as_local_error, remove_tree
from pharmaetl.local.workspace import workspace
from pharmaetl.pipeline import Fetch, Gate, Layer, Publish, SkipIfUnchanged, SparkJob, Step, Unpack, steps_for
from pharmaetl.run_options import RunOptions
from pharmaetl.secret import redact
from pharmaetl.watch import Watch


def run(
    storage: Storage, dataset: Dataset, options: RunOptions, watch: Watch, engines: Shared | None = None
) -> RunRecord:
    """Run a dataset to its end: the record of a published or skipped run. A failure is raised, with `run_id` set.

    `engines`: the engine to share with other runs; its owner stops it.
    """
    with workspace(storage, dataset.name) as work, _termination_as_interrupt(), _engines(engines) as shared:
        return _run_steps(Run(storage, dataset, options, watch, work, started=_now(), engines=shared))


@contextlib.contextmanager
def _engines(given: Shared | None) -> Iterator[Shared]:
    if given is not None:
        yield given
        return
    with contextlib.closing(Shared()) as own:
        yield own


def resume(storage: Storage, dataset: Dataset, record: RunRecord, watch: Watch) -> RunRecord:
    """Go on with a failed or dead run from its stored source, under its own id; its unpublished files are made anew."""
    with workspace(storage, dataset.name) as work, _termination_as_interrupt(), _engines(None) as shared:
        options = RunOptions(source=record.source.url, edition=record.source.edition)
        started = runid.started_at(record.run_id)
        state = Run(storage, dataset, options, watch, work, started=started, engines=shared)
        state.run_id, state.resumed_source = record.run_id, record.source
        _clear_unpublished(state)
        return _run_steps(state)


def _clear_unpublished(state: Run) -> None:
    """Remove what the run left in bronze, silver and quarantine when it died: no entry of the log lists those files."""
    if manifest.find(state.storage, state.dataset.name, state.run_id) is not None:
        raise ConflictError(f"{state.run_id} is published", hint=f"pharmaetl manifest show {state.dataset.name}")
    for layer in (layout.BRONZE, layout.SILVER, layout.QUARANTINE):
        for file in list(state.storage.list(f"{layer}/{state.dataset.name}")):
            if f"/run={state.run_id}/" in file.path:
                state.storage.delete(file.path)


def _run_steps(state: Run) -> RunRecord:
    try:
        choose(state.options.engine, state.options.master)
        state.current = manifest.current(state.storage, state.dataset.name)
        for step in steps_for(state.dataset.config):
            stop = _timed(state, step)
            if stop is None and state.options.until == step.name:
                stop = Stop(f"stopped after {step.name}, as asked")
            if stop is not None:
                return _finish(state, "skipped", stop.reason)
        return _finish(state, "published", state.why)
    except PharmaetlError as error:
        raise _failed(state, error) from error
    except KeyboardInterrupt:
        raise _failed(state, InterruptedRunError("interrupted", hint=_hint_to_resume(state))) from None
    except OSError as error:
        raise _failed(state, as_local_error(error)) from error
    except Exception as error:
        _failed(state, PharmaetlError(f"bug: {type(error).__name__}: {error}"))
        raise


def _timed(state: Run, step: Step) -> Stop | None:
    """Execute one step, and note how long it took and how it ended."""
    begun = time.monotonic()
    state.detail = ""
    state.watch.step_started(step.name, local_steps.describe(step, state))
    try:
        stop = _execute(state, step)
    except BaseException:
        _note_step(state, step.name, "failed", begun)
        raise
    skipping = isinstance(step, SkipIfUnchanged) and stop is not None
    _note_step(state, step.name, "skipped" if skipping else "done", begun)
    return stop


def _note_step(state: Run, name: str, outcome: str, begun: float) -> None:
    result = StepResult.model_validate(
        {"name": name, "outcome": outcome, "seconds": round(time.monotonic() - begun, 3), "detail": state.detail}
    )
    state.steps.append(result)
    state.watch.step_ended(result)


def _execute(state: Run, step: Step) -> Stop | None:
    match step:
        case Fetch():
            local_steps.fetch(state)
            _claim(state)
        case SkipIfUnchanged():
            return local_steps.skip_if_unchanged(state)
        case Unpack():
            return local_steps.unpack_source(state)
        case SparkJob(layer=layer):
            _LAYERS[layer](state)
        case Gate():
            return local_steps.gate(state)
        case Publish():
            return local_steps.publish(state)
        case _ as never:
            assert_never(never)
    return None


_LAYERS: dict[Layer, Callable[[Run], None]] = {"bronze": local_layers.bronze, "silver": local_layers.silver}


def _claim(state: Run) -> None:
    """Take a run id that no other run has. Two runs of the same input in one second differ by a later start."""
    if state.run_id:
        runs.save(state.storage, _record(state, "running", ""))
        return
    for _ in range(120):
        state.run_id = state.make_run_id()
        if runs.claim(state.storage, _record(state, "running", "")):
            return
        state.started += timedelta(seconds=1)
    raise ConflictError(f"run id {state.run_id} and the 120 after it are taken", hint="is the machine's clock right?")


def _record(state: Run, outcome: str, reason: str, error: PharmaetlError | None = None) -> RunRecord:
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
            "ended_at": _stamp(max(_now(), state.started)) if ended else None,
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


def _finish(state: Run, outcome: str, reason: str) -> RunRecord:
    record = _record(state, outcome, reason)
    runs.save(state.storage, record)
    lineage.write(state.storage, record)
    return record


def _failed(state: Run, error: PharmaetlError) -> PharmaetlError:
    """Record a failure, whatever it takes: where the lake itself is what fails, the error alone has to do."""
    if not state.run_id:
        state.run_id = state.make_run_id()
    record = _record(state, "failed", error.reason, error)
    remove_tree(state.work)  # on a full disk, that makes room for the record
    try:
        runs.save(state.storage, record)
        lineage.write(state.storage, record)
    except PharmaetlError:
        state.watch.note("the run's record could not be written either")
    else:
        error.run_id = state.run_id
    return error


def _hint_to_resume(state: Run) -> str:
    return (
        f"pharmaetl runs resume {state.run_id} goes on from the stored source"
        if state.raw_stored
        else f"pharmaetl run {state.dataset.name}"
    )


@contextlib.contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: with a record, and nothing half published."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
