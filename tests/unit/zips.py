"""Zips for tests, sound ones and tampered ones."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

FLAGS, METHOD, CRC32, COMPRESSED, SIZE, ATTRIBUTES, OFFSET = (
    (8, 2),
    (10, 2),
    (16, 4),
    (20, 4),
    (24, 4),
    (38, 4),
    (42, 4),
)
"""Place and width of fields in a member's directory entry."""


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A sound zip; a name that ends with `/` is a folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def entry_at(data: bytes, number: int = 0) -> int:
    """Offset of a member's directory entry."""
    at = data.index(b"PK\x01\x02")
    for _ in range(number):
        at = data.index(b"PK\x01\x02", at + 4)
    return at


def tampered(data: bytes, field: tuple[int, int], value: int, number: int = 0) -> bytes:
    """The zip with a field of one directory entry changed."""
    place, width = field
    at = entry_at(data, number) + place
    return data[:at] + value.to_bytes(width, "little") + data[at + width :]


def number_in(data: bytes, field: tuple[int, int], number: int = 0) -> int:
    """What a field of a directory entry says."""
    place, width = field
    at = entry_at(data, number) + place
    return int.from_bytes(data[at : at + width], "little")


def zip64_of(name: bytes, data: bytes) -> bytes:
    """A zip with one stored member, described by 64-bit records throughout, as tools write for files above 4 GiB."""
    crc32, many = zlib.crc32(data), 0xFFFFFFFF
    extra = struct.pack("<2H2Q", 1, 16, len(data), len(data))
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0, 0, 0, 33, crc32, many, many, len(name), len(extra))
    body = local + name + extra + data
    extra = struct.pack("<2H3Q", 1, 24, len(data), len(data), 0)
    sizes = (crc32, many, many, len(name), len(extra))
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 45, 45, 0, 0, 0, 33, *sizes, 0, 0, 0, 0, many)
    directory = entry + name + extra
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(directory), len(body))
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, many, many, 0)
    return body + directory + end64 + locator + end


def written(folder: Path, data: bytes, name: str = "source.zip") -> Path:
    """A file with these bytes."""
    path = folder / name
    path.write_bytes(data)
    return path
