"""Bytes in the encodings that sources use to UTF-8, chunk by chunk."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

UTF8_BOM = codecs.BOM_UTF8
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_UNDECODED = re.compile("[\udc80-\udcff]")


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


def candidates(head: bytes, configured: str | None) -> tuple[str, ...]:
    """The encodings to try, in order, for a text that begins with `head`.

    A byte order mark counts for more than the configured encoding. Nothing configured: UTF-8, and where the bytes
    aren't valid, Windows-1252.
    """
    if head.startswith(_UTF16_BOMS):
        return ("utf-16",)
    if configured is None:
        return ("utf-8", "cp1252")
    if head.startswith(UTF8_BOM) and configured != "utf-8":
        return ("utf-8", configured)
    return (configured,)


def is_damaged_utf8(chunks: Iterable[bytes]) -> bool:
    """Was a text that isn't valid UTF-8 written as UTF-8 all the same, and damaged in places?

    It begins with UTF-8's byte order mark, or holds at least as many characters in UTF-8 as bytes that are none. Text
    in Windows-1252 has hardly any of the former: two letters such as \u00c3\u00a9 don't stand side by side there.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    sound = damaged = 0
    for place, data in enumerate(chunks):
        if place == 0 and data.startswith(UTF8_BOM):
            return True
        if not data.isascii() or decoder.getstate()[0]:
            text = decoder.decode(data)
            undecoded = len(_UNDECODED.findall(text))
            sound, damaged = sound + len(_BEYOND_ASCII.findall(text)) - undecoded, damaged + undecoded
    return sound > 0 and sound >= damaged + len(decoder.getstate()[0])


def recoder(encoding: str, *, damaged: bool = False) -> Recoder:
    """A recoder for one text. A damaged text keeps the bytes that mean nothing, for the splitter to refuse their rows.

    Damage is known of UTF-8 only.
    """
    if encoding != "utf-8":
        return Recoder(encoding)
    return _DamagedUtf8(encoding) if damaged else _Utf8(encoding)


class Recoder:
    """Turns chunks of a text into UTF-8 without a byte order mark.

    The first chunk must be long enough to hold such a mark. Both methods raise UndecodableError.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        strict = encoding in {"utf-8", "utf-16"}
        self._decoder = codecs.getincrementaldecoder(encoding)("strict" if strict else "replace")
        self._single_byte = not strict
        self._fed = 0
        self.replacements = 0
        """Bytes that the encoding leaves undefined, U+FFFD in the text."""

    def feed(self, data: bytes) -> bytes:
        """The next chunk."""
        text = data.removeprefix(UTF8_BOM) if self._fed == 0 else data
        self._fed += len(data) - len(text)
        recoded = self._recoded(text)
        self._fed += len(text)
        return recoded

    def finish(self) -> bytes:
        """What was held back."""
        return self._decoded(b"", final=True).encode("utf-8")

    def _recoded(self, data: bytes) -> bytes:
        return data if self._single_byte and data.isascii() else self._decoded(data).encode("utf-8")

    def _decoded(self, data: bytes, *, final: bool = False) -> str:
        pending = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            found = error.object[error.start : error.end]
            raise UndecodableError(self.encoding, self._fed - pending + error.start, found) from None
        if self._single_byte:
            self.replacements += text.count("\ufffd")
        return text


class _Utf8(Recoder):
    """Checks the bytes and passes them on as they are."""

    def _recoded(self, data: bytes) -> bytes:
        if self._decoder.getstate()[0] or not data.isascii():
            self._decoded(data)
        return data

    def finish(self) -> bytes:
        self._decoded(b"", final=True)
        return b""


class _DamagedUtf8(Recoder):
    """Passes the bytes on without a look at them."""

    def _recoded(self, data: bytes) -> bytes:
        return data
