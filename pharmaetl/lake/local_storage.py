"""A lake on the local file system.

A write goes to `.work/` first, is flushed to the disk, and then gets its name in one step: by a hard link where nothing
may be overwritten, by a rename where it may. What a killed process leaves is a file in `.work/`, where no reader looks.

A file system without hard links (FAT, some network shares) is refused with a ConfigError: `O_EXCL` makes a name before
the content is there, a rename overwrites, and the standard library has no other way to create a whole file if none is
there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pharmaetl.errors import ConfigError, LocalIOError, NotStoredError
from pharmaetl.lake import layout
from pharmaetl.lake.process import file_prefix
from pharmaetl.lake.storage import Stored, checked

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NOT_ALLOWED = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
_FAILING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO}
_CHECK_DISK = "check the disk and its connection"
_FOLDER_ATTEMPTS = 20


class LocalStorage:
    """A lake below a folder of this machine."""

    def __init__(self, root: Path) -> None:
        try:
            self._root = root.expanduser().resolve()
            in_the_way = self._root.exists() and not self._root.is_dir()
        except (OSError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno in _FAILING:
                raise LocalIOError(f"can't open the lake {root}: {error.strerror}", hint=_CHECK_DISK) from error
            raise ConfigError(
                f"the lake {root} can't be opened: {error}", hint="choose another folder with --lake"
            ) from error
        if in_the_way:
            raise ConfigError(f"the lake {self._root} is a file, not a folder", hint="choose a folder with --lake")
        self.root = str(self._root)

    def url(self, path: str) -> str:
        """The absolute path; the root itself for an empty path."""
        return str(self._at(path)) if path else self.root

    def read(self, path: str) -> bytes:
        """The file's bytes."""
        file = self._at(path)
        with _reading(file):
            return file.read_bytes()

    def size(self, path: str) -> int:
        """The file's length in bytes."""
        file = self._at(path)
        with _reading(file):
            status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise NotStoredError(f"{file} is no file")
        return status.st_size

    def exists(self, path: str) -> bool:
        """Is there a file?"""
        file = self._at(path)
        with _reading(file):
            return file.is_file()

    def list(self, prefix: str) -> Iterator[Stored]:
        """Every file below a folder, sorted by path; folders behind symbolic links are not entered."""
        path = prefix.rstrip("/")
        yield from _walk(self._at(path) if path else self._root, f"{path}/" if path else "")

    def create(self, path: str, data: bytes) -> bool:
        """Write a new file; False where one is already."""
        target = self._at(path)
        with _writing(target):
            if target.exists():  # the link would say so too, but only after a flush
                return False
            with self._temporary() as temp:
                _write(temp, data)
                return self._link(temp, target)

    def replace(self, path: str, data: bytes) -> None:
        """Write a file, over the one that may be there."""
        target = self._at(path)
        with _writing(target), self._temporary() as temp:
            _write(temp, data)
            _in_its_folder(target, lambda: temp.replace(target))
            _sync(target.parent)

    def put(self, path: str, local: Path) -> None:
        """Move a file in: by a link on the same file system, by a copy otherwise."""
        target = self._at(path)
        with _writing(target):
            if not target.exists() and not self._move(local, target):
                with self._temporary() as temp:
                    shutil.copyfile(local, temp)
                    _sync(temp)
                    self._link(temp, target)
            local.unlink(missing_ok=True)

    def sync(self, paths: Iterable[str]) -> None:
        """Flush files, then every folder from theirs up to the root."""
        folders = {self._root}
        for path in paths:
            file = self._at(path)
            with _reading(file):
                _sync(file)
            folders.update(folder for folder in file.parents if folder.is_relative_to(self._root))
        for folder in folders:
            with _reading(folder):
                _sync(folder)

    def fetch(self, path: str, local: Path) -> None:
        """Copy a file out, whole or not at all."""
        file = self._at(path)
        partial = local.with_name(f"{local.name}.partial")
        with _reading(file), file.open("rb") as source, _writing(local):
            try:
                with partial.open("wb") as target:
                    shutil.copyfileobj(source, target)
                partial.replace(local)
            finally:
                partial.unlink(missing_ok=True)

    def sha256(self, path: str) -> str:
        """The file's digest, read anew."""
        file = self._at(path)
        with _reading(file), file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()

    def delete(self, path: str) -> None:
        """Remove a file, and the folders that it leaves empty; the top-level ones stay."""
        file = self._at(path)
        with _writing(file), suppress(NotADirectoryError):
            file.unlink(missing_ok=True)
        with suppress(OSError):  # the first folder that is not empty, or gone, ends it
            folders = path.split("/")[:-1]
            for depth in range(len(folders), 1, -1):
                self._root.joinpath(*folders[:depth]).rmdir()

    def _at(self, path: str) -> Path:
        return self._root / checked(path)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A new name in `.work/` that says whose it is; what is there in the end is removed."""
        folder = self._root / layout.WORK
        _make_folder(folder)
        temp = folder / f"{file_prefix()}.{uuid.uuid4().hex}.tmp"
        try:
            yield temp
        finally:
            with suppress(OSError):
                temp.unlink(missing_ok=True)

    def _move(self, local: Path, target: Path) -> bool:
        """Give a local file its name in the lake, if it has no other name through which it could change later."""
        status = local.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return False
        _sync(local)
        try:
            self._link(local, target)
        except ConfigError:  # another file system
            return False
        return True

    def _link(self, temp: Path, target: Path) -> bool:
        """Give a flushed file its final name; False where another file has it."""
        try:
            _in_its_folder(target, lambda: os.link(temp, target))
        except FileExistsError:
            # a file server may have made the link, lost its answer and been asked again (open(2), O_EXCL)
            return temp.stat().st_nlink > 1
        except OSError as error:
            if error.errno in _NO_LINKS:
                raise self._no_links(error) from error
            raise
        _sync(target.parent)
        return True

    def _no_links(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"the file system of {self.root} makes no hard links ({error.strerror}), so nothing can be published",
            hint="put the lake on a local disk (ext4, xfs, btrfs, APFS or NTFS) with --lake",
        )


def _write(file: Path, data: bytes) -> None:
    with file.open("xb") as output:
        output.write(data)
        output.flush()
        os.fsync(output.fileno())


def _sync(path: Path) -> None:
    """Flush a file, or a folder's list of names. Some network file systems can't flush folders, and say EINVAL."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def _in_its_folder(target: Path, make: Callable[[], object]) -> None:
    """Make a file in a folder that others may remove whenever it is empty."""
    for _ in range(_FOLDER_ATTEMPTS):
        with suppress(FileNotFoundError):
            _make_folder(target.parent)
            make()
            return
    _make_folder(target.parent)
    make()


