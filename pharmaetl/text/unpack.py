"""A source file to its members, and those to UTF-8 text.

A source is a zip, a gzip file or one plain delimited file; its first bytes decide which, not its name. Nothing that a
container says of itself is trusted: sizes, checksums and bounds are counted while inflating.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from pharmaetl.download.transfer import Progress
from pharmaetl.errors import LocalIOError, SourceFormatError
from pharmaetl.text import ziparchive
from pharmaetl.text.beside import Beside
from pharmaetl.text.encoding import UTF8_BOM, Recoder, UndecodableError
from pharmaetl.text.inflate import GZIP, Chunk, StreamError, gzip_name, gzipped, stored
from pharmaetl.text.served import Served
from pharmaetl.text.sniff import HEAD_BYTES, not_data
from pharmaetl.text.undeclared import readings

_MIB = 1024 * 1024
_NOISE = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|\._|Thumbs\.db$)")
_AGAIN = "the site may be in the middle of an update: run again later, or give a file with --source"


@dataclass(frozen=True)
class Limits:
    """How large a source may unfold."""

    max_members: int = 10_000
    max_member_bytes: int = 8 * 1024**3
    max_total_bytes: int = 32 * 1024**3
    """All wanted members of one source together."""
    max_ratio: int = 200
    """Inflated to compressed bytes, once a member is larger than `ratio_from`."""
    ratio_from: int = 10 * _MIB


LIMITS = Limits()


@dataclass(frozen=True)
class Found:
    """One file in a source: its path in the zip, or the file's own name; sizes as the container states them."""

    name: str
    bytes: int | None
    crc32: int | None
    warnings: tuple[str, ...] = ()
    """What is odd about the container, though no reason to refuse it."""
    source: str = ""
    """The source's name as served, for errors; whoever stores the file may call it something else."""


@dataclass(frozen=True)
class Text:
    """A member as UTF-8 text; size and digests are of the member as served."""

    member: str
    path: Path
    bytes: int
    crc32: int
    sha256: str
    encoding: str
    """What the bytes were read as."""
    replacements: int
    """Bytes without a meaning in that encoding, U+FFFD in the text."""


Wanted = tuple[str, str | None, bool]
"""A table's name, its member pattern, and whether it may be absent."""


def members(path: Path, file_name: str, limits: Limits = LIMITS) -> tuple[Found, ...]:
    """The files in a source, noise left out; SourceFormatError where the container is no good."""
    with _named(file_name), path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head:
            raise StreamError("the file is empty (0 bytes)")
        if _is_zip(file, head):
            return _zip_members(file, file_name, limits)
        if head.startswith(GZIP):
            inner = next(gzipped(file), Chunk(b"", 0)).data
            if inner.startswith((*ziparchive.SIGNATURES, GZIP)):
                raise StreamError("a compressed file inside a gzip file")
            _refuse_foreign(inner)
            return (Found(gzip_name(head) or file_name.removesuffix(".gz"), None, None, source=file_name),)
        _refuse_foreign(head)
        return (Found(file_name, file.seek(0, 2), None, source=file_name),)


def select(
    found: Sequence[Found], wanted: Sequence[Wanted], file_name: str, limits: Limits = LIMITS
) -> dict[str, Found]:
    """The member of each table; SourceFormatError unless there is exactly one, or none and the table is optional.

    A pattern with `/` is for the whole path. One without is for names at the top, or, where none is there, for names
    one folder down: some zips wrap everything in a folder. Case doesn't matter. No pattern: the only file there is.
    """
    chosen: dict[str, Found] = {}
    for table, pattern, optional in wanted:
        matches = _matching(found, pattern)
        if len(matches) > 1:
            raise SourceFormatError(
                f"{file_name}: {len(matches)} members for table {table}"
                f"{f' ({pattern})' if pattern else ''}: {_listed(matches)}",
                hint="make `member` in the table's config say which" if pattern is None else _AGAIN,
            )
        if matches:
            chosen[table] = matches[0]
        elif not optional:
            raise _without(pattern, table, found, file_name)
    total = sum(member.bytes or 0 for member in chosen.values())
    if total > limits.max_total_bytes:
        raise SourceFormatError(f"{file_name}: {total:,} bytes unpacked are more than {limits.max_total_bytes:,}")
    return chosen


def _without(pattern: str | None, table: str, found: Sequence[Found], file_name: str) -> SourceFormatError:
    if len(found) == 1 and found[0].crc32 is None:
        return SourceFormatError(
            f"{file_name}: no zip, but a single file, and its name is not {pattern}, as table {table} wants it",
            hint="get the zip; or give the file a name that fits, where it is the table's own text",
        )
    return SourceFormatError(
        f"{file_name}: no member {pattern} for table {table}; there is {_listed(found)}",
        hint="if the source renamed it, change `member` in the table's config",
    )


