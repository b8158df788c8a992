"""Bronze while the source is still being split: threads of this process take the records that are there already."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from pharmaetl.text.delimited import SinkOf

if TYPE_CHECKING:
    from pharmaetl.text.columns import Piece

_THREADS = min(max(os.cpu_count() or 1, 2), 8)
"""One for each processor; each holds a piece's columns in memory while they are written, so not for any number."""

LEAST_BYTES = 64 * 1024**2
"""Texts of at least this size are worth it: smaller ones are done with before what this needs is loaded."""

Convert = Callable[["Piece", int], None]
"""Makes bronze of some records; the number says which piece of the table they are."""


class Ahead:
    """Works on the pieces that splitters have finished, in threads of its own."""

    def __init__(self, start: Callable[[], object], largest: int) -> None:
        """`start`: what else is to be done meanwhile, such as starting the engine; `largest`: bytes of the texts."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="bronze")
        # one of its own: it waits for the disk, not for a processor
        self._flushing = ThreadPoolExecutor(1, thread_name_prefix="flushing")
        self._started = self._pool.submit(start)
        if largest >= LEAST_BYTES:
            # what takes a quarter of a second is there when the first text is unpacked
            self._pool.submit(import_module, "pharmaetl.local.bronze")
        self._begun: dict[str, list[Future[None]]] = {}
        # pieces may hold their text in memory, up to 32 MiB: a splitter that is faster waits
        self._room = BoundedSemaphore(_THREADS + 1)

    def flush(self, path: Path) -> None:
        """Have a file written to the disk meanwhile. Whoever stores it asks for that again, and is told if it fails."""
        self._flushing.submit(_flushed, path)

    def sink(self, table: str, text: Path, convert: Convert) -> SinkOf:
        """Where the splitter of a text hands a table's records."""
        from pharmaetl.text.columns import Collector

        begun = self._begun.setdefault(table, [])

        def begin(piece: Piece) -> None:
            self._room.acquire()
            begun.append(self._pool.submit(self._work, convert, piece, len(begun)))

        return partial(Collector, text=text, hand_on=begin)

    def _work(self, convert: Convert, piece: Piece, number: int) -> None:
        try:
            convert(piece, number)
        finally:
            self._room.release()

    def wait(self, table: str) -> bool:
        """Was bronze of a table made here? Returns once all of it is there; raises what making it has raised."""
        self._started.result()
        for each in self._begun.get(table, []):
            each.result()
        return table in self._begun

    def close(self) -> None:
        """Let nothing begin any more, and wait for what is under way."""
        self._pool.shutdown(cancel_futures=True)
        self._flushing.shutdown(cancel_futures=True)


def _flushed(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file)
