"""Delimited text to canonical records: what the engines read, with malformed records set aside.

Engines differ in how they read quoting, ragged rows and line ends; the canonical form (`text.records`) leaves them
nothing to differ about. Each record is preceded by the number of the line where it starts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, assert_never

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.download.transfer import Progress
from pharmaetl.errors import LocalIOError, SourceFormatError
from pharmaetl.text.blocks import Pattern, records_of
from pharmaetl.text.lines import Lines
from pharmaetl.text.records import (
    CR_MARK,
    LF_MARK,
    MAX_RECORD_LINES,
    UNIT_SEPARATOR,
    Blank,
    Outcome,
    Refused,
    Row,
    Rule,
    Shape,
    cells_of,
    take,
)

MAX_RECORD_BYTES = 1024 * 1024
BLOCK_BYTES, SMALLEST_BLOCK = 256 * 1024, 1024
"""What is read at once (larger blocks leave the processor's cache), and when to give up on reading at once."""
_SHOWN = 2000
"""Characters of a refused record that are kept."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\ud800-\udfff]")
_ESCAPES = {"\n": r"\n", "\r": r"\r"}
_AGAIN = "the site may be in the middle of an update: run again later"


class Sink(Protocol):
    """Takes the records."""

    @property
    def block_bytes(self) -> int:
        """How much of the text it would like to see at once; 0 where records have to be read one by one anyway."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def take(self, block: bytes, at: int, line: int, most: int | None, /) -> int | None:
        """All records of a block at once, each on one line, or the first of them; how many were taken.

        `at`, `line`: where in the file it starts, and on which line. None where they have to be read one by one.
        """
        ...

    def add(self, row: Row, /) -> None:
        """One record."""
        ...


SinkOf = Callable[[Shape], Sink]


class _RecordsFile:
    """All records in one file, in their canonical form."""

    def __init__(self, path: Path, shape: Shape) -> None:
        self._path, self._pattern = path, Pattern.of(shape)
        self.block_bytes = BLOCK_BYTES if self._pattern else 0

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, block: bytes, _at: int, line: int, most: int | None) -> int | None:
        records = records_of(block, self._pattern) if self._pattern else None
        if records is None:
            return None
        if most is not None:
            records = records.first(most)
        self._file.write(records.numbered(line))
        return records.count

    def add(self, row: Row) -> None:
        self._file.write(f"{row.line}{UNIT_SEPARATOR}{row.values}\n".encode())


@dataclass(frozen=True)
class Split:
    """What came of one text: rows_read = records written + rows_rejected."""

    records: Path
    """Canonical records: line number, then one value per column of the file. Not there where a sink took them."""
    rejects: Path
    """Refused records in the same form: line number, rule, text with control characters escaped."""
    header: tuple[str, ...] | None
    rows_read: int
    """Every data record, well-formed or not; the header and blank lines are none."""
    rows_rejected: int
    rules: dict[str, int]
    """Refused records by rule."""
    blank_lines: int
    fields: int
    line_breaks: bool
    """Does a value hold a CR (written as U+001D) or a LF (written as U+001E)?"""


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    after: int
    line: int
    blank_lines: int


def read_header(text: Path, dialect: Dialect) -> tuple[str, ...]:
    """The cells of the first line that isn't blank, without quotes and outer blanks; SourceFormatError if none."""
    try:
        with Lines(text, MAX_RECORD_BYTES) as lines:
            return _header(lines, dialect, text.name).names
    except OSError as error:
        raise LocalIOError(f"{text}: can't be read: {error.strerror}") from error


def split(
    text: Path,
    dialect: Dialect,
    fields: int,
    target: Path,
    *,
    limit: int | None = None,
    max_record_bytes: int = MAX_RECORD_BYTES,
    progress: Progress | None = None,
    sink: SinkOf | None = None,
) -> Split:
    """Write the records of a UTF-8 text to `target`/records.txt or a sink, the malformed ones to `target`/rejects.txt.

    `fields` is the number expected in each record, the empty one after a trailing delimiter not counted; `limit` stops
    after so many records. Raises SourceFormatError where a header is due and there is none, LocalIOError.
    """
    records, rejects = target / "records.txt", target / "rejects.txt"
    try:
        with Lines(text, max_record_bytes) as lines:
            header = _header(lines, dialect, text.name) if dialect.header else None
            shape = Shape(dialect.delimiter, dialect.quote, fields, dialect.trailing_delimiter, lines.cr_only)
            with sink(shape) if sink else _RecordsFile(records, shape) as good, rejects.open("wb") as bad:
                splitter = _Splitter(lines, shape, good, bad, max_record_bytes)
                if header is not None:
                    splitter.skip(header)
                splitter.run(limit, progress)
    except OSError as error:
        reason = f"{error.filename or target}: {error.strerror}"
        raise LocalIOError(reason, hint="check the disk's free space and the folder's permissions") from error
    return Split(
        records=records,
        rejects=rejects,
        header=header.names if header else None,
        rows_read=splitter.rows,
        rows_rejected=splitter.rules.total(),
        rules=dict(sorted(splitter.rules.items())),
        blank_lines=splitter.blank_lines,
        fields=fields,
        line_breaks=splitter.line_breaks,
    )


