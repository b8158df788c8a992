"""Bytes in the encodings that sources use to UTF-8, chunk by chunk."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

UTF8_BOM = codecs.BOM_UTF8
ASCII = bytes(range(0x80))
_UNDEFINED = "\ufffd".encode()
_SPARSE, _FEW = 100, 12
"""Bytes per byte beyond ASCII, and different ones of those, up to which replacing each is faster than decoding all."""


class UndecodableError(ValueError):
    """Bytes that mean nothing in an encoding; `offset` counts from the start of what was fed."""

    def __init__(self, encoding: str, offset: int, found: bytes) -> None:
        super().__init__(f"byte {offset} (0x{found.hex()}) is not {encoding}")
        self.encoding = encoding
        self.offset = offset

    def line_in(self, chunks: Iterable[bytes]) -> int:
        """The number of the line that holds the bytes, given the text from its start."""
        line, left = 1, self.offset
        for data in chunks:
            line += data.count(b"\n", 0, left)
            left -= len(data)
            if left < 0:
                break
        return line


def recoder(encoding: str) -> Recoder:
    """A recoder for one text."""
    if encoding == "utf-16":
        return Recoder(encoding)
    return _Utf8(encoding) if encoding == "utf-8" else _SingleByte(encoding)


class Recoder:
    """Turns chunks of a text into UTF-8 without a byte order mark.

    The first chunk must be long enough to hold such a mark. Both methods raise UndecodableError.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._fed = 0
        self.marked = False
        """Did the text begin with UTF-8's byte order mark?"""
        self.replacements = 0
        """Bytes that the encoding leaves undefined, U+FFFD in the text."""

    def feed(self, data: bytes) -> bytes:
        """The next chunk."""
        text = data.removeprefix(UTF8_BOM) if self._fed == 0 else data
        self.marked = self.marked or len(text) < len(data)
        self._fed += len(data) - len(text)
        recoded = self.recoded(text)
        self._fed += len(text)
        return recoded

    def finish(self) -> bytes:
        """What was held back."""
        return self._decoded(b"", final=True).encode("utf-8")

    def recoded(self, data: bytes) -> bytes:
        """A chunk without a byte order mark, or from further on, where such bytes are none."""
        return self._decoded(data).encode("utf-8")

    def _decoded(self, data: bytes, *, final: bool = False) -> str:
        pending = len(self._decoder.getstate()[0])
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            found = error.object[error.start : error.end]
            raise UndecodableError(self.encoding, self._fed - pending + error.start, found) from None


class _Utf8(Recoder):
    """Checks the bytes and passes them on as they are."""

    def recoded(self, data: bytes) -> bytes:
        if self._decoder.getstate()[0] or not data.isascii():
            self._decoded(data)
        return data

    def finish(self) -> bytes:
        self._decoded(b"", final=True)
        return b""


class _SingleByte(Recoder):
    """Writes each byte beyond ASCII as the encoding's character in UTF-8, U+FFFD where there is none."""

    def recoded(self, data: bytes) -> bytes:
        if data.isascii():
            return data
        beyond = data.translate(None, ASCII)
        replacing = _replacing(self.encoding, frozenset(beyond)) if len(beyond) * _SPARSE < len(data) else None
        if replacing is None:
            text = data.decode(self.encoding, "replace")
            self.replacements += text.count("\ufffd")
            return text.encode()
        for byte, character in replacing:
            if character == _UNDEFINED:
                self.replacements += beyond.count(byte)
            data = data.replace(byte, character)
        return data


@lru_cache
def _replacing(encoding: str, present: frozenset[int]) -> tuple[tuple[bytes, bytes], ...] | None:
    """Bytes with their characters, to be replaced one after the other; None where that is no faster than decoding.

    Replacing one byte is a search at the speed of memory. What a character's UTF-8 is made of has to be gone from the
    text before that character is written: where there is no such order, None too.
    """
    if len(present) > _FEW:
        return None
    characters = {byte: bytes([byte]).decode(encoding, "replace").encode() for byte in present}
    order = TopologicalSorter({byte: present.intersection(characters[byte]) - {byte} for byte in present})
    try:
        return tuple((bytes([byte]), characters[byte]) for byte in order.static_order())
    except CycleError:
        return None


class DamagedUtf8(Recoder):
    """Passes the bytes on without a look: those that mean nothing stay, for the splitter to refuse their rows."""

    def __init__(self) -> None:
        super().__init__("utf-8")

    def recoded(self, data: bytes) -> bytes:
        return data
