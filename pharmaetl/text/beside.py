"""One thread beside the one that reads on: for work on a piece that doesn't hold Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

_AHEAD = 2
"""Pieces that may wait: with one, each thread waits for the other where its own piece took longer. More leave the
processor's cache before they are worked on."""


class Beside:
    """Does one thing after the other, until one fails. What it raises is raised by what is asked later, or at the end
    of the block."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._pending: deque[Future[None]] = deque()
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if kind is None:
            for each in self._pending:
                each.result()

    def do(self, work: Callable[..., Any], *given: Any) -> None:
        """The next thing. Waits where too many do: no more than three pieces are in memory."""
        if len(self._pending) == _AHEAD:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._work, work, *given))

    def _work(self, work: Callable[..., Any], *given: Any) -> None:
        if self._failed:
            return
        try:
            work(*given)
        except BaseException:
            self._failed = True
            raise
