"""Where a lake's bytes are: a small protocol, and the way from a lake's URL to the storage behind it.

`pharmaetl.lake.local_storage` is the local file system, `pharmaetl.aws.s3` is S3. A storage joins by passing
`tests/contract/storage_contract.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from pharmaetl.errors import ConfigError


@dataclass(frozen=True)
class Stored:
    """One file of the lake."""

    path: str
    bytes: int
    modified: float = field(default=math.inf, compare=False)
    """When it was last written, in POSIX seconds by the storage's clock; endlessly young where that isn't told."""


class Storage(Protocol):
    """A tree of files below a root. Paths are relative, with forward slashes; others raise ValueError (see `checked`).

    Errors: NotStoredError where a path is not there, LocalIOError or UnavailableError where the storage fails.
    Opening writes nothing; the first write makes the root.
    """

    root: str
    """Absolute path or URL, without a trailing slash."""

    def url(self, path: str) -> str:
        """What an engine reads or writes for this path: an absolute path or a URL."""
        ...

    def read(self, path: str) -> bytes:
        """The whole of a (small) file."""
        ...

    def size(self, path: str) -> int:
        """Bytes of a file."""
        ...

    def exists(self, path: str) -> bool:
        """Is there a file at this path?"""
        ...

    def list(self, prefix: str) -> Iterator[Stored]:
        """Every file below a folder, at any depth, sorted by path; nothing where the folder isn't there."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Write a file if none is there, atomically and durably; False where one is."""
        ...

    def replace(self, path: str, data: bytes) -> None:
        """Write a file whole, over the one that may be there: readers see the old or the new one, never a part."""
        ...

    def put(self, path: str, local: Path) -> None:
        """Move a finished local file into the lake, whole or not at all and durably; keeps what is there already.

        Afterwards the local file is gone, so pass only files that the run itself has made, never a user's own.
        """
        ...

    def sync(self, paths: Iterable[str]) -> None:
        """Make files that an engine wrote through `url` durable; NotStoredError where one is missing."""
        ...

    def fetch(self, path: str, local: Path) -> None:
        """Copy a file out of the lake."""
        ...

    def sha256(self, path: str) -> str:
        """Hash of the file's bytes as they are stored, read anew."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file; nothing happens where none is."""
        ...


@runtime_checkable
class CopyingStorage(Storage, Protocol):
    """A storage that copies files by itself, without their bytes coming here."""

    def copy(self, source: str, target: str) -> bool:
        """Copy a file if none is at the target; False where the same bytes are. ConflictError where others are."""
        ...


def checked(path: str) -> str:
    """The path itself, if it is relative, plain and stays below the root. Raises ValueError otherwise."""
    parts = path.split("/")
    if not path or "\\" in path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"{path!r} is no plain path below the lake's root")
    return path


def open_storage(url: str) -> Storage:
    """The storage behind a path or a file URL, ConfigError for anything else; `pharmaetl.place` opens s3 URLs too."""
    from pharmaetl.lake.local_storage import LocalStorage

    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", url)
    if not url.strip():
        raise ConfigError("the lake has no path", hint="pass --lake PATH, or set PHARMAETL_LAKE")
    if scheme is None:
        return LocalStorage(Path(url))
    if scheme[1].lower() == "file":
        return LocalStorage(Path(_path_of(url)))
    raise ConfigError(f"a lake can't be on {scheme[1]}://", hint="use a path, a file:/// URL or s3://bucket/prefix")


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path:
        raise ConfigError(
            f"{url} names no file on this machine", hint="write file:///absolute/path, with three slashes"
        )
    return unquote(parts.path)


class WriteRefusedError(RuntimeError):
    """Something tried to write where nothing may be written: a bug in a dry run."""


class ReadOnlyStorage:
    """Another storage without its writes: proves that a dry run writes nothing."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.root = inner.root

    def url(self, path: str) -> str:
        """As the inner storage."""
        return self._inner.url(path)

    def read(self, path: str) -> bytes:
        """As the inner storage."""
        return self._inner.read(path)

    def size(self, path: str) -> int:
        """As the inner storage."""
        return self._inner.size(path)

    def exists(self, path: str) -> bool:
        """As the inner storage."""
        return self._inner.exists(path)

    def list(self, prefix: str) -> Iterator[Stored]:
        """As the inner storage."""
        return self._inner.list(prefix)

    def fetch(self, path: str, local: Path) -> None:
        """As the inner storage: the copy lies outside the lake."""
        self._inner.fetch(path, local)

    def sha256(self, path: str) -> str:
        """As the inner storage."""
        return self._inner.sha256(path)

    def create(self, path: str, data: bytes) -> bool:
        """Refused."""
        self._refuse(path, data)

    def replace(self, path: str, data: bytes) -> None:
        """Refused."""
        self._refuse(path, data)

    def put(self, path: str, local: Path) -> None:
        """Refused."""
        self._refuse(path, local)

    def sync(self, paths: Iterable[str]) -> None:
        """Refused."""
        self._refuse(", ".join(paths))

    def delete(self, path: str) -> None:
        """Refused."""
        self._refuse(path)

    def _refuse(self, path: str, *_: object) -> NoReturn:
        raise WriteRefusedError(f"a dry run writes nothing, and something wanted to write {path} in {self.root}")
