"""A file on its way into the spool: hashed as it grows, and left so that a later process can go on with it.

`<key>.partial` holds the first bytes of the file, `<key>.json` says which file: url, etag, last_modified, total.
The key is a digest of the URL as it may be shown. Only one process at a time fills a partial; another one that wants
the same URL meanwhile works under a name of its own.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pharmaetl.download.answers import Origin
from pharmaetl.errors import LocalIOError, RefusedError

CHUNK = 1024**2

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space, then run again",
    errno.EDQUOT: "the disk quota is used up: free some space, then run again",
    errno.EROFS: "the file system is read-only: choose another --lake",
    errno.EACCES: "check who owns the folder, and its permissions",
    errno.EPERM: "check who owns the folder, and its permissions",
}


@contextmanager
def local_io(path: Path) -> Iterator[None]:
    """Turn a failure of the machine's own storage into a LocalIOError that names the path."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "check the disk that holds this path")
        raise LocalIOError(f"{path}: {error.strerror or error}", hint=hint) from error


class Partial:
    """The bytes of one URL that have arrived so far.

    Leaving the context with an error keeps a partial that can be resumed, unless the data was refused or the disk
    failed; leaving it unfinished without an error removes it.
    """

    def __init__(self, spool: Path, url: str) -> None:
        self._spool = spool
        self._url = url
        key = hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._usual_path = spool / f"{key}.partial"
        self._finished = False
        self.origin = Origin()
        self.size = 0

    def __enter__(self) -> Self:
        with local_io(self._spool), ExitStack() as stack:
            self._spool.mkdir(parents=True, exist_ok=True)
            self._path, self._file = self._claim()
            stack.callback(self._file.close)
            self._note = self._path.with_suffix(".json")
            self._take_over()
            stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        passing = error is not None and not isinstance(error, RefusedError | LocalIOError)
        keep = passing and self.resumable and self._path == self._usual_path
        # The lock goes with the file, so the names are put in order first.
        with suppress(OSError):
            if not (keep or self._finished):
                self._note.unlink(missing_ok=True)
                self._path.unlink(missing_ok=True)
        self._file.close()

    @property
    def resumable(self) -> bool:
        """Can the rest be asked for, in a way that shows whether it belongs to these bytes?"""
        return self.size > 0 and self.origin.validator is not None

    @property
    def sha256(self) -> str:
        """Hash of the bytes so far."""
        return self._hash.hexdigest()

    def restart(self, origin: Origin) -> None:
        """Drop what has arrived; the bytes that come now are the first ones of `origin`."""
        with local_io(self._path):
            self._file.truncate(0)
            self._hash, self.size, self.origin = hashlib.sha256(), 0, origin
            self._write_note()

    def append(self, chunk: bytes) -> None:
        """Take the next bytes."""
        with local_io(self._path):
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._hash.update(chunk)
        self.size += len(chunk)

    def finish(self, file_name: str) -> Path:
        """The complete file's place in the spool. Its name starts with its hash: who has the path keeps those bytes."""
        target = self._spool / f"{self.sha256[:16]}-{file_name}"
        with local_io(target):
            self._path.replace(target)
            self._finished = True
            self._note.unlink(missing_ok=True)
        return target

    def _claim(self) -> tuple[Path, FileIO]:
        path = self._usual_path
        while True:
            file = path.open("a+b", buffering=0)
            if not _lock(file):
                file.close()
                path = self._spool / f"{self._usual_path.stem}-{secrets.token_hex(4)}.partial"
            elif _is_at(file, path):
                return path, file
            else:
                file.close()

    def _take_over(self) -> None:
        """Go on with what an earlier process left, if it says what it is; drop it otherwise."""
        self._hash = hashlib.sha256()
        size, origin = os.fstat(self._file.fileno()).st_size, self._read_note()
        total = origin.total if origin.total is not None else size + 1
        if not size or size > total or origin.validator is None:
            self.restart(Origin())
            return
        # A partial that is complete asks for its last byte again, to hear that the file is still the same.
        self._file.truncate(min(size, total - 1))
        self._file.seek(0)
        while chunk := self._file.read(CHUNK):
            self._hash.update(chunk)
            self.size += len(chunk)
        self.origin = origin

    def _read_note(self) -> Origin:
        try:
            note: Any = json.loads(self._note.read_bytes())
            origin = Origin(note["etag"], note["last_modified"], note["total"])
        except (OSError, ValueError, KeyError, TypeError):
            return Origin()
        texts = isinstance(origin.etag, str | None) and isinstance(origin.last_modified, str | None)
        return origin if texts and isinstance(origin.total, int | None) and note["url"] == self._url else Origin()

    def _write_note(self) -> None:
        if self.origin.validator is None:
            self._note.unlink(missing_ok=True)
            return
        origin = {"etag": self.origin.etag, "last_modified": self.origin.last_modified, "total": self.origin.total}
        # Never half a note: it is written before the first byte that it vouches for.
        draft = self._note.with_suffix(".tmp")
        draft.write_text(json.dumps({"url": self._url, **origin}), encoding="utf-8")
        draft.replace(self._note)


def _lock(file: FileIO) -> bool:
    """Is the file ours alone now? Where the file system knows no locks, it has to be."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_at(file: FileIO, path: Path) -> bool:
    """Is it still this file that the path leads to? Whoever held the lock before may have moved it away."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
