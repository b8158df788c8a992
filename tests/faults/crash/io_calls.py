"""Counts a process's input and output calls below some folders, and lets the n-th of them fail.

Of the reads, and of the writes, that are made through one open file the first two count: the others differ in nothing.
"""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS = ("stat", "lstat", "mkdir", "scandir", "listdir", "link", "rename", "replace", "unlink", "remove", "rmdir")
CHANGES = frozenset({"mkdir", "link", "rename", "replace", "write", "create", "fsync"})
"""Calls that a full disk makes fail."""
_COUNTED = 2

Strike = Callable[[dict[str, Any], str], None]


def count_calls(fault: dict[str, Any], strike: Strike) -> None:
    """Let call number `nth` below `folders` fail; each call's name and path is added to the file `trace`, if given."""
    counter = _Counter(fault, strike)
    for name in CALLS:
        setattr(os, name, _counted(getattr(os, name), name, counter))
    os.open = _counted_open(os.open, counter)
    os.fsync = _counted_fsync(os.fsync, counter)
    io.open = builtins.open = _counted_file(io.open, counter)


class _Counter:
    def __init__(self, fault: dict[str, Any], strike: Strike) -> None:
        self._fault, self._strike, self._seen = fault, strike, 0
        self._folders = tuple(fault["folders"])
        self._log = os.open(fault["trace"], os.O_WRONLY | os.O_CREAT) if fault.get("trace") else None

    def saw(self, name: str, path: object) -> None:
        """One call; strikes if it is the n-th."""
        where = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if not where.startswith(self._folders):
            return
        self._seen += 1
        if self._log is not None:
            os.write(self._log, f"{name} {where}\n".encode())
        if self._seen == self._fault["nth"]:
            self._folders = ()  # the mark itself is not counted
            self._strike(self._fault, where)


def _counted(original: Callable[..., Any], name: str, counter: _Counter) -> Callable[..., Any]:
    def call(path: Any = ".", *args: Any, **more: Any) -> Any:
        counter.saw(name, path)
        return original(path, *args, **more)

    return call


def _counted_open(original: Callable[..., Any], counter: _Counter) -> Callable[..., Any]:
    def call(path: Any, flags: int, *args: Any, **more: Any) -> Any:
        counter.saw("create" if flags & os.O_CREAT else "open", path)
        return original(path, flags, *args, **more)

    return call


def _counted_fsync(original: Callable[..., Any], counter: _Counter) -> Callable[..., Any]:
    def call(descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        counter.saw("fsync", Path(f"/proc/self/fd/{number}").readlink())
        original(descriptor)

    return call


def _counted_file(original: Callable[..., Any], counter: _Counter) -> Callable[..., Any]:
    def call(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        if isinstance(file, int):
            return original(file, mode, *args, **more)
        counter.saw("open" if mode.startswith("r") and "+" not in mode else "create", file)
        return _CountedFile(original(file, mode, *args, **more), os.fsdecode(file), counter)

    return call


class _CountedFile:
    """A file whose reads and writes are counted; half of what a failing write was given has reached the disk."""

    def __init__(self, file: Any, path: str, counter: _Counter) -> None:
        self._file, self._path, self._counter = file, path, counter
        self._left = {"read": _COUNTED, "write": _COUNTED}

    def read(self, *args: Any) -> Any:
        self._saw("read")
        return self._file.read(*args)

    def readinto(self, buffer: Any) -> Any:
        self._saw("read")
        return self._file.readinto(buffer)

    def write(self, data: Any) -> Any:
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        self._saw("write")
        return half + self._file.write(data[half:])

    def _saw(self, name: str) -> None:
        if self._left[name]:
            self._left[name] -= 1
            self._counter.saw(name, self._path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _CountedFile:
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._file.__exit__(*error)

    def __iter__(self) -> Any:
        return iter(self._file)


def calls_of(trace: Path) -> list[str]:
    """The calls that were counted, in order: name and path."""
    return trace.read_text().splitlines()
