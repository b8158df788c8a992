"""The physical lines of a text file, read from any byte offset at which a line starts, in bounded memory."""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

LF, CR, BOM = b"\n", b"\r", b"\xef\xbb\xbf"
_CHUNK = 64 * 1024


class Lines:
    """A text whose lines end with LF or CRLF, or all of them with CR where it holds no LF at all.

    A text that uses CR alone is handed out with LF in its place (`cr_only` says so). Offsets are bytes of the file.
    """

    def __init__(self, path: Path, longest: int) -> None:
        self._file = FileIO(path)
        self._longest = longest
        self.size = path.stat().st_size
        self.cr_only = False
        self._start, self._chunk = 0, b""
        self.cr_only = not self._holds(LF) and self._holds(CR)
        self.start = len(BOM) if self._read(0, len(BOM)) == BOM else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def block(self, at: int, size: int) -> bytes:
        """Whole lines from `at` on, at most `size` bytes of them; empty where not even the first ends within that."""
        data = self._read(at, size)
        return data[: data.rfind(LF) + 1]

    def line(self, at: int) -> tuple[bytes, int]:
        """One line without its end, and where the next one starts; of a line that is too long, its beginning.

        Too long is what exceeds `longest` bytes: more than that comes back, though not all of it.
        """
        end = self._chunk.find(LF, at - self._start) if self._start <= at < self._start + len(self._chunk) else -1
        if end < 0:
            end = self._load(at)
        content = self._chunk[at - self._start : end]
        after = self._start + end + 1 if end < len(self._chunk) else self._after(self._start + end)
        return content.removesuffix(CR), after

    def text(self, start: int, end: int) -> bytes:
        """The bytes between two offsets, line ends included."""
        if self._start <= start and end <= self._start + len(self._chunk):
            return self._chunk[start - self._start : end - self._start]
        return self._read(start, end - start)

    def _load(self, at: int) -> int:
        """Take in a chunk from `at` on; where in it the line ends, or its length if the line is longer than allowed."""
        for size in (_CHUNK, self._longest + 2):
            self._start, self._chunk = at, self._read(at, size)
            if (end := self._chunk.find(LF)) >= 0:
                return end
        return len(self._chunk)

    def _after(self, at: int) -> int:
        """Where the line after the one around `at` starts."""
        while data := self._read(at, _CHUNK):
            if (end := data.find(LF)) >= 0:
                return at + end + 1
            at += len(data)
        return at

    def _holds(self, byte: bytes) -> bool:
        at = 0
        while data := self._read(at, 16 * _CHUNK):
            if byte in data:
                return True
            at += len(data)
        return False

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(size)
        return data.replace(CR, LF) if self.cr_only else data
