"""One record of a delimited text, read strictly: its values, or the rule that it breaks.

The canonical form that the engines read: one record a line, values separated by U+001F, no quoting. Inside a value CR
is written as U+001D and LF as U+001E, which is unambiguous: a source record that holds such characters is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from pharmaetl.text.lines import Lines

UNIT_SEPARATOR = "\x1f"
CR_MARK, LF_MARK = "\x1d", "\x1e"
MAX_RECORD_LINES = 50
"""A quote that is still open after so many lines was never meant to be closed."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f]")
_UNDECODED = re.compile("[\udc80-\udcff]")
"""What `surrogateescape` makes of bytes that are no UTF-8."""
_CONTROL_IN_QUOTES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Rule(Enum):
    """Why a record is refused."""

    FIELD_COUNT = "field_count"
    MISSING_TRAILING_DELIMITER = "missing_trailing_delimiter"
    UNCLOSED_QUOTE = "unclosed_quote"
    BAD_QUOTE = "bad_quote"
    CONTROL_CHARACTER = "control_character"
    RECORD_TOO_LONG = "record_too_long"
    NOT_UTF8 = "not_utf8"


@dataclass(frozen=True)
class Shape:
    """What every record of a text looks like.

    `fields` doesn't count the empty one after a `trailing` delimiter; quote "" means that a quote mark is data;
    `cr_only` says that the text's line ends were CR before `Lines` made LF of them.
    """

    delimiter: str
    quote: str
    fields: int
    trailing: bool = False
    cr_only: bool = False


@dataclass(frozen=True)
class Row:
    """A well-formed record: its values in canonical form, and the line where it starts."""

    line: int
    values: str


@dataclass(frozen=True)
class Refused:
    """A malformed record: the rule that it breaks, its text (long ones cut) and the line where it starts."""

    line: int
    rule: Rule
    text: str


@dataclass(frozen=True)
class Blank:
    """An empty line."""

    line: int


Outcome = Row | Refused | Blank


@dataclass(frozen=True)
class Taken:
    """What was read at one place of a text: usually one outcome, and where to go on."""

    outcomes: tuple[Outcome, ...]
    at: int
    line: int


def take(lines: Lines, at: int, line: int, shape: Shape, longest: int) -> Taken:
    """Read the record that starts at offset `at`, the text's line number `line`.

    A quoted value may span lines. An open quote that no line soon after closes into a whole record costs its own line
    only. A lone CR ends a line where every piece between such CRs is a record (or empty); elsewhere it is an error.
    """
    raw, after = lines.line(at)
    if not raw:
        return Taken((Blank(line),), after, line + 1)
    text = raw.decode("utf-8", "surrogateescape")
    if len(raw) > longest:
        return Taken((Refused(line, Rule.RECORD_TOO_LONG, text),), after, line + 1)
    found = values_of(text, shape)
    if isinstance(found, str):
        return Taken((Row(line, found),), after, line + 1)
    if found is Rule.UNCLOSED_QUOTE and (taken := _over_lines(lines, at, line, shape, longest)):
        return taken
    if "\r" in text and (pieces := _by_cr(text, line, shape)):
        return Taken(pieces, after, line + len(pieces))
    return Taken((Refused(line, found, text),), after, line + 1)


def values_of(record: str, shape: Shape) -> str | Rule:
    """The values of a record in canonical form, or the rule that it breaks."""
    cells = cells_of(record, shape)
    if isinstance(cells, Rule):
        return cells
    if shape.trailing:
        if cells[-1]:
            return Rule.MISSING_TRAILING_DELIMITER if len(cells) == shape.fields else Rule.FIELD_COUNT
        cells.pop()
    if len(cells) != shape.fields:
        return Rule.FIELD_COUNT
    if not record.isascii() and _UNDECODED.search(record):
        return Rule.NOT_UTF8
    return UNIT_SEPARATOR.join(cells)


def cells_of(record: str, shape: Shape) -> list[str] | Rule:
    """The cells of a record, however many, with line breaks inside them marked; or the rule that it breaks."""
    if shape.quote and shape.quote in record:
        return _quoted_cells(record, shape)
    cells = record.split(shape.delimiter)
    return Rule.CONTROL_CHARACTER if _CONTROL.search(record) and _any_control(cells) else cells


