"""Compressed streams in chunks of bounded size, each with the number of compressed bytes that it took so far.

ISA-L inflates members of zips where it is installed, at three times zlib's speed. It takes some damaged streams for
whole ones that zlib refuses: the CRC of a member tells. Streams of gzip, whose checksum is their decoder's, are zlib's.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, Protocol

_fast: Any = zlib
try:
    import isal.isal_zlib
except ImportError:  # no wheel for this machine, or a Lambda function without it
    pass
else:
    _fast = isal.isal_zlib

READ_BYTES, CHUNK_BYTES = 64 * 1024, 1024 * 1024
GZIP = b"\x1f\x8b"
"""How a gzip file starts."""
_RAW, _WITH_GZIP = -zlib.MAX_WBITS, 16 + zlib.MAX_WBITS
_ERRORS: tuple[Any, ...] = (zlib.error, _fast.error)


class StreamError(ValueError):
    """What is wrong with a stream of bytes, without its name."""


class Chunk(NamedTuple):
    """Some bytes of a stream."""

    data: bytes
    taken: int
    """Bytes read from the file so far, compressed where the stream is."""


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...


def crc32(data: bytes, before: int) -> int:
    """The CRC-32 of bytes that follow others."""
    return int(_fast.crc32(data, before))


def stored(file: BinaryIO, length: int) -> Iterator[Chunk]:
    """Bytes as they are, from where the file stands; StreamError where there are fewer."""
    taken = 0
    while taken < length:
        data = file.read(min(CHUNK_BYTES, length - taken))
        if not data:
            raise StreamError("the file is cut off")
        taken += len(data)
        yield Chunk(data, taken)


def deflated(file: BinaryIO, length: int) -> Iterator[Chunk]:
    """A deflate stream that takes exactly `length` bytes from where the file stands; StreamError where it doesn't."""
    decoder: _Decoder = _fast.decompressobj(_RAW)
    taken = 0
    while taken < length and not decoder.eof:
        raw = file.read(min(READ_BYTES, length - taken))
        if not raw:
            raise StreamError("the file is cut off")
        taken += len(raw)
        for data in _drained(decoder, raw):
            yield Chunk(data, taken)
    if not decoder.eof:
        raise StreamError("its compressed data is cut off")
    if taken < length or decoder.unused_data:
        raise StreamError("bytes are left over after its compressed data")


def gzipped(file: BinaryIO) -> Iterator[Chunk]:
    """A gzip file from its start, several streams one after another and zeros at the end included."""
    file.seek(0)
    decoder: _Decoder | None = zlib.decompressobj(_WITH_GZIP)
    taken = 0
    while raw := file.read(READ_BYTES):
        taken += len(raw)
        while raw:
            if decoder is None:
                raw = raw.lstrip(b"\0")
                decoder = zlib.decompressobj(_WITH_GZIP) if raw else None
            if decoder is not None:
                for data in _drained(decoder, raw):
                    yield Chunk(data, taken)
                raw = decoder.unused_data
                decoder = None if decoder.eof else decoder
    if decoder is not None:
        raise StreamError("the gzip file is cut off")


def gzip_name(head: bytes) -> str | None:
    """The name that a gzip file gives its content, if it can be a file's (RFC 1952: flag 8, Latin-1, ends with NUL)."""
    if head[3:4] not in {b"\x08", b"\x09"}:
        return None
    name = head[10:].split(b"\0")[0].decode("latin-1").replace("\\", "/").rpartition("/")[2]
    return name if name.isprintable() and name not in {"", ".", ".."} and len(name) <= 200 else None


def _drained(decoder: _Decoder, raw: bytes) -> Iterator[bytes]:
    """All that comes of some compressed bytes, up to the end of the stream."""
    while True:
        with _damage_named():
            data = decoder.decompress(raw, CHUNK_BYTES)
        raw = decoder.unconsumed_tail
        if data:
            yield data
        if decoder.eof or (not raw and len(data) < CHUNK_BYTES):
            return


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise StreamError(f"its compressed data is damaged ({error})") from error
