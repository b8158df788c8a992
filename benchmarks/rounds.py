"""Interleaved rounds: each runs every contender once, so that a slow minute of the machine slows all of them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.digest import difference
from benchmarks.measure import Measured, measure
from benchmarks.section import Row, Section

Command = Sequence[str]
AfterRun = Callable[[str, Measured], Measured]


def nothing_before() -> None:
    """For commands that leave nothing to clear away."""


def as_measured(_: str, measured: Measured) -> Measured:
    """For commands whose figures are what was measured."""
    return measured


def interleaved(
    commands: Mapping[str, Command],
    repeat: int,
    before: Callable[[], None] = nothing_before,
    after: AfterRun = as_measured,
) -> dict[str, tuple[Measured, ...]]:
    """Name to its runs, one of each round; `before` clears away what the run before left, `after` may look at it."""
    runs: dict[str, list[Measured]] = {name: [] for name in commands}
    for number in range(1, repeat + 1):
        for name, command in commands.items():
            before()
            measured = after(name, measure(command))
            runs[name].append(measured)
            left = f", left {measured.killed} processes that were killed" if measured.killed else ""
            sys.stderr.write(f"  round {number}/{repeat}  {name}: {measured.seconds:.2f} s{left}\n")
    return {name: tuple(found) for name, found in runs.items()}


class SameRows:
    """Compares each contender's silver with that of the first, once; keeps the first's files aside meanwhile."""

    def __init__(self, contenders: Sequence[Contender], columns: Sequence[str], aside: Path) -> None:
        self._silver = {contender.name: contender.silver for contender in contenders}
        self._columns = columns
        self._aside = aside
        self._reference = aside / self._silver[contenders[0].name].name
        self.differences: dict[str, str] = {}
        """Contender to what is different; empty for the same rows."""

    def __call__(self, name: str, measured: Measured) -> Measured:
        """Look at what a contender wrote."""
        if not self.differences:
            shutil.rmtree(self._aside, ignore_errors=True)
            self._aside.mkdir(parents=True)
            self._silver[name].rename(self._reference)
            self.differences[name] = ""
        elif name not in self.differences:
            self.differences[name] = difference(self._reference, self._silver[name], self._columns)
        return measured


def measure_into(section: Section, group: str, contenders: Sequence[Contender], same: SameRows, repeat: int) -> None:
    """Add a row for each contender, with the word whether its rows are those of the first one."""
    sys.stderr.write(f"{section.title}: {group}\n")

    def clear() -> None:
        for folder in {one.out for one in contenders}:
            shutil.rmtree(folder, ignore_errors=True)

    runs = interleaved({one.name: one.command for one in contenders}, repeat, clear, same)
    clear()
    for name, found in runs.items():
        wrong = same.differences[name]
        note = "**other rows**" if wrong else "same rows"
        section.rows.append(Row(group, name, found, "" if name == contenders[0].name else note))
        if wrong:
            section.wrong.append(f"{group}, {name}: {wrong}")
