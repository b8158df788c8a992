"""What a process is about to do with files or records of other runs, told to the others before it does it.

Everybody announces first and looks at the announcements of others second. Of two that meet, at least one sees the
other, on every storage that shows a created file at once; no lock is held, and what a dead process announced is void.

| who | announces | then looks for |
|---|---|---|
| a run | its record: running, its source | notices that name its run or its source: it waits until they are gone |
| a rollback | a notice: it needs a version | a pruning of that version: it is refused |
| `prune` | a notice: what it may remove | runs and rollbacks that need some of it: that stays |
| a run that closes a dead one | a notice: which one | whether that one was resumed meanwhile |
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Literal

from pharmaetl.errors import ConflictError, CorruptLogError, NotStoredError, PharmaetlError
from pharmaetl.lake import documentfile, layout, process
from pharmaetl.lake.document import FORMAT, Document
from pharmaetl.lake.storage import Storage

Doing = Literal["prune", "rollback", "close"]

LEASE_SECONDS = 600.0
"""How long a notice of another host counts; who wrote it has stopped well before (`WORK_SECONDS`)."""
WORK_SECONDS = 300.0
_POLL_SECONDS = 0.1


class Notice(Document):
    """One process's announcement."""

    format: int = FORMAT
    doing: Doing
    process: str
    at: str
    runs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """sha256 of raw files."""


@contextmanager
def announced(
    storage: Storage, dataset: str, doing: Doing, *, runs: Iterable[str] = (), sources: Iterable[str] = ()
) -> Iterator[str]:
    """Let the others know, until the context ends; yields the notice's path."""
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    notice = Notice(
        doing=doing, process=process.process_name(), at=at, runs=tuple(sorted(runs)), sources=tuple(sorted(sources))
    )
    path = layout.notice(dataset, uuid.uuid4().hex)
    storage.create(path, documentfile.encode(notice))
    try:
        yield path
    finally:
        with suppress(PharmaetlError):  # void anyway, once this process is gone
            storage.delete(path)


def standing(storage: Storage, dataset: str, doing: Iterable[Doing]) -> tuple[Notice, ...]:
    """The notices of a dataset that somebody may still be acting on."""
    wanted = set(doing)
    found = []
    for stored in storage.list(layout.notices(dataset)):
        try:
            notice = documentfile.decode(Notice, stored.path, storage.read(stored.path))
        except (NotStoredError, CorruptLogError):  # taken back since it was listed, or no notice
            continue
        if notice.doing in wanted and is_standing(notice, stored.modified):
            found.append(notice)
    return tuple(found)


def is_standing(notice: Notice, modified: float) -> bool:
    """May its process still act on it? Of another host's process, that is known by the notice's age alone."""
    state = process.state_of(notice.process)
    return state == "alive" or (state == "unknown" and time.time() - modified <= LEASE_SECONDS)


def wait_until_clear(
    storage: Storage, dataset: str, run_id: str, source_sha256: str, *, note: Callable[[str], None], seconds: float
) -> bool:
    """Wait while others are at this run or its source; True where there was something to wait for.

    Raises ConflictError where they are not done in time.
    """
    end = time.monotonic() + seconds
    waited = False
    while at_it := _about(storage, dataset, run_id, source_sha256):
        if not waited:
            note(f"waiting for {at_it.process}, which is at `{at_it.doing}` with files of {run_id} or its source")
        waited = True
        if time.monotonic() >= end:
            raise ConflictError(
                f"{at_it.process} is at `{at_it.doing}` of {dataset} since {at_it.at}, with what this run needs",
                hint=f"run again once it is done; if it hangs: end it, then run again (its notice: "
                f"{layout.notices(dataset)})",
                run_id=run_id,
            )
        time.sleep(_POLL_SECONDS)
    return waited


def _about(storage: Storage, dataset: str, run_id: str, source_sha256: str) -> Notice | None:
    for notice in standing(storage, dataset, ("prune", "close")):
        if run_id in notice.runs or (source_sha256 and source_sha256 in notice.sources):
            return notice
    return None
