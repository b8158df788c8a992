"""What a benchmark found: rows of figures and targets, as Markdown."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.measure import Measured


@dataclass(frozen=True)
class Row:
    """One contender's runs."""

    group: str
    """What it was measured on; rows of a group are compared with each other."""
    name: str
    runs: tuple[Measured, ...]
    note: str = ""

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """The median, of the whole process tree."""
        return statistics.median(run.cpu_seconds for run in self.runs)

    @property
    def peak_gb(self) -> float:
        """The highest of all runs, of the whole process tree, in 10^9 bytes."""
        return max(run.peak_bytes for run in self.runs) / 1e9


@dataclass(frozen=True)
class Target:
    """A figure and its bound."""

    text: str
    value: float
    bound: float
    unit: str = "×"
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Is the figure on the right side of its bound?"""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass
class Section:
    """One subject's results."""

    title: str
    rows: list[Row] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    base: str = ""
    """Begins the name of the row that others of its group are compared with."""
    wrong: list[str] = field(default_factory=list)
    """Contenders whose rows are not the others'."""

    def row(self, group: str, beginning: str) -> Row | None:
        """The first row of a group whose name begins so."""
        return next((row for row in self.rows if row.group == group and row.name.startswith(beginning)), None)


def markdown(section: Section, header: str, charts: Sequence[str] = ()) -> str:
    """A section of RESULTS.md, from its heading to the last line."""
    parts = [f"## {section.title}", header, *section.notes]
    if section.rows:
        parts.append(_table(section))
    if section.targets:
        parts.append(_targets(section.targets))
    parts += [f"**Wrong: {text}**" for text in section.wrong]
    if charts:
        parts.append("\n".join(f"![{chart}](charts/{chart})" for chart in charts))
    return "\n\n".join(parts) + "\n"


def _table(section: Section) -> str:
    heads = ["", "", "seconds", "fastest–slowest", "CPU seconds", "peak memory"]
    heads += [f"against {section.base}"] if section.base else []
    lines = [_line([*heads, ""]), _line(["---"] * (len(heads) + 1))]
    return "\n".join([*lines, *(_line(_cells(row, section)) for row in section.rows)])


def _cells(row: Row, section: Section) -> list[str]:
    times = [run.seconds for run in row.runs]
    span = f"{min(times):.2f}–{max(times):.2f}"
    cells = [row.group, row.name, f"{row.seconds:.2f}", span, f"{row.cpu_seconds:.2f}", f"{row.peak_gb:.2f} GB"]
    if section.base:
        base = section.row(row.group, section.base)
        cells.append(f"{row.seconds / base.seconds:.2f}×" if base else "")
    return [*cells, row.note]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _targets(targets: Sequence[Target]) -> str:
    lines = [_line(["target", "measured", "bound", ""]), _line(["---"] * 4)]
    for target in targets:
        sign, verdict = "≥" if target.at_least else "≤", "met" if target.met else "**not met**"
        measured, bound = f"{target.value:.2f} {target.unit}", f"{sign} {target.bound:g} {target.unit}"
        lines.append(_line([target.text, measured, bound, verdict]))
    return "\n".join(lines)


def replaced(document: str, section: str) -> str:
    """The document with the section of the same title replaced, or with this one at its end."""
    parts = [part.strip() for part in re.split(r"^(?=## )", document, flags=re.MULTILINE)]
    titles = [part.partition("\n")[0] for part in parts]
    title = section.partition("\n")[0]
    if title in titles:
        parts[titles.index(title)] = section.strip()
    else:
        parts.append(section.strip())
    return "\n\n".join(parts) + "\n"
