"""Bytes in the encodings that sources use to UTF-8, chunk by chunk."""

from __future__ import annotations

import codecs

UTF8_BOM = codecs.BOM_UTF8
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class UndecodableError(ValueError):
    """Bytes that mean nothing in an encoding; `offset` counts from the start of what was fed."""

    def __init__(self, encoding: str, offset: int, found: bytes) -> None:
        super().__init__(f"byte {offset} (0x{found.hex()}) is not {encoding}")
        self.encoding = encoding
        self.offset = offset


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


def recoder(encoding: str) -> Recoder:
    """A recoder for one text."""
    return _Utf8(encoding) if encoding == "utf-8" else Recoder(encoding)


class Recoder:
    """Turns chunks of a text into UTF-8 without a byte order mark.

    The first chunk must be long enough to hold such a mark. Both methods raise UndecodableError.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
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
            raise UndecodableError(self._encoding, self._fed - pending + error.start, found) from None
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
