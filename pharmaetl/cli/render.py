"""Screens as text: plain and whole for pipes and files, fitted to the width of a terminal by rich."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from pharmaetl.cli.screen import Column, Facts, Lines, Part, Table, Toned, Tree, Value

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree as RichTree

GAP = 2
"""Spaces between two columns."""

STYLES = {"plain": "", "good": "green", "warn": "yellow", "bad": "bold red", "dim": "dim"}

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """A text on one line that can't move the cursor: control and direction characters become escapes."""
    return _UNPRINTABLE.sub(lambda found: ascii(found.group())[1:-1], text)


def plain(parts: tuple[Part, ...]) -> str:
    """Parts as lines of text without colour, nothing cut or wrapped, with an empty line between two parts."""
    return "\n".join("".join(f"{line}\n" for line in _plain_lines(part)) for part in parts)


def _plain_lines(part: Part) -> list[str]:
    match part:
        case Lines(lines):
            return list(lines)
        case Facts(pairs):
            return _aligned([(name, _text(value, grouped=False)) for name, value in pairs], ())
        case Tree():
            return list(_indented(part, 0))
        case Table(columns, rows, empty):
            if not rows:
                return [empty]
            titles = tuple(column.title.upper() for column in columns)
            cells = [tuple(_text(value, grouped=False) for value in row) for row in rows]
            return _aligned([titles, *cells], columns)


def _aligned(rows: list[tuple[str, ...]], columns: tuple[Column, ...]) -> list[str]:
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    right = [column.right for column in columns] or [False] * len(widths)
    return [
        (" " * GAP)
        .join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        .rstrip()
        for row in rows
    ]


def _indented(tree: Tree, depth: int) -> Iterator[str]:
    yield " " * (GAP * depth) + _text(tree.label, grouped=False)
    for child in tree.children:
        yield from _indented(child, depth + 1)


def _text(value: Value, *, grouped: bool) -> str:
    match value:
        case None | "":
            return "-"
        case Toned(inner):
            return _text(inner, grouped=grouped)
        case int():
            return f"{value:,}" if grouped else str(value)
        case _:
            return printable(value)


def fitted(parts: tuple[Part, ...], stream: TextIO, *, width: int, colour: bool) -> str:
    """Parts as a terminal of so many columns shows them; no text in them is ever read as markup."""
    from rich.console import Console

    console = Console(
        file=stream,
        force_terminal=True,
        width=width,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    texts = []
    for part in parts:
        if isinstance(part, Lines):
            texts.append("".join(f"{printable(line)}\n" for line in part.lines))
            continue
        with console.capture() as capture:
            console.print(_renderable(part, width))
        texts.append("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
    return "\n".join(texts)


def _renderable(part: Table | Facts | Tree, width: int) -> RenderableType:
    match part:
        case Table() if not part.rows:
            return _styled(part.empty)
        case Table():
            return _rich_table(_narrowed(part, width))
        case Facts():
            return _rich_facts(part)
        case Tree():
            return rich_tree(part)


def _styled(value: Value, style: str = "") -> Text:
    from rich.text import Text

    tone = STYLES[value.tone] if isinstance(value, Toned) else style
    return Text(_text(value, grouped=True), style=tone, overflow="fold")


def _rich_facts(facts: Facts) -> RenderableType:
    from rich.table import Table as Grid

    grid = Grid.grid(padding=(0, GAP, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.pairs:
        grid.add_row(_styled(name, "dim"), _styled(value))
    return grid


def rich_tree(tree: Tree) -> RichTree:
    """A tree as rich draws it."""
    from rich.tree import Tree as RichTree

    branch = RichTree(_styled(tree.label), guide_style="dim")
    for child in tree.children:
        branch.children.append(rich_tree(child))
    return branch


def _rich_table(table: Table) -> RenderableType:
    from rich.table import Table as Grid

    grid = Grid(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold", collapse_padding=True)
    for column in table.columns:
        grid.add_column(
            _styled(column.title.upper(), "bold"),
            justify="right" if column.right else "left",
            no_wrap=not column.wrap,
            overflow="fold",
        )
    for row in table.rows:
        grid.add_row(*[_styled(value) for value in row])
    return grid


def _narrowed(table: Table, width: int) -> Table:
    """The table without the columns that a narrow terminal has no room for."""
    while _needed(table) > width and any(column.drop for column in table.columns):
        gone = max(range(len(table.columns)), key=lambda index: table.columns[index].drop)
        table = Table(
            tuple(column for index, column in enumerate(table.columns) if index != gone),
            tuple(tuple(value for index, value in enumerate(row) if index != gone) for row in table.rows),
        )
    return table


WRAPPED_MINIMUM = 20
"""A column that may be folded is worth showing from this width on."""


def _needed(table: Table) -> int:
    """The columns of a terminal that a table needs."""
    widths = []
    for index, column in enumerate(table.columns):
        texts = [column.title, *(_text(row[index], grouped=True) for row in table.rows)]
        longest = max(map(len, texts))
        widths.append(min(longest, WRAPPED_MINIMUM) if column.wrap else longest)
    return sum(widths) + GAP * (len(widths) - 1)
