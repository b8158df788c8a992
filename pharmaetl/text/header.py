"""The header contract: which column of a file is which column of the config, whatever their order."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pharmaetl.config.column import folded
from pharmaetl.config.dataset_config import Column, Table
from pharmaetl.errors import SourceFormatError

MAX_COLUMNS = 1000
"""More header cells than this are no header: the widest known source has 25."""
_NO_HEADER = (
    "the first line looks like data, or the delimiter is another: "
    "check `format`, `delimiter` and `header` in the config"
)
_RENAMED = "where the source renamed a column, add its new header to that column's `aliases` in the config"
_DAMAGED = "the source's header is damaged: run again later, or tell the publisher"


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
    accepted: tuple[str, ...] = ()
    """Those of `extras` that somebody has accepted."""


def match(header: Sequence[str] | None, table: Table, member: str) -> HeaderMatch:
    """Assign the file's columns to the config's; SourceFormatError naming what is missing, repeated or empty.

    Without a header row the file's columns are the config's, in order.
    """
    if header is None:
        return HeaderMatch(tuple(column.name for column in table.source_columns))
    by_header = {folded(text): column for column in table.source_columns for text in column.headers}
    found = [by_header.get(folded(text)) for text in header]
    _refuse_unknown(found, header, member)
    _refuse_unusable(header, member)
    _refuse_claimed_twice(found, header, member)
    _refuse_missing(found, header, table, member)
    names, extras = _names(found, header, table)
    known = [column.name for column in found if column is not None]
    usual = [column.name for column in table.source_columns if column.name in known]
    absent = tuple(column.name for column in table.source_columns if column.name not in known)
    return HeaderMatch(names, extras, absent, tuple(_aliased(found, header)), reordered=known != usual)


def _aliased(found: Sequence[Column | None], header: Sequence[str]) -> Iterator[str]:
    for text, column in zip(header, found, strict=True):
        if column is not None and folded(text) != folded(column.headers[0]):
            yield text


def _refuse_unknown(found: Sequence[Column | None], header: Sequence[str], member: str) -> None:
    """A first line that no column is known by is no header, whatever else is wrong with it."""
    if all(column is None for column in found):
        raise SourceFormatError(
            f"{member}:1: there is no header row: none of {_listed(header)} is a known column", hint=_NO_HEADER
        )
    if len(header) > MAX_COLUMNS:
        raise SourceFormatError(f"{member}:1: the header has {len(header)} cells", hint=_DAMAGED)


def _refuse_unusable(header: Sequence[str], member: str) -> None:
    keys = [folded(text) for text in header]
    if "" in keys:
        raise SourceFormatError(
            f"{member}:1: header cell {keys.index('') + 1} of {len(header)} is empty", hint=_DAMAGED
        )
    twice = next((key for key, times in Counter(keys).items() if times > 1), None)
    if twice is None:
        return
    places = [index for index, key in enumerate(keys) if key == twice]
    columns = ", ".join(str(index + 1) for index in places)
    spellings = list(dict.fromkeys(header[index] for index in places))
    if len(spellings) > 1:
        reason = f"headers {_listed(spellings, ' and ')} differ in case or blanks only, in columns {columns}"
    else:
        reason = f"header {_listed(spellings)} is there {len(places)} times, in columns {columns}"
    raise SourceFormatError(f"{member}:1: {reason}", hint=_DAMAGED)


def _refuse_claimed_twice(found: Sequence[Column | None], header: Sequence[str], member: str) -> None:
    names = [column.name if column else None for column in found]
    for name, times in Counter(names).items():
        if name is not None and times > 1:
            texts = [text for text, other in zip(header, names, strict=True) if other == name]
            raise SourceFormatError(
                f"{member}:1: headers {_listed(texts, ' and ')} both mean column {name}",
                hint=f"take one of them out of the `aliases` of {name} in the config",
            )


def _refuse_missing(found: Sequence[Column | None], header: Sequence[str], table: Table, member: str) -> None:
    there = {column.name for column in found if column is not None}
    missing = [column for column in table.source_columns if column.name not in there and not column.optional]
    if missing:
        unknown = [text for text, column in zip(header, found, strict=True) if column is None]
        lacks = "; ".join(_described(column, unknown) for column in missing)
        raise SourceFormatError(f"{member}:1: the header lacks {lacks}; it has {_listed(header)}", hint=_RENAMED)


def _described(column: Column, unknown: Sequence[str]) -> str:
    """The header that is missing, with the unknown one that it was perhaps renamed to."""
    candidates = {folded(text): text for text in unknown}
    near = [found for text in column.headers for found in difflib.get_close_matches(folded(text), candidates, n=1)]
    return f"{column.headers[0]!r}" + (f" (renamed to {_listed([candidates[near[0]]])}?)" if near else "")


def _listed(texts: Sequence[str], between: str = ", ") -> str:
    """Header texts as a message shows them: quoted, not too many and not too long."""
    shown = between.join(repr(text if len(text) <= 60 else f"{text[:57]}...") for text in texts[:25])
    return shown if len(texts) <= 25 else f"{shown}{between}… ({len(texts)} in all)"


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
    """A header as a column name: lower case, runs of anything else as one underscore, at most 60 characters."""
    name = re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text).lower())[:60].strip("_")
    return name if name[:1].isalpha() else f"column_{name}"[:60].rstrip("_")


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number where it is taken or meant for the lake's own columns."""
    base = f"source_{name}" if name.startswith("meta_") or name == "record_hash" else name
    number, free = 2, base
    while free in taken:
        free, number = f"{base}_{number}", number + 1
    return free
