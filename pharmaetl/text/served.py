"""Digests of bytes as served, worked out by a thread while the next ones are inflated: neither holds Python's lock."""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import Self

from pharmaetl.text.beside import Beside
from pharmaetl.text.inflate import crc32


class Served:
    """Digests of what was taken; complete once the block is left."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.crc32 = 0
        self._beside = Beside("hashing")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._beside.__exit__(kind, error, trace)

    def take(self, data: bytes) -> None:
        """The next bytes. Waits for those before."""
        self._beside.do(self._note, data)

    def _note(self, data: bytes) -> None:
        self._digest.update(data)
        self.crc32 = crc32(data, self.crc32)

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return self._digest.hexdigest()
