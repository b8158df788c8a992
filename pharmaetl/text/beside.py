"""One thread beside the one that reads on: for work on a piece that doesn't hold Python's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self


class Beside:
    """Does one thing after the other. What it raises is raised by what is asked next, or where the block is left."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._last: Future[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if kind is None and self._last is not None:
            self._last.result()

    def do(self, work: Callable[..., Any], *given: Any) -> None:
        """The next thing. Waits for the one before: no more than two pieces are in memory."""
        if self._last is not None:
            self._last.result()
        self._last = self._thread.submit(work, *given)
