"""A look at one delimited text: how it is written, and some thousand of its records, from its start and further on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pharmaetl.config.column import folded
from pharmaetl.errors import SourceFormatError
from pharmaetl.onboarding.sniffing import TRIED, Sniffed, sniff
from pharmaetl.text import delimited
from pharmaetl.text.lines import Lines
from pharmaetl.text.records import CR_MARK, LF_MARK, UNIT_SEPARATOR, Blank, Row, Shape, take

FIRST, PLACES, AT_EACH = 5000, 10, 500
"""Records that are looked at: from the start, and at so many places further on."""
_MAX_BYTES, _MAX_LINE = 4 * 1024**2, delimited.MAX_RECORD_BYTES
"""Of the first records, and of those at each place; of one record."""
_BLOCK, _QUOTED_LINES, _QUOTED_OF_BLOCK = 1024**2, 1000, 20


@dataclass(frozen=True)
class Record:
    """One well-formed record: its text with the line end, and its values."""

    raw: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What a look at a text has shown."""

    sniffed: Sniffed
    header: tuple[str, ...] | None
    header_raw: str
    """The header as it stands in the file, with the line end; empty without one."""
    records: tuple[Record, ...]
    malformed: int
    """Records among those looked at that a run would refuse."""
    whole: bool
    """Was every record looked at?"""
    cr_only: bool
    """The text's line ends are CR (LF in `raw`)."""


def survey(text: Path, name: str) -> Survey | None:
    """Look at a UTF-8 text; None where it is no delimited text.

    Raises SourceFormatError, under this name, for a header that a run would refuse too.
    """
    with Lines(text, _MAX_LINE) as lines:
        sniffed = sniff(_first_lines(lines), _lines_with(lines, b'"'))
        if sniffed is None:
            return None
        dialect = sniffed.dialect
        header = delimited.read_header(text, dialect) if dialect.header else None
        if header is not None:
            _refuse_unusable(header, sniffed, name)
        shape = Shape(dialect.delimiter, dialect.quote, sniffed.fields, dialect.trailing_delimiter, lines.cr_only)
        header_raw, start = _header_of(lines, dialect.quote) if dialect.header else ("", lines.start)
        reader = _Reader(lines, shape)
        reader.look_around(start)
        if not reader.records:
            return None
        return Survey(sniffed, header, header_raw, tuple(reader.records), reader.malformed, reader.whole, lines.cr_only)


def _refuse_unusable(header: tuple[str, ...], sniffed: Sniffed, name: str) -> None:
    keys = [folded(cell) for cell in header]
    twice = next((cell for cell, key in zip(header, keys, strict=True) if keys.count(key) > 1), None)
    if "" in keys:
        reason = f"header cell {keys.index('') + 1} of {len(header)} is empty"
    elif twice is not None:
        reason = f"header {twice!r} is there {keys.count(folded(twice))} times"
    elif len(header) != sniffed.fields:
        reason = f"the first line has {len(header)} values, the records have {sniffed.fields}"
    else:
        return
    raise SourceFormatError(
        f"{name}:1: {reason}", hint="a run would refuse it, too: mend the first line, then give that file with --from"
    )


def _first_lines(lines: Lines) -> list[str]:
    found: list[str] = []
    at, size = lines.start, 0
    while at < lines.size and len(found) <= TRIED and size < _MAX_BYTES:
        raw, at = lines.line(at)
        size += len(raw)
        if raw:
            found.append(_text(raw))
    return found


def _lines_with(lines: Lines, mark: bytes) -> list[str]:
    """Lines that hold a mark, some of each part of the text."""
    found: list[str] = []
    at = lines.start
    while at < lines.size and len(found) < _QUOTED_LINES:
        block = lines.block(at, _BLOCK)
        if not block:  # a line longer than a block
            _, at = lines.line(at)
            continue
        if mark in block:
            marked = [line.removesuffix(b"\r") for line in block.split(b"\n") if mark in line]
            found += [_text(line) for line in marked[:_QUOTED_OF_BLOCK]]
        at += len(block)
    return found


def _header_of(lines: Lines, quote: str) -> tuple[str, int]:
    """The header as it stands in the file, and where the records start."""
    at = lines.start
    raw, after = lines.line(at)
    while not raw.strip() and after < lines.size:
        at = after
        raw, after = lines.line(at)
    while quote and lines.text(at, after).count(quote.encode()) % 2 and after < lines.size:
        _, after = lines.line(after)
    return _text(lines.text(at, after)), after


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


class _Reader:
    """Reads records from several places of a text."""

    def __init__(self, lines: Lines, shape: Shape) -> None:
        self._lines, self._shape = lines, shape
        self.records: list[Record] = []
        self.malformed = 0
        self.whole = True

    def look_around(self, start: int) -> None:
        """Read from the start, and then from places spread over the rest."""
        reached = begun = self._read(start, FIRST)
        rest = self._lines.size - begun
        for number in range(PLACES if rest else 0):
            place = begun + rest * number // PLACES
            if place > reached:
                self.whole = False
                reached = self._read(self._lines.line(place)[1], AT_EACH, lost=True)
            else:
                reached = self._read(reached, AT_EACH)
        self.whole = self.whole and reached >= self._lines.size

    def _read(self, at: int, most: int, *, lost: bool = False) -> int:
        """Read so many records from an offset on; where it stopped.

        `lost`: it may start inside a quoted value, so what is malformed there doesn't count.
        """
        end = min(self._lines.size, at + _MAX_BYTES)
        count = 0
        while at < end and count < most:
            taken = take(self._lines, at, 1, self._shape, _MAX_LINE)
            rows = [outcome for outcome in taken.outcomes if isinstance(outcome, Row)]
            whole = len(taken.outcomes) == len(rows) == 1
            raw = _text(self._lines.text(at, taken.at)) if whole else ""
            self.records += [Record(raw, tuple(_values(row.values))) for row in rows]
            if not lost:
                self.malformed += sum(not isinstance(outcome, Row | Blank) for outcome in taken.outcomes)
            count += len(rows)
            at = taken.at
        return at


def _values(canonical: str) -> Iterator[str]:
    for value in canonical.split(UNIT_SEPARATOR):
        yield value.replace(LF_MARK, "\n").replace(CR_MARK, "\r")
