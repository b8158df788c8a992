"""Bronze while the source is still being split: an engine in this process takes the records that are there already."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from pharmaetl.engine import Engine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIRST_BYTES, MOST_BYTES = 8 * 1024**2, 64 * 1024**2
"""Of records in the first file and in the largest ones: early enough to begin with, then few files."""
_THREADS = 2
_MARKS = (b"\x1d", b"\x1e")
"""What the splitter writes for line breaks in values."""

Convert = Callable[["SparkSession", Path, bool, int], None]
"""Makes bronze of a file of records, by a session: do values hold line breaks, and which file of the table is it?"""


class Ahead:
    """Works on the files that sinks have finished, in threads of its own."""

    def __init__(self, engine: Engine) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="bronze")
        self._engine = engine
        self._started = self._pool.submit(lambda: engine.session)
        self._begun: dict[str, list[Future[None]]] = {}

    def sink(self, table: str, folder: Path, convert: Convert) -> Sink:
        """Where the splitter writes a table's records."""
        begun = self._begun.setdefault(table, [])

        def begin(file: Path, line_breaks: bool) -> None:
            begun.append(self._pool.submit(self._work, convert, file, line_breaks, len(begun)))

        return Sink(folder, begin)

    def _work(self, convert: Convert, file: Path, line_breaks: bool, number: int) -> None:
        self._started.result()
        convert(self._engine.session_beside(), file, line_breaks, number)
        file.unlink()

    def wait(self, table: str) -> int:
        """Of how many files bronze was made, once all of them are done. Raises what the engine has raised."""
        begun = self._begun.get(table, [])
        for each in begun:
            each.result()
        return len(begun)

    def close(self) -> None:
        """Let nothing begin any more, and wait for what is under way."""
        self._pool.shutdown(cancel_futures=True)


class Sink:
    """Records in files of bounded size, each handed on when it is full."""

    def __init__(self, folder: Path, hand_on: Callable[[Path, bool], None]) -> None:
        self._folder, self._hand_on = folder, hand_on
        self._file: BinaryIO | None = None
        self._path = folder
        self._number = self._written = 0
        self._full, self._line_breaks = FIRST_BYTES, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._hand_over()
        elif self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> int:
        """Whole records."""
        if self._file is None:
            self._path = self._folder / f"records-{self._number:05d}.txt"
            self._file = self._path.open("wb")
        self._line_breaks = self._line_breaks or any(mark in data for mark in _MARKS)
        self._written += self._file.write(data)
        if self._written >= self._full:
            self._hand_over()
        return len(data)

    def _hand_over(self) -> None:
        if self._file is None:
            return
        self._file.close()
        self._file = None
        self._hand_on(self._path, self._line_breaks)
        self._number, self._written, self._line_breaks = self._number + 1, 0, False
        self._full = min(self._full * 2, MOST_BYTES)
