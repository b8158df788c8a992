"""The states of an execution while it runs: a tree that is drawn anew on a terminal, a line for each end elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from pharmaetl.cli import quantities, render
from pharmaetl.cli.screen import Toned, Tree, toned

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from pharmaetl.aws.executions import StateVisit
    from pharmaetl.cli.output import Output

Looker = Callable[["Sequence[StateVisit]"], None]


def tree(name: str, visits: Sequence[StateVisit]) -> Tree:
    """The execution with its states below it, in the order in which they were visited."""
    return Tree(Toned(name), tuple(Tree(_label(visit)) for visit in visits))


def _label(visit: StateVisit) -> Toned:
    tone = toned(visit.outcome) or Toned("")
    return Toned(line_of(visit), tone.tone)


def line_of(visit: StateVisit) -> str:
    """A state on one line."""
    took = f" in {quantities.duration(visit.seconds)}" if visit.outcome != "running" else ""
    since = f" for {quantities.duration(visit.seconds)}" if visit.outcome == "running" else ""
    return f"{visit.name}: {visit.outcome}{took}{since}" + (f", {visit.detail}" if visit.detail else "")


@contextlib.contextmanager
def looking_on(output: Output, name: str) -> Iterator[Looker]:
    """Something to show the states to, in the way that suits where stderr goes."""
    console = output.live_console()
    if console is not None:
        with _live(console) as live:
            yield lambda visits: live.update(render.rich_tree(tree(name, visits)), refresh=True)
    else:
        yield _Lines(output).saw


def _live(console: Console) -> Live:
    from rich.live import Live

    return Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)


class _Lines:
    """Says once how each state ended."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._said = 0

    def saw(self, visits: Sequence[StateVisit]) -> None:
        """The states as they stand now."""
        for visit in visits[self._said :]:
            if visit.outcome == "running":
                break
            self._output.step(line_of(visit))
            self._said += 1
