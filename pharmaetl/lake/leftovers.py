"""What processes that are gone left in `.work/`: their workspaces, unfinished writes, broken downloads, notices.

What a name or a note in it says to be of a process of this host goes as soon as that process is gone; of anything else,
only its age can be known. A download that is locked is in use, whatever its age.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pharmaetl.errors import CorruptLogError, NotStoredError
from pharmaetl.lake import documentfile, layout, notice, process
from pharmaetl.lake.marks import Doomed, Rules
from pharmaetl.lake.storage import Storage, Stored

_WORKSPACE = re.compile(r"([a-z][a-z0-9_]*)-[0-9a-f]{12}")
_LOCK = "lock"


@dataclass(frozen=True)
class _Unit:
    """Files that are needed together or not at all."""

    name: str
    files: tuple[Stored, ...]
    modified: float
    dataset: str = ""
    owner: str = ""
    """host:pid, where it says so."""
    is_folder: bool = False


def find(storage: Storage, dataset: str | None, rules: Rules) -> tuple[tuple[Doomed, ...], tuple[Doomed, ...]]:
    """What may go, and what would be too young, of one dataset or all; what belongs to none is in both."""
    doomed: list[Doomed] = []
    young: list[Doomed] = []
    for unit in _units(storage):
        if dataset is not None and unit.dataset not in {"", dataset}:
            continue
        state = process.state_of(unit.owner)
        if state != "alive":
            reason = "left by a process that is gone" if state == "gone" else "left over: nobody has touched it lately"
            keep = state == "unknown" and rules.is_young(unit.modified)
            (young if keep else doomed).extend(_parts(unit, reason))
    return tuple(doomed), tuple(young)


def remove(storage: Storage, doomed: Doomed) -> bool:
    """Remove a leftover; False where it is in use after all."""
    if doomed.path.endswith("/"):
        shutil.rmtree(Path(storage.root, doomed.path), ignore_errors=True)
        return True
    with _unlocked(storage, doomed.path) as is_free:
        if is_free:
            storage.delete(doomed.path)
        return is_free


def _parts(unit: _Unit, reason: str) -> Iterator[Doomed]:
    for file in unit.files:
        yield Doomed(file.path, file.bytes, reason, unit.dataset)
    if unit.is_folder:
        yield Doomed(f"{layout.WORK}/{unit.name}/", 0, reason, unit.dataset)


def _units(storage: Storage) -> Iterator[_Unit]:
    groups: dict[tuple[str, ...], list[Stored]] = {}
    for file in storage.list(layout.WORK):
        groups.setdefault(_group(file.path), []).append(file)
    for key, files in groups.items():
        newest = max(file.modified for file in files)
        match key:
            case ("downloads", dataset, name):
                if name != _LOCK:
                    yield _Unit(name, tuple(files), newest, dataset)
            case ("notices", dataset, name):
                yield _Unit(name, tuple(files), newest, dataset, _who_announced(storage, files[0].path))
            case (name,) if "/" not in files[0].path.removeprefix(f"{layout.WORK}/"):
                yield _Unit(name, tuple(files), newest, owner=process.owner_of(name))
            case (name, *_) if not _is_local(storage):
                yield _Unit(name, tuple(files), newest, _dataset_of(name))
            case _:
                continue
    if _is_local(storage):
        yield from _workspaces(storage, {key[0]: files for key, files in groups.items() if len(key) == 1})


def _is_local(storage: Storage) -> bool:
    """Are the lake's files on this machine's file system, folders and locks included?"""
    return "://" not in storage.root


def _group(path: str) -> tuple[str, ...]:
    """What a file goes together with: a partial with its note, a workspace as a whole."""
    top, *rest = path.removeprefix(f"{layout.WORK}/").split("/")
    if top == "downloads" and len(rest) == 2:
        stem = rest[1].partition(".")[0] if rest[1].endswith((".partial", ".json", ".tmp")) else rest[1]
        return top, rest[0], stem
    if top == "notices" and len(rest) == 2:
        return top, rest[0], rest[1]
    return (top,)


def _workspaces(storage: Storage, files: dict[str, list[Stored]]) -> Iterator[_Unit]:
    """Folders of runs, empty ones too."""
    with suppress(FileNotFoundError):
        for folder in sorted(Path(storage.root, layout.WORK).iterdir()):
            if folder.name in {"downloads", "notices"} or folder.is_symlink() or not folder.is_dir():
                continue
            with suppress(FileNotFoundError):
                inside = tuple(files.get(folder.name, ()))
                modified = max([folder.stat().st_mtime, *(file.modified for file in inside)])
                owner = _noted_owner(folder / layout.OWNER_NOTE) or process.owner_of(folder.name)
                yield _Unit(folder.name, inside, modified, _dataset_of(folder.name), owner, is_folder=True)


def _dataset_of(name: str) -> str:
    workspace = _WORKSPACE.fullmatch(name)
    return workspace[1] if workspace else ""


def _noted_owner(note: Path) -> str:
    try:
        return note.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _who_announced(storage: Storage, path: str) -> str:
    try:
        return documentfile.decode(notice.Notice, path, storage.read(path)).process
    except (NotStoredError, CorruptLogError):
        return ""


@contextmanager
def _unlocked(storage: Storage, path: str) -> Iterator[bool]:
    """Hold a download's locks, so that nobody goes on with it meanwhile; False where somebody has them."""
    if not _is_local(storage) or not path.startswith(f"{layout.WORK}/downloads/"):
        yield True
        return
    file = Path(storage.root, path)
    with ExitStack() as stack:
        yield all(_locked(stack, place) for place in (file.parent / _LOCK, file))


def _locked(stack: ExitStack, place: Path) -> bool:
    try:
        file: IO[bytes] = stack.enter_context(place.open("rb"))
    except OSError:  # no lock was ever made here, or the file is gone
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
