"""Digests of bytes as served, worked out by a thread while the next ones are inflated: neither holds Python's lock."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from pharmaetl.text.inflate import crc32


class Served:
    """Digests of what was taken; complete once the block is left."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.crc32 = 0
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="hashing")
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.shutdown()

    def take(self, data: bytes) -> None:
        """The next bytes. Waits for those before: no more than two pieces are in memory."""
        if self._last is not None:
            self._last.result()
        self._last = self._beside.submit(self._note, data)

    def _note(self, data: bytes) -> None:
        self._digest.update(data)
        self.crc32 = crc32(data, self.crc32)

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return self._digest.hexdigest()
