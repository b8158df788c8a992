"""What one sees while a run goes: moving bars on a terminal, one line per finished step elsewhere, nothing with -q."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pharmaetl.cli import quantities
from pharmaetl.watch import Silent, Watch

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task, TaskID
    from rich.text import Text

    from pharmaetl.cli.output import Output
    from pharmaetl.lake.documents import StepResult

COUNTED_IN_BYTES = frozenset({"fetch", "unpack"})
"""Steps whose progress is bytes; that of all others is rows."""


@contextlib.contextmanager
def watching(output: Output) -> Iterator[Watch]:
    """A watch for the time of one run, in the way that suits where stderr goes."""
    console = output.live_console()
    if console is not None:
        with BarWatch(console, output) as bars:
            yield bars
    elif output.talks:
        yield LineWatch(output)
    else:
        yield Silent()


def line_of(step: StepResult) -> str:
    """A finished step on one line."""
    took = f" in {quantities.duration(step.seconds)}" if step.outcome in ("done", "failed") else ""
    return f"{step.name}: {step.outcome}{took}" + (f", {step.detail}" if step.detail else "")


class LineWatch:
    """One plain line per finished step, and with -v one per started step."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def step_started(self, name: str, detail: str) -> None:
        """Said only with -v."""
        if self._output.verbose:
            self._output.step(f"{name}: started" + (f", {detail}" if detail else ""))

    def progress(self, done: int, total: int | None) -> None:
        """Too much for a log."""

    def step_ended(self, step: StepResult) -> None:
        """Its line."""
        self._output.step(line_of(step))

    def note(self, message: str) -> None:
        """Passed on."""
        self._output.note(message)


class BarWatch:
    """A moving line for the running step on a terminal, with bytes and rate; finished steps stay above it."""

    def __init__(self, console: Console, output: Output) -> None:
        self._output = output
        self._bars = _bars(console)
        self._task: TaskID | None = None
        self._unit = ""

    def __enter__(self) -> BarWatch:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def step_started(self, name: str, detail: str) -> None:
        """A line with a spinner; the bar comes with the first progress."""
        self._forget()
        self._unit = "bytes" if name in COUNTED_IN_BYTES else "rows"
        self._task = self._bars.add_task(name, total=None, detail=detail, unit="")

    def progress(self, done: int, total: int | None) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, unit=self._unit)

    def step_ended(self, step: StepResult) -> None:
        """Its line, above the moving one."""
        self._forget()
        self._output.step(line_of(step))

    def note(self, message: str) -> None:
        """Passed on, above the moving line."""
        self._output.note(message)

    def _forget(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


def _bars(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        _amount_column(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
    )


def _amount_column() -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Amount(ProgressColumn):
        """How much of how much is done, and how fast; what the step works on until then."""

        def render(self, task: Task) -> Text:
            return Text(amount(task), no_wrap=True, overflow="ellipsis")

    return Amount()


def amount(task: Task) -> str:
    """The words beside the bar of a task."""
    unit = task.fields["unit"]
    if not unit:
        return str(task.fields["detail"])

    def shown(count: float) -> str:
        return (quantities.size(round(count)) or "") if unit == "bytes" else f"{round(count):,} {unit}"

    of = f" of {shown(task.total)}" if task.total else ""
    rate = f", {shown(task.speed)}/s" if task.speed else ""
    return f"{shown(task.completed)}{of}{rate}"
