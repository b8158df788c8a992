"""A zip file taken by its bytes, not at its word: the directory checked whole, members read within their own bounds."""

from __future__ import annotations

import errno
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from pharmaetl.text.inflate import Chunk, StreamError, deflated, stored

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_END, _END64, _LOCAL = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4s22x2H")
_LOCATOR_BYTES = 20
_LONGEST_COMMENT = 65535
_BYTES_PER_MEMBER = 400
"""Room for a member in the directory: 46 bytes, path, extra fields. Bounds what is read before it is counted."""
_LONGEST_NAME, _LONGEST_SEGMENT = 1000, 200
_METHODS = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "zstd",
    95: "xz",
    98: "PPMd",
    99: "AES",
}
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8_NAME = 0x800


@dataclass(frozen=True)
class Entry:
    """One file in a zip, as its directory describes it."""

    name: str
    bytes: int
    crc32: int
    compressed: int
    method: int
    encrypted: bool
    start: int
    """Offset of its local header."""
    data: int
    """Offset of its compressed bytes."""


@dataclass(frozen=True)
class Directory:
    """A zip's files, folders left out, and what is odd about it but no reason to refuse it."""

    entries: tuple[Entry, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _End:
    """The record at a zip's end that says where its directory is."""

    disks: tuple[int, int]
    entries: tuple[int, int]
    """On this disk, on all."""
    directory_bytes: int
    directory_at: int
    at: int
    """Offset behind the directory."""
    after: int
    """Offset behind the comment."""


def has_directory(file: BinaryIO) -> bool:
    """Does the file end as a zip does, whatever it starts with?"""
    return _end_record(file) is not None


def read_directory(file: BinaryIO, max_members: int) -> Directory:
    """Read and check the directory; StreamError where the container is damaged, hostile or empty."""
    end, size = _end_record(file), file.seek(0, 2)
    if end is None:
        raise StreamError(f"the zip is cut off: {size:,} bytes are there, the directory at its end is not")
    if any(end.disks) or end.entries[0] != end.entries[1]:
        raise StreamError("the zip is one part of several: multi-disk zips are not read")
    if max(end.entries[1], end.directory_bytes // _BYTES_PER_MEMBER) > max_members:
        raise StreamError(f"the zip has more than {max_members:,} members")
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            directory_at = archive.start_dir
        entries = [_entry(file, info) for info in infos]
    except StreamError:
        raise
    except (zipfile.BadZipFile, struct.error, NotImplementedError, EOFError, OverflowError, ValueError) as error:
        _raise_failing_disk(error.__context__)
        # ValueError: names that aren't in the encoding that is stated for them, offsets beyond what a file can have
        raise StreamError(f"the zip's directory is damaged: {error}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise StreamError("the zip's directory is damaged: it points outside the file") from error
    if len(entries) > max_members:
        raise StreamError(f"the zip has more than {max_members:,} members")
    _check_overlaps(entries, directory_at)
    files = tuple(entry for entry in entries if not entry.name.endswith("/"))
    if not files:
        raise StreamError("the zip has no members")
    return Directory(files, _oddities(end, size))


def _raise_failing_disk(cause: BaseException | None) -> None:
    """Raise what the system said, where zipfile took a disk that can't be read for a file that is no zip."""
    if isinstance(cause, OSError) and cause.errno != errno.EINVAL:
        raise cause


def chunks(file: BinaryIO, entry: Entry) -> Iterator[Chunk]:
    """A member's bytes, inflated; StreamError where they are encrypted, damaged or compressed in another way."""
    if entry.encrypted:
        raise StreamError("it is encrypted")
    if entry.method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        name = _METHODS.get(entry.method, "unknown")
        raise StreamError(f"compression method {entry.method} ({name}) is not read, only stored and deflate")
    file.seek(entry.data)
    return (deflated if entry.method == zipfile.ZIP_DEFLATED else stored)(file, entry.compressed)


def _end_record(file: BinaryIO) -> _End | None:
    size = file.seek(0, 2)
    start = file.seek(max(0, size - _END.size - _LONGEST_COMMENT))
    tail = file.read()
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or found + _END.size > len(tail):
        return None
    _, disk, first_disk, here, entries, length, offset, comment = _END.unpack_from(tail, found)
    at, after = start + found, start + found + _END.size + comment
    if after > size:
        return None
    before = tail[max(0, found - _LOCATOR_BYTES - _END64.size) : found]
    if before.startswith(b"PK\x06\x06") and before[_END64.size :].startswith(b"PK\x06\x07"):
        _, _, _, _, disk, first_disk, here, entries, length, offset = _END64.unpack_from(before)
        at -= len(before)
    return _End((disk, first_disk), (here, entries), length, offset, at, after)


def _entry(file: BinaryIO, info: zipfile.ZipInfo) -> Entry:
    _check_name(info)
    file.seek(info.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(b"PK\x03\x04"):
        raise StreamError(f"{info.filename}: the directory points to a place where no member starts")
    _, name_length, extra_length = _LOCAL.unpack(header)
    name = file.read(name_length).decode("utf-8" if info.flag_bits & _UTF8_NAME else "cp437")
    if name != info.orig_filename:
        raise StreamError(f"{info.filename} is called {name!r} where it starts")
    return Entry(
        name=info.filename,
        bytes=info.file_size,
        crc32=info.CRC,
        compressed=info.compress_size,
        method=info.compress_type,
        encrypted=bool(info.flag_bits & _ENCRYPTED),
        start=info.header_offset,
        data=info.header_offset + _LOCAL.size + name_length + extra_length,
    )


def _check_name(info: zipfile.ZipInfo) -> None:
    """A member's path must be usable below a folder as it is, and mean a file or a folder."""
    name = info.orig_filename
    segments = name.removesuffix("/").split("/")
    if len(name) > _LONGEST_NAME or any(len(segment.encode()) > _LONGEST_SEGMENT for segment in segments):
        raise StreamError(f"{name[:40]!r}…: a member's name of {len(name):,} characters")
    if re.search(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:", name) or not {"", ".", ".."}.isdisjoint(segments):
        raise StreamError(f"{name!r}: a member's name that leads outside its folder or can't be a file's")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise StreamError(f"{name} is a symbolic link")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise StreamError(f"{name} is neither a file nor a folder")


def _check_overlaps(entries: list[Entry], directory_at: int) -> None:
    ordered = sorted(entries, key=lambda entry: (entry.start, entry.data))
    for entry, following in pairwise(ordered):
        if entry.data + entry.compressed > following.start:
            raise StreamError(f"{entry.name} and {following.name} overlap")
    if ordered and ordered[-1].data + ordered[-1].compressed > directory_at:
        raise StreamError(f"{ordered[-1].name} overlaps the zip's directory")


def _oddities(end: _End, size: int) -> tuple[str, ...]:
    before, behind = end.at - end.directory_bytes - end.directory_at, size - end.after
    odd = [(before, "before its start"), (behind, "behind its end")]
    return tuple(f"the zip has {count:,} bytes {where} that don't belong to it" for count, where in odd if count > 0)
