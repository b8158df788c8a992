"""Records of a text as columns: lines of ordinary blocks are read from its file as served, others written as CSV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pharmaetl.text.ordinary import BLOCK_BYTES, Ordinary
from pharmaetl.text.records import CR_MARK, LF_MARK, UNIT_SEPARATOR, Row, Shape

if TYPE_CHECKING:
    import pyarrow as pa

FIRST_BYTES, MOST_BYTES = 4 * 1024**2, 32 * 1024**2
"""Of the first piece of a text, and of the largest ones: early enough to begin with, then few of them."""
_READ_BYTES = 4 * 1024**2
"""What PyArrow reads at once; a record is shorter."""


@dataclass(frozen=True)
class Form:
    """How the records of a piece are written."""

    delimiter: str
    quote: str
    trailing: bool

    @classmethod
    def of(cls, shape: Shape) -> tuple[Self, Ordinary | None]:
        """As served, with what knows the ordinary blocks; in our own way where PyArrow can't read the served one."""
        if len((shape.delimiter + shape.quote).encode()) == 1 + bool(shape.quote):
            return cls(shape.delimiter, shape.quote, shape.trailing), Ordinary(shape)
        return cls(UNIT_SEPARATOR, shape.quote and '"', shape.trailing), None

    def line(self, values: list[str]) -> str:
        """One record. A value that is alone and empty is quoted: a line without anything would be no record."""
        ends = self.delimiter if self.trailing else ""
        if not self.quote:
            return self.delimiter.join(values) + ends + "\n"
        special = (self.delimiter, self.quote, "\r", "\n")
        needs = [any(char in value for char in special) for value in values] if values != [""] else [True]
        quoted = [self._quoted(value) if needed else value for value, needed in zip(values, needs, strict=True)]
        return self.delimiter.join(quoted) + ends + "\n"

    def _quoted(self, value: str) -> str:
        return self.quote + value.replace(self.quote, self.quote * 2) + self.quote


@dataclass(frozen=True)
class Piece:
    """Some records of a text, in its order."""

    form: Form
    file: pa.NativeFile
    """The text, open: its path may be another one by now."""
    parts: tuple[bytes | range, ...]
    """Records, or where in the file they are."""
    runs: tuple[tuple[int, int], ...]
    """Where in the source they stand: a line, and how many records follow it, each a line below the one before."""
    line_breaks: bool
    """Does a value hold some?"""

    @property
    def rows(self) -> int:
        """How many records."""
        return sum(count for _, count in self.runs)

    def table(self, names: tuple[str, ...], line: str) -> pa.Table:
        """A text column for each value, null where it is empty, and behind them the source line under that name.

        Raises pyarrow.ArrowInvalid where a record hasn't as many values: the piece isn't what it says.
        """
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv

        all_names = [*names, UNIT_SEPARATOR] if self.form.trailing else list(names)
        read = csv.ReadOptions(column_names=all_names, use_threads=False, block_size=_READ_BYTES)
        parse = csv.ParseOptions(
            delimiter=self.form.delimiter,
            quote_char=self.form.quote or False,
            double_quote=bool(self.form.quote),
            escape_char=False,
            newlines_in_values=self.line_breaks,
            ignore_empty_lines=False,
        )
        convert = csv.ConvertOptions(
            # ordinary blocks were looked at, and so was every record that was read
            check_utf8=False,
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=list(names),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )
        found = csv.read_csv(self._stream(), read, parse, convert)
        if found.num_rows != self.rows:
            raise pa.ArrowInvalid(f"{found.num_rows} records of {self.rows}")
        lines = np.concatenate([np.arange(first, first + count) for first, count in self.runs])
        return found.append_column(line, pa.array(lines, pa.int64()))

    def _stream(self) -> pa.NativeFile:
        import pyarrow as pa

        match self.parts:
            case [range() as one]:
                return self.file.get_stream(one.start, len(one))
            case _:
                return pa.BufferReader(b"".join(map(self._bytes, self.parts)))

    def _bytes(self, part: bytes | range) -> bytes:
        if isinstance(part, bytes):
            return part
        found: bytes = self.file.get_stream(part.start, len(part)).read()
        return found


class Collector:
    """Takes records, and hands them on in pieces of bounded size."""

    def __init__(self, shape: Shape, *, text: Path, hand_on: Callable[[Piece], None]) -> None:
        """`text`: the file that they are from."""
        import pyarrow as pa

        self._form, self._ordinary = Form.of(shape)
        self._file = pa.OSFile(str(text))
        self._is_as_stored = not shape.cr_only
        self.block_bytes = BLOCK_BYTES if self._ordinary else 0
        self._hand_on = hand_on
        self._full = FIRST_BYTES
        self._empty()

    def _empty(self) -> None:
        self._parts: list[bytes | range] = []
        self._runs: list[tuple[int, int]] = []
        self._bytes, self._line_breaks = 0, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._runs:
            self._hand_over()

    def take(self, block: bytes, at: int, line: int, most: int | None) -> int | None:
        """All records of a block, or the first of them, where it is an ordinary one; how many were taken."""
        count = self._ordinary.records(block) if self._ordinary else None
        if count is None:
            return None
        if most is not None and most < count:
            block, count = b"".join(block.splitlines(keepends=True)[:most]), most
        self._append(range(at, at + len(block)) if self._is_as_stored else block, line, count)
        return count

    def add(self, row: Row) -> None:
        """One record."""
        text = row.values
        if CR_MARK in text or LF_MARK in text:
            text, self._line_breaks = text.replace(CR_MARK, "\r").replace(LF_MARK, "\n"), True
        self._append(self._form.line(text.split(UNIT_SEPARATOR)).encode(), row.line, 1)

    def _append(self, part: bytes | range, line: int, count: int) -> None:
        size, last = len(part), self._parts[-1] if self._parts else None
        if isinstance(part, range) and isinstance(last, range) and last.stop == part.start:
            self._parts[-1] = range(last.start, part.stop)
        else:
            self._parts.append(part)
        if self._runs and sum(self._runs[-1]) == line:
            first, before = self._runs.pop()
            line, count = first, before + count
        self._runs.append((line, count))
        self._bytes += size
        if self._bytes >= self._full:
            self._hand_over()

    def _hand_over(self) -> None:
        self._hand_on(Piece(self._form, self._file, tuple(self._parts), tuple(self._runs), self._line_breaks))
        self._empty()
        self._full = min(self._full * 2, MOST_BYTES)
