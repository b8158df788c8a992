"""Reading the publish log: `manifests/<dataset>/00000001.json` and on, a chain without gaps in which nothing changes.

The files themselves are the log. `manifests/<dataset>.json` is a copy for other readers and is never relied on here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from pharmaetl import hashing
from pharmaetl.errors import CorruptLogError, NotStoredError
from pharmaetl.lake import documentfile, layout
from pharmaetl.lake.documents import LogEntry
from pharmaetl.lake.storage import Storage, checked

_AT_ONCE = 16
"""Entries that are read side by side: on S3, one after the other takes a second for every thirty."""


def entries(storage: Storage, dataset: str) -> tuple[LogEntry, ...]:
    """The whole log, oldest entry first. Raises CorruptLogError where an entry or the chain is damaged."""
    numbers = range(1, newest_sequence(storage, dataset) + 1)
    log = tuple(_parsed(dataset, sequence, data) for sequence, data in _all_bytes(storage, dataset, numbers))
    for problem in chain_problems(log):
        raise documentfile.corrupt(*problem)
    return log


def current(storage: Storage, dataset: str) -> LogEntry | None:
    """The newest entry, which is what readers see; None before the first publication. Reads no older entry."""
    found = newest(storage, dataset)
    return found[0] if found else None


def newest(storage: Storage, dataset: str) -> tuple[LogEntry, bytes] | None:
    """The newest entry, parsed and as it is stored: one listing and one read."""
    sequence = newest_sequence(storage, dataset)
    if sequence == 0:
        return None
    data = _bytes(storage, dataset, sequence)
    return _parsed(dataset, sequence, data), data


def find(storage: Storage, dataset: str, run_id: str) -> LogEntry | None:
    """The entry with which a run was published."""
    return published_by(storage, dataset, run_id, upto=newest_sequence(storage, dataset))


def published_by(storage: Storage, dataset: str, run_id: str, *, upto: int, after: int = 0) -> LogEntry | None:
    """The same, among the entries after one sequence up to another; only those that mention the run are parsed."""
    mention = run_id.encode()
    for sequence, data in _all_bytes(storage, dataset, range(upto, after, -1)):
        if mention in data:
            entry = _parsed(dataset, sequence, data)
            if entry.action == "publish" and entry.run_id == run_id:
                return entry
    return None


def published(storage: Storage, dataset: str, *, upto: int, limit: int) -> tuple[LogEntry, ...]:
    """The last entries that published a version, oldest first; a rollback publishes nothing anew."""
    found: list[LogEntry] = []
    for sequence, data in _all_bytes(storage, dataset, range(upto, 0, -1)):
        entry = _parsed(dataset, sequence, data)
        if entry.action == "publish":
            found.append(entry)
        if len(found) == limit:
            break
    return tuple(reversed(found))


def read(storage: Storage, dataset: str, sequence: int) -> LogEntry:
    """One entry. Raises CorruptLogError where it is missing, unreadable, or another than its name says."""
    return _parsed(dataset, sequence, _bytes(storage, dataset, sequence))


def sha256_of(storage: Storage, dataset: str, sequence: int) -> str | None:
    """Hash of an entry as it is stored; None for the entry before the first one."""
    return hashing.of_bytes(_bytes(storage, dataset, sequence)) if sequence else None


def sequences(storage: Storage, dataset: str) -> list[int]:
    """Which entries there are, by the names in the log's folder."""
    found = (sequence_of(dataset, stored.path) for stored in storage.list(layout.log_dir(dataset)))
    return sorted(sequence for sequence in found if sequence is not None)


def sequence_of(dataset: str, path: str) -> int | None:
    """Which entry a path is; None for any other file."""
    stem = path.rsplit("/", 1)[-1].removesuffix(".json")
    if not (stem.isascii() and stem.isdigit()) or int(stem) == 0:
        return None
    return int(stem) if layout.log_entry(dataset, int(stem)) == path else None


def newest_sequence(storage: Storage, dataset: str) -> int:
    """The number of the newest entry, 0 without any. Raises CorruptLogError where one before it is missing."""
    listed = sequences(storage, dataset)
    for first, last in gaps(listed):
        # a folder that is read while entries are made may list a later one and miss an earlier one
        if not storage.exists(layout.log_entry(dataset, first)):
            raise gap(dataset, first, last)
    return listed[-1] if listed else 0


def gaps(listed: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last number of every gap in sorted sequences that should run from 1."""
    return [(before + 1, after - 1) for before, after in pairwise([0, *listed]) if after - before > 1]


def gap(dataset: str, first: int, last: int) -> CorruptLogError:
    """The error for entries that are missing in the middle of the log."""
    return documentfile.corrupt(layout.log_entry(dataset, first), gap_problem(first, last))


def gap_problem(first: int, last: int) -> str:
    """What a gap is called."""
    missing = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    return f"gap in the log: {missing} missing, and later ones are there"


def chain_problems(log: Iterable[LogEntry]) -> list[tuple[str, str]]:
    """Path and problem of every entry whose parent is not the one before it; a damaged log may lack entries."""
    problems = []
    before: LogEntry | None = None
    for entry in log:
        expected = before.commit_id if before else None
        follows = entry.sequence == (before.sequence + 1 if before else 1)
        if follows and entry.parent != expected:
            path = layout.log_entry(entry.dataset, entry.sequence)
            problems.append(
                (path, f"the chain is broken: its parent is {entry.parent}, the entry before it is {expected}")
            )
        before = entry
    return problems


def _all_bytes(storage: Storage, dataset: str, numbers: range) -> Iterator[tuple[int, bytes]]:
    """Entries in the order of their numbers, read a few at once; who stops early leaves the rest unread."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            yield from zip(some, pool.map(lambda number: _bytes(storage, dataset, number), some), strict=True)


def _bytes(storage: Storage, dataset: str, sequence: int) -> bytes:
    path = layout.log_entry(dataset, sequence)
    try:
        return storage.read(path)
    except NotStoredError as error:
        raise documentfile.corrupt(path, "missing from the log") from error


def _parsed(dataset: str, sequence: int, data: bytes) -> LogEntry:
    path = layout.log_entry(dataset, sequence)
    entry = documentfile.decode(LogEntry, path, data)
    if (entry.dataset, entry.sequence) != (dataset, sequence):
        raise documentfile.corrupt(
            path, f"it says it is entry {entry.sequence} of {entry.dataset}, its name says otherwise"
        )
    for table in entry.all_tables:
        for file in (table.path, *(listed.path for listed in table.files)):
            try:
                checked(file)
            except ValueError as error:
                raise documentfile.corrupt(path, f"it lists a file outside the lake: {file!r}") from error
    return entry
