"""The runner on this machine: executes its steps one after the other and keeps the run's record."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from pharmaetl import runid
from pharmaetl.catalog import Dataset
from pharmaetl.engine import Shared, choose
from pharmaetl.errors import ConflictError, InterruptedRunError, PharmaetlError
from pharmaetl.lake import layout, manifest
from pharmaetl.lake.documents import RunRecord, StepResult
from pharmaetl.lake.storage import Storage
from pharmaetl.local import gold as local_gold
from pharmaetl.local import layers as local_layers
from pharmaetl.local import quality as local_quality
from pharmaetl.local import recording
from pharmaetl.local import steps as local_steps
from pharmaetl.local.state import Run, Stop, as_local_error
from pharmaetl.local.workspace import workspace
from pharmaetl.pipeline import (
    Fetch,
    Gate,
    Layer,
    LocalStep,
    Publish,
    SkipIfUnchanged,
    SparkJob,
    Unpack,
    local_steps_for,
)
from pharmaetl.run_options import RunOptions
from pharmaetl.watch import Watch


def run(
    storage: Storage, dataset: Dataset, options: RunOptions, watch: Watch, engines: Shared | None = None
) -> RunRecord:
    """Run a dataset to its end: the record of a published or skipped run. A failure is raised, with `run_id` set.

    `engines`: the engine to share with other runs; its owner stops it.
    """
    with workspace(storage, dataset.name) as work, _termination_as_interrupt(), _engines(engines) as shared:
        return _run_steps(Run(storage, dataset, options, watch, work, started=recording.now(), engines=shared))


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
    """Remove what the run left in each layer when it died: no entry of the log lists those files."""
    if manifest.find(state.storage, state.dataset.name, state.run_id) is not None:
        raise ConflictError(f"{state.run_id} is published", hint=f"pharmaetl manifest show {state.dataset.name}")
    folders = [f"{layer}/{state.dataset.name}" for layer in (layout.BRONZE, layout.SILVER, layout.QUARANTINE)]
    folders += [f"{layout.GOLD}/{table.name}" for table in state.dataset.config.gold]
    for folder in folders:
        for file in list(state.storage.list(folder)):
            if f"/run={state.run_id}/" in file.path:
                state.storage.delete(file.path)


def _run_steps(state: Run) -> RunRecord:
    with recorded(state), contextlib.ExitStack() as ends:
        ends.callback(state.stop_ahead)
        choose(state.options.engine, state.options.master, state.dataset)
        state.current = manifest.current(state.storage, state.dataset.name)
        steps = local_steps_for(state.dataset.config)
        for step in steps:
            stop = timed(state, step)
            if stop is None and step.name == _last(steps, state.options.until):
                stop = Stop(f"stopped after {step.name}, as asked")
            if stop is not None:
                return recording.finish(state, "skipped", stop.reason)
        return recording.finish(state, "published", state.why)


def _last(steps: Sequence[LocalStep], until: str | None) -> str | None:
    """The step after which a run ends that shall not publish."""
    return "silver" if until == "gold" and all(step.name != "gold" for step in steps) else until


@contextlib.contextmanager
def recorded(state: Run) -> Iterator[None]:
    """Write whatever fails inside into the run's record, and raise it as an error with `run_id` set."""
    try:
        yield
    except PharmaetlError as error:
        raise recording.failed(state, error) from error
    except KeyboardInterrupt:
        interrupted = InterruptedRunError("interrupted", hint=recording.hint_to_resume(state))
        raise recording.failed(state, interrupted) from None
    except OSError as error:
        raise recording.failed(state, as_local_error(error)) from error
    except Exception as error:
        recording.failed(state, PharmaetlError(f"bug: {type(error).__name__}: {error}"))
        raise


def timed(state: Run, step: LocalStep, by: Callable[[Run, LocalStep], Stop | None] | None = None) -> Stop | None:
    """Execute one step, on this machine or by something else, and note how long it took and how it ended."""
    begun = time.monotonic()
    state.detail, state.seconds_elsewhere = "", 0.0
    state.watch.step_started(step.name, local_steps.describe(step, state))
    try:
        stop = (by or execute)(state, step)
    except BaseException:
        _note_step(state, step.name, "failed", begun)
        raise
    skipping = isinstance(step, SkipIfUnchanged) and stop is not None
    _note_step(state, step.name, "skipped" if skipping else "done", begun)
    return stop


def _note_step(state: Run, name: str, outcome: str, begun: float) -> None:
    seconds = round(time.monotonic() - begun + state.seconds_elsewhere, 3)
    result = StepResult.model_validate({"name": name, "outcome": outcome, "seconds": seconds, "detail": state.detail})
    state.steps.append(result)
    state.watch.step_ended(result)


def execute(state: Run, step: LocalStep) -> Stop | None:
    """Do what a step says, on this machine."""
    match step:
        case Fetch():
            local_steps.fetch(state)
            state.dataset.config.refuse_other_bytes(state.source_sha256, state.options.edition)
            recording.claim(state)
        case SkipIfUnchanged():
            return local_steps.skip_if_unchanged(state)
        case Unpack():
            return local_steps.unpack_source(state)
        case SparkJob(layer=layer):
            _LAYERS[layer](state)
        case Gate():
            return local_quality.gate(state)
        case Publish():
            return local_steps.publish(state)
        case _ as never:
            assert_never(never)
    return None


_LAYERS: dict[Layer, Callable[[Run], None]] = {
    "bronze": local_layers.bronze,
    "silver": local_layers.silver,
    "gold": local_gold.gold,
}


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