def _header(lines: Lines, dialect: Dialect, name: str) -> _Header:
    """The first line that isn't blank, and where the data after it starts."""
    head = lines.text(lines.start, lines.start + MAX_RECORD_BYTES)
    begin, line, blank = 0, 1, 0
    while begin < len(head):
        end, after = _line_at(head, begin, dialect.quote.encode())
        text = head[begin:end].decode("utf-8", "replace")
        if after == MAX_RECORD_BYTES:
            raise SourceFormatError(
                f"{name}: line {line}: no header row ends within {MAX_RECORD_BYTES:,} bytes", hint=_AGAIN
            )
        if text.strip().strip("\ufeff"):
            names = _names(text, dialect, f"{name}: line {line}")
            return _Header(names, lines.start + after, line + 1 + len(_LINE_END.findall(head[begin:end])), blank)
        begin, line, blank = after, line + 1, blank + 1
    raise SourceFormatError(f"{name}: no header row: the file is empty", hint=_AGAIN)


def _line_at(head: bytes, begin: int, quote: bytes) -> tuple[int, int]:
    """Where the line that starts at `begin` ends, and where the next one starts; a line end in quotes is none."""
    for found in islice(_LINE_END.finditer(head, begin), MAX_RECORD_LINES):
        if not quote or head.count(quote, begin, found.start()) % 2 == 0:
            return found.span()
    return len(head), len(head)


def _names(text: str, dialect: Dialect, place: str) -> tuple[str, ...]:
    cells = cells_of(text.strip("\ufeff"), Shape(dialect.delimiter, dialect.quote, 0))
    if isinstance(cells, Rule):
        raise SourceFormatError(
            f"{place}: the header can't be read: {cells.value} in {_shown(text)[:80]!r}", hint=_AGAIN
        )
    if dialect.trailing_delimiter and not cells[-1]:
        cells.pop()
    return tuple(cell.replace(LF_MARK, "\n").replace(CR_MARK, "\r").strip() for cell in cells)


def _shown(text: str) -> str:
    """A record's text as one line of print: control characters escaped, long texts cut."""
    return _UNPRINTABLE.sub(lambda found: _ESCAPES.get(found[0], f"\\x{ord(found[0]):02x}"), text[:_SHOWN])[:_SHOWN]


class _Splitter:
    """Goes through a text: by blocks where it can, record by record around what is out of the ordinary."""

    def __init__(self, lines: Lines, shape: Shape, good: Sink, bad: BinaryIO, longest: int) -> None:
        self._lines, self._shape, self._longest = lines, shape, longest
        self._good, self._bad = good, bad
        self._at, self._line = lines.start, 1
        self._limit: int | None = None
        self.rows = self.blank_lines = 0
        self.rules: Counter[str] = Counter()
        self.line_breaks = False

    def skip(self, header: _Header) -> None:
        """Start behind the header."""
        self._at, self._line, self.blank_lines = header.after, header.line, header.blank_lines

    def run(self, limit: int | None, progress: Progress | None) -> None:
        """Read to the end, or until `limit` records are read.

        A block that isn't ordinary is tried again in smaller pieces, down to the few lines that have to be read singly.
        """
        largest = size = min(self._good.block_bytes, self._longest)
        self._limit = limit
        while self._at < self._lines.size and not self._full():
            block = self._lines.block(self._at, size)
            room = None if limit is None else limit - self.rows
            taken = self._good.take(block, self._at, self._line, room) if block else None
            if taken is None and len(block) > SMALLEST_BLOCK:
                size = max(len(block) // 4, 1)
                continue
            if taken is None:
                self._take_singly(self._at + len(block))
            else:
                self._at, self._line, self.rows = self._at + len(block), self._line + taken, self.rows + taken
            size = min(size * 2, largest)
            if progress is not None:
                progress(self._at, self._lines.size)

    def _full(self) -> bool:
        return self._limit is not None and self.rows >= self._limit

    def _take_singly(self, until: int) -> None:
        """Read record by record up to an offset, at least one."""
        while not self._full():
            taken = take(self._lines, self._at, self._line, self._shape, self._longest)
            for outcome in taken.outcomes:
                if not self._full():
                    self._note(outcome)
            self._at, self._line = taken.at, taken.line
            if self._at >= until:
                return

    def _note(self, outcome: Outcome) -> None:
        match outcome:
            case Row(_, values):
                self.rows += 1
                self.line_breaks = self.line_breaks or CR_MARK in values or LF_MARK in values
                self._good.add(outcome)
            case Refused(line, rule, text):
                self.rows += 1
                self.rules[rule.value] += 1
                self._bad.write(f"{line}{UNIT_SEPARATOR}{rule.value}{UNIT_SEPARATOR}{_shown(text)}\n".encode())
            case Blank():
                self.blank_lines += 1
            case _ as never:
                assert_never(never)