def _any_control(cells: list[str]) -> bool:
    return _CONTROL.search("".join(cells)) is not None


def _quoted_cells(record: str, shape: Shape) -> list[str] | Rule:
    """The cells of a record that holds quotes; what is wrong with its quoting goes before control characters."""
    quote, delimiter = shape.quote, shape.delimiter
    suspect = _CONTROL.search(record) is not None
    cells: list[str] = []
    at, tainted = 0, False
    while True:
        opening = record.find(quote, at)
        plain = _plain_until(record, at, opening, delimiter)
        if plain is None:
            return Rule.BAD_QUOTE
        tainted = tainted or (suspect and _any_control(plain))
        cells += plain
        if opening < 0:
            break
        at = _closing(record, opening + 1, quote)
        if at < 0:
            return Rule.UNCLOSED_QUOTE
        cell = record[opening + 1 : at].replace(quote * 2, quote)
        tainted = tainted or (suspect and _CONTROL_IN_QUOTES.search(cell) is not None)
        cells.append(_marked(cell, shape) if suspect else cell)
        at += 1
        if at == len(record):
            break
        if record[at] != delimiter:
            return Rule.BAD_QUOTE
        at += 1
    return Rule.CONTROL_CHARACTER if tainted else cells


def _plain_until(record: str, at: int, opening: int, delimiter: str) -> list[str] | None:
    """The unquoted cells from `at` up to an opening quote (-1: none is left); None if that isn't at a cell's start."""
    if opening < 0:
        return record[at:].split(delimiter)
    if opening == at:
        return []
    return record[at : opening - 1].split(delimiter) if record[opening - 1] == delimiter else None


def _closing(record: str, at: int, quote: str) -> int:
    """Where the quote is that closes a value which starts at `at`, doubled ones passed over; -1 where none is."""
    at = record.find(quote, at)
    while at >= 0 and record.startswith(quote, at + 1):
        at = record.find(quote, at + 2)
    return at


def _marked(cell: str, shape: Shape) -> str:
    return cell.replace("\r", CR_MARK).replace("\n", CR_MARK if shape.cr_only else LF_MARK)


def _over_lines(lines: Lines, at: int, line: int, shape: Shape, longest: int) -> Taken | None:
    """The record whose quote is open at the end of its first line; None where it doesn't close into a whole record.

    It can close only at the first line that makes the number of quotes even.
    """
    quote = shape.quote.encode()
    raw, after = lines.line(at)
    quotes = raw.count(quote)
    for count in range(2, MAX_RECORD_LINES + 1):
        if after >= lines.size or after - at > longest:
            return None
        start = after
        raw, after = lines.line(start)
        quotes += raw.count(quote)
        if quotes % 2 == 0:
            if start + len(raw) - at > longest:
                return None
            whole = _whole(lines.text(at, start + len(raw)).decode("utf-8", "surrogateescape"), line, shape)
            return Taken((whole,), after, line + count) if whole else None
    return None


def _whole(record: str, line: int, shape: Shape) -> Row | Refused | None:
    """A record over lines; None where its quotes and fields don't fit.

    One that is refused for its characters alone is refused as a whole: a line inside it may look like a record.
    """
    found = values_of(record, shape)
    if isinstance(found, str):
        return Row(line, found)
    plain = _UNDECODED.sub("?", _CONTROL_IN_QUOTES.sub("?", record))
    return Refused(line, found, record) if isinstance(values_of(plain, shape), str) else None


def _by_cr(text: str, line: int, shape: Shape) -> tuple[Outcome, ...]:
    """The records between lone CRs; nothing where one of the pieces is no record."""
    outcomes: list[Outcome] = []
    for number, piece in enumerate(text.split("\r"), start=line):
        found = values_of(piece, shape) if piece else Blank(number)
        if isinstance(found, Rule):
            return ()
        outcomes.append(Row(number, found) if isinstance(found, str) else found)
    return tuple(outcomes)
