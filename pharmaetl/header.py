"""The header contract: which column of a file is which column of the config, whatever their order."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pharmaetl.config import Column, Table
from pharmaetl.errors import SourceFormatError


@dataclass(frozen=True)
class HeaderMatch:
    """A header that satisfies the contract."""

    names: tuple[str, ...]
    """Bronze column names, in file order."""
    extras: tuple[str, ...] = ()
    """Headers that the config doesn't know."""
    absent: tuple[str, ...] = ()
    """Optional columns that this release lacks."""
    aliased: tuple[str, ...] = ()
    """Headers that matched by an alias."""
    reordered: bool = False


def match(header: Sequence[str] | None, table: Table, member: str) -> HeaderMatch:
    """Assign the file's columns to the config's; SourceFormatError naming what is missing, repeated or empty.

    Without a header row the file's columns are the config's, in order.
    """
    if header is None:
        return HeaderMatch(tuple(column.name for column in table.source_columns))
    _refuse_unusable(header, member)
    by_header = {_folded(text): column for column in table.source_columns for text in column.headers}
    found = [by_header.get(_folded(text)) for text in header]
    _refuse_claimed_twice(found, header, member)
    _refuse_missing(found, header, table, member)
    names, extras = _names(found, header, table)
    known = [column.name for column in found if column is not None]
    usual = [column.name for column in table.source_columns if column.name in known]
    return HeaderMatch(
        names,
        extras,
        tuple(column.name for column in table.source_columns if column.name not in known),
        tuple(
            text
            for text, column in zip(header, found, strict=True)
            if column and _folded(text) != _folded(column.headers[0])
        ),
        reordered=known != usual,
    )


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _refuse_unusable(header: Sequence[str], member: str) -> None:
    folded = [_folded(text) for text in header]
    if "" in folded:
        raise SourceFormatError(
            f"{member}:1: header cell {folded.index('') + 1} of {len(header)} is empty",
            hint="the file may be cut or not the one expected",
        )
    repeated = next((text for text in folded if folded.count(text) > 1), None)
    if repeated is not None:
        columns = [str(i + 1) for i, text in enumerate(folded) if text == repeated]
        raise SourceFormatError(
            f"{member}:1: header {header[folded.index(repeated)]!r} is there twice, in columns {', '.join(columns)}"
        )


def _refuse_claimed_twice(found: Sequence[Column | None], header: Sequence[str], member: str) -> None:
    names = [column.name if column else None for column in found]
    for name in names:
        if name is not None and names.count(name) > 1:
            texts = [repr(text) for text, other in zip(header, names, strict=True) if other == name]
            raise SourceFormatError(f"{member}:1: headers {' and '.join(texts)} both mean column {name}")


def _refuse_missing(found: Sequence[Column | None], header: Sequence[str], table: Table, member: str) -> None:
    there = {column.name for column in found if column is not None}
    missing = [column for column in table.source_columns if column.name not in there and not column.optional]
    if not missing:
        return
    unknown = [text for text, column in zip(header, found, strict=True) if column is None]
    lacks = "; ".join(_described(column, unknown) for column in missing)
    shown = ", ".join(repr(text[:40]) for text in header[:20])
    if not there:
        hint = (
            "the first line looks like data, or the delimiter is another: check `delimiter` and `header` in the config"
        )
    else:
        hint = "where the source renamed a column, add its new header to that column's `aliases` in the config"
    raise SourceFormatError(f"{member}:1: the header lacks {lacks}; it has {shown}", hint=hint)


def _described(column: Column, unknown: Sequence[str]) -> str:
    near = difflib.get_close_matches(column.headers[0], unknown, n=1, cutoff=0.6)
    return f"{column.headers[0]!r}" + (f" (renamed to {near[0]!r}?)" if near else "")


def _names(
    found: Sequence[Column | None], header: Sequence[str], table: Table
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    taken = {column.name for column in table.columns}
    names, extras = [], []
    for text, column in zip(header, found, strict=True):
        if column is None:
            name = _free(snake_case(text), taken)
            taken.add(name)
            extras.append(text)
            names.append(name)
        else:
            names.append(column.name)
    return tuple(names), tuple(extras)


def snake_case(text: str) -> str:
    """A header as a column name: lower case, runs of anything else as one underscore."""
    name = re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text).lower()).strip("_")
    return name if name[:1].isalpha() else f"column_{name}".rstrip("_")


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number where it is taken or meant for the lake's own columns."""
    base = f"source_{name}" if name.startswith("meta_") else name
    number, free = 2, base
    while free in taken:
        free, number = f"{base}_{number}", number + 1
    return free
