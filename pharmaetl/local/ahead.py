"""Bronze while the source is still being split: an engine in this process takes the records that are there already."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from pharmaetl.engine import Engine
from pharmaetl.text.blocks import Block

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIRST_BYTES, MOST_BYTES = 8 * 1024**2, 32 * 1024**2
"""Of records in the first file and in the largest ones: early enough to begin with, then few files. A file without line
numbers is read by one thread, so the last ones are not to be long."""
_THREADS = min(max(os.cpu_count() or 1, 2), 8)
"""One for each processor; each holds a group of rows in memory while it is written, so not for any number of them."""
_MARKS = (b"\x1d", b"\x1e")
"""What the splitter writes for line breaks in values."""


@dataclass(frozen=True)
class Records:
    """A file of a table's records."""

    path: Path
    first_line: int | None
    """Where in the source the first one stands, and each on the line behind; None where each says its own."""
    line_breaks: bool
    """Do values hold some?"""
    crlf: bool
    """Do records end with CRLF? With LF where they say their lines."""


Convert = Callable[["SparkSession", Records, int], None]
"""Makes bronze of some records, by a session; the number says which file of the table they are."""


class Ahead:
    """Works on the files that sinks have finished, in threads of its own."""

    def __init__(self, engine: Engine) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="bronze")
        self._engine = engine
        self._started = self._pool.submit(engine.work_in_callers)
        self._begun: dict[str, list[Future[None]]] = {}

    def sink(self, table: str, folder: Path, convert: Convert) -> Sink:
        """Where the splitter writes a table's records."""
        begun = self._begun.setdefault(table, [])

        def begin(records: Records) -> None:
            begun.append(self._pool.submit(self._work, convert, records, len(begun)))

        return Sink(folder, begin)

    def _work(self, convert: Convert, records: Records, number: int) -> None:
        self._started.result()
        convert(self._engine.session_beside(), records, number)
        records.path.unlink()

    def wait(self, table: str) -> int:
        """Of how many files bronze was made, once all of them are done. Raises what the engine has raised."""
        begun = self._begun.get(table, [])
        for each in begun:
            each.result()
        return len(begun)

    def end(self) -> None:
        """All tables were waited for: the engine may use all of the machine for each job again."""
        self._engine.work_in_threads()

    def close(self) -> None:
        """Let nothing begin any more, and wait for what is under way."""
        self._pool.shutdown(cancel_futures=True)


class Sink:
    """Records in files of bounded size, each handed on when it is full.

    Those of ordinary blocks stand in files without line numbers, which cost a quarter of the splitter's time.
    """

    def __init__(self, folder: Path, hand_on: Callable[[Records], None]) -> None:
        self._folder, self._hand_on = folder, hand_on
        self._file: BinaryIO | None = None
        self._path = folder
        self._number = self._written = 0
        self._full, self._line_breaks = FIRST_BYTES, False
        self._first_line: int | None = None
        self._next = (0, b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._hand_over()
        elif self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Whole records with their line numbers."""
        if self._first_line is not None:
            self._hand_over()
        self._line_breaks = self._line_breaks or any(mark in data for mark in _MARKS)
        self._append(data)

    def take(self, records: Block, line: int) -> None:
        """Records on lines that follow each other; with line numbers while a file that has some is small."""
        if self._first_line is None and 0 < self._written < FIRST_BYTES:
            self._append(records.numbered(line))
            return
        if self._next != (line, records.end) or self._first_line is None:
            self._hand_over()
        if self._file is None:
            self._first_line = line
        self._next = (line + records.count, records.end)
        self._append(records.text)

    def _append(self, data: bytes) -> None:
        if self._file is None:
            self._path = self._folder / f"records-{self._number:05d}.txt"
            self._file = self._path.open("wb")
        self._written += self._file.write(data)
        if self._written >= self._full:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._file is None:
            return
        self._file.close()
        self._file = None
        crlf = self._first_line is not None and self._next[1] == b"\r\n"
        self._hand_on(Records(self._path, self._first_line, self._line_breaks, crlf))
        self._number, self._written, self._line_breaks, self._first_line = self._number + 1, 0, False, None
        self._full = min(self._full * 2, MOST_BYTES)