def _make_folder(folder: Path) -> None:
    """Make a folder and the missing ones above it, durably."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        try:
            each.mkdir(exist_ok=True)
        except FileExistsError as error:  # a file, not a folder
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(each)) from error
        _sync(each.parent)


def _walk(folder: Path, prefix: str) -> Iterator[Stored]:
    """Files below a folder, in the order of their whole paths: a folder sorts as its name with a slash, as on S3."""
    try:
        with _reading(folder), os.scandir(folder) as scan:
            found = dict(_named(entry) for entry in scan)
    except NotStoredError:
        return
    for name in sorted(found):
        status = found[name]
        if name.endswith("/"):
            yield from _walk(folder / name, f"{prefix}{name}")
        elif status is not None:
            yield Stored(f"{prefix}{name}", status.st_size, status.st_mtime)


def _named(entry: os.DirEntry[str]) -> tuple[str, os.stat_result | None]:
    """Name and status; none for a folder (its name ends with a slash), a file that has gone, a link to nowhere."""
    if entry.is_dir(follow_symlinks=False):
        return f"{entry.name}/", None
    try:
        return entry.name, entry.stat()
    except FileNotFoundError:
        return entry.name, None


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotStoredError(
            f"{file} is not there", hint="`pharmaetl manifest verify DATASET` lists what is missing"
        ) from error
    except OSError as error:
        hint = "give this user permission to read it" if error.errno in _NOT_ALLOWED else _CHECK_DISK
        raise LocalIOError(f"can't read {file}: {error.strerror or error}", hint=hint) from error


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            hint = (
                "free space there (`pharmaetl prune` removes what dead runs left), or choose another lake with --lake"
            )
        elif error.errno in _NOT_ALLOWED:
            hint = "it is not writable for this user: change its permissions, or choose another lake with --lake"
        else:
            hint = f"{_CHECK_DISK}, or choose another lake with --lake"
        raise LocalIOError(f"can't write {file}: {error.strerror or error}", hint=hint) from error