def unpack(
    path: Path,
    found: Found,
    target: Path,
    *,
    encoding: str | None = None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
) -> Text:
    """Write a member to `target` as UTF-8: byte order mark removed, line ends as they are.

    Without a configured encoding, bytes that aren't UTF-8 are read as Windows-1252, unless the text is UTF-8 that is
    damaged in places: then those bytes stay as they are, and the splitter refuses their rows. Raises SourceFormatError
    where the member is empty, damaged, too large or not in the configured encoding; LocalIOError. Then `target` isn't
    there.
    """
    names = dict.fromkeys((found.source or path.name, found.name))
    with _named(": ".join(names)), _whole_or_not_at_all(target), path.open("rb") as file:
        for text in readings(next(_chunks(file, found, limits), b""), encoding):
            try:
                return _written(_chunks(file, found, limits), found, target, text, progress)
            except UndecodableError as error:
                last = error
        line = last.line_in(_chunks(file, found, limits))
        hint = "name the file's `encoding` in the table's config, or leave it out: UTF-8, else Windows-1252"
        raise SourceFormatError(f"{': '.join(names)}: line {line}: {last}", hint=hint) from last


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say of which file an error is."""
    try:
        yield
    except StreamError as error:
        raise SourceFormatError(f"{name}: {error}", hint=_AGAIN) from error
    except OSError as error:
        hint = "free some space, then run again" if error.errno == errno.ENOSPC else ""
        raise LocalIOError(f"{error.filename or name}: {error.strerror}", hint=hint) from error


@contextmanager
def _whole_or_not_at_all(target: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _is_zip(file: BinaryIO, head: bytes) -> bool:
    return head.startswith(ziparchive.SIGNATURES) or (not head.startswith(GZIP) and ziparchive.has_directory(file))


def _zip_members(file: BinaryIO, file_name: str, limits: Limits) -> tuple[Found, ...]:
    directory = ziparchive.read_directory(file, limits.max_members)
    found = [
        Found(entry.name, entry.bytes, entry.crc32, directory.warnings, file_name)
        for entry in directory.entries
        if not _NOISE.search(entry.name)
    ]
    if not found:
        raise StreamError("the zip has no members but what macOS or Windows left there")
    if all(member.name.lower().endswith(".zip") for member in found):
        raise StreamError(f"the zip holds nothing but zips ({_listed(found)})")
    return tuple(found)


def _refuse_foreign(head: bytes) -> None:
    if what := not_data(head):
        raise StreamError(what)


def _matching(found: Sequence[Found], pattern: str | None) -> list[Found]:
    if pattern is None:
        return list(found)
    exact = [member for member in found if _fits(member.name, pattern)]
    if exact or "/" in pattern:
        return exact
    return [member for member in found if _fits(member.name, f"*/{pattern}")]


def _fits(name: str, pattern: str) -> bool:
    parts, wanted = name.casefold().split("/"), pattern.casefold().split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _listed(found: Sequence[Found]) -> str:
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    return ", ".join(member.name for member in found[:10]) + more


def _chunks(file: BinaryIO, found: Found, limits: Limits) -> Iterator[bytes]:
    """A member's bytes within the limits; the first chunk is long enough to show a byte order mark."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if _is_zip(file, head):
        chunks = _zip_chunks(file, found, limits)
    elif head.startswith(GZIP):
        chunks = gzipped(file)
    else:
        size = file.seek(0, 2)
        file.seek(0)
        chunks = stored(file, size)
    held = b""
    for data in _bounded(chunks, found, limits):
        held += data
        if len(held) >= len(UTF8_BOM):
            yield held
            held = b""
    if held:
        yield held


def _zip_chunks(file: BinaryIO, found: Found, limits: Limits) -> Iterator[Chunk]:
    directory = ziparchive.read_directory(file, limits.max_members)
    entries = [entry for entry in directory.entries if entry.name == found.name]
    if len(entries) != 1:
        raise StreamError(f"the zip has {len(entries)} members of that name")
    return ziparchive.chunks(file, entries[0])


def _bounded(chunks: Iterator[Chunk], found: Found, limits: Limits) -> Iterator[bytes]:
    done = 0
    for data, taken in chunks:
        done += len(data)
        if max(done, found.bytes or 0) > limits.max_member_bytes:
            raise StreamError(f"it unfolds to more than {limits.max_member_bytes:,} bytes")
        if done > limits.ratio_from and done > limits.max_ratio * taken:
            raise StreamError(f"it unfolds to more than {limits.max_ratio} times its size, as a zip bomb does")
        if found.bytes is not None and done > found.bytes:
            raise StreamError(f"it unfolds to more than the {found.bytes:,} bytes that the container states")
        yield data


def _written(chunks: Iterator[bytes], found: Found, target: Path, text: Recoder, progress: Progress | None) -> Text:
    """Write the chunks as UTF-8, hashing them as served; then hold them against what the container states.

    Hashing and writing are done beside.
    """
    size = written = 0
    with target.open("wb") as out, Served() as served, Beside("writing") as writing:
        for data in chunks:
            served.take(data)
            size += len(data)
            recoded = text.feed(data)
            writing.do(out.write, recoded)
            written += len(recoded)
            if progress is not None:
                progress(size, found.bytes)
        writing.do(out.write, rest := text.finish())
        written += len(rest)
    if found.bytes not in {None, size}:
        raise StreamError(f"{size:,} bytes instead of the {found.bytes:,} that the container states")
    if found.crc32 not in {None, served.crc32}:
        raise StreamError(f"its checksum (CRC-32) is {served.crc32:08x} instead of {found.crc32:08x}")
    if written == 0:
        raise StreamError("the member is empty")
    return Text(found.name, target, size, served.crc32, served.sha256, text.encoding, text.replacements)
