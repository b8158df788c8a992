"""The publish log: what is current, whether a run has anything to add, and the one step that publishes.

The rules. A run publishes on top of the version it saw at its start, and on no other: entry N+1 is created if absent,
so of two runs the first one wins, and the other is told so (exit 6; or skipped, where both had the same inputs).
Entries never change. A rollback is a new entry that lists old files. No run is published twice.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

from pharmaetl.errors import (
    AlreadyPublishedError,
    CommitUnknownError,
    ConflictError,
    DeniedError,
    LocalIOError,
    NotStoredError,
    PharmaetlError,
    RefusedError,
    UnavailableError,
    UsageError,
)
from pharmaetl.lake import documentfile, layout, notice, pruned, publishlog
from pharmaetl.lake.changes import Changed, Decision, Inputs, Unchanged, decide
from pharmaetl.lake.currentstate import rebuild_state
from pharmaetl.lake.documents import LogEntry, Quality, Source, TableVersion
from pharmaetl.lake.integrity import Finding, damage, verify
from pharmaetl.lake.publishlog import current, entries, find
from pharmaetl.lake.storage import Storage

__all__ = [
    "Candidate", "Changed", "Decision", "Finding", "Inputs", "Unchanged",
    "commit", "current", "decide", "entries", "find", "rebuild_state", "rollback", "verify",
]  # fmt: skip

_log = logging.getLogger(__name__)

_SEND_ATTEMPTS = 2


@dataclass(frozen=True)
class Candidate:
    """A finished, audited version that is not in the log yet."""

    dataset: str
    run_id: str
    source: Source
    config_sha256: str
    code_sha256: str
    tables: tuple[TableVersion, ...]
    quality: Quality
    gold: tuple[TableVersion, ...] = ()
    engine: str = ""
    reason: str = ""
    claimed_after: int = 0
    """How many entries the log had before anybody had this run's id: none of them can be this run's."""


def commit(storage: Storage, candidate: Candidate, parent: LogEntry | None) -> LogEntry:
    """Publish on top of `parent`, the current entry that the run saw at its start.

    Raises AlreadyPublishedError where this run, or another one with the same inputs, is published; ConflictError where
    another run was first; CommitUnknownError where the answer was lost and the log can't settle it. Nothing is deleted.
    """
    entry = LogEntry(
        dataset=candidate.dataset,
        sequence=parent.sequence + 1 if parent else 1,
        commit_id=uuid.uuid4().hex,
        parent=parent.commit_id if parent else None,
        action="publish",
        run_id=candidate.run_id,
        version=layout.version_of(candidate.run_id),
        published_at=_now(),
        source=candidate.source,
        config_sha256=candidate.config_sha256,
        code_sha256=candidate.code_sha256,
        engine=candidate.engine,
        tables=candidate.tables,
        gold=candidate.gold,
        quality=candidate.quality,
        reason=candidate.reason,
    )
    # who has lost already needs no search of the log and no flush; who loses from here on is told by the create
    if not storage.exists(layout.log_entry(entry.dataset, entry.sequence)):
        _refuse_second_time(storage, candidate, parent)
        storage.sync([file.path for table in entry.all_tables for file in table.files])
    return _append(storage, entry)


def rollback(storage: Storage, dataset: str, to_run_id: str | None, reason: str) -> LogEntry:
    """Make an older version current again, by a new entry that lists its files.

    Without a run id: the version that was current when the present one was first published. Raises UsageError where
    there is no such version, RefusedError where `prune` gave it up or a file is missing or changed, and what `commit`
    raises.
    """
    log = entries(storage, dataset)
    if not log:
        raise UsageError(f"nothing of {dataset} is published yet", hint=f"publish with `pharmaetl run {dataset}`")
    target = _version_before(log) if to_run_id is None else _version_of(log, to_run_id)
    _refuse_pruned(storage, target)
    _refuse_damaged(storage, target)
    changed = {
        "sequence": log[-1].sequence + 1,
        "commit_id": uuid.uuid4().hex,
        "parent": log[-1].commit_id,
        "action": "rollback",
        "published_at": _now(),
        "reason": reason,
    }
    # announced first, and looked once more second: of a rollback and a pruning at least one sees the other
    with notice.announced(storage, dataset, "rollback", runs=[target.run_id]):
        _refuse_pruned(storage, target)
        return _append(storage, target.model_copy(update=changed))


def _append(storage: Storage, entry: LogEntry) -> LogEntry:
    """Create the entry, then refresh what is derived from it: a failure there is no failure of the commit."""
    entry = entry.model_copy(update={"parent_sha256": publishlog.sha256_of(storage, entry.dataset, entry.sequence - 1)})
    _create(storage, entry)
    try:
        rebuild_state(storage, entry.dataset)
    except PharmaetlError as error:
        _log.warning(
            "entry %d of %s is published; refreshing the current state failed: %s", entry.sequence, entry.dataset, error
        )
    return entry


def _create(storage: Storage, entry: LogEntry) -> None:
    """The commit: one create-if-absent. Whatever it answers but yes is settled by reading the entry back."""
    path, data = layout.log_entry(entry.dataset, entry.sequence), documentfile.encode(entry)
    for _ in range(_SEND_ATTEMPTS):
        lost: LocalIOError | UnavailableError | None = None
        try:
            if storage.create(path, data):
                return
        except (LocalIOError, UnavailableError) as error:
            lost = error
        found = _read_back(storage, entry, path)
        if found is not None:
            _settle(entry, found)
            return
        if isinstance(lost, LocalIOError | DeniedError):
            raise lost  # nothing can be on its way any more, so nothing was published
        # a request that seemed lost may still arrive; sending the same entry again can't publish it twice
    raise _unknown(entry, "the storage keeps failing")


def _read_back(storage: Storage, entry: LogEntry, path: str) -> LogEntry | None:
    """What the log has under this entry's number; None for nothing."""
    try:
        return documentfile.decode(LogEntry, path, storage.read(path))
    except NotStoredError:
        return None
    except (LocalIOError, UnavailableError) as error:
        raise _unknown(entry, error.reason) from error


def _settle(entry: LogEntry, found: LogEntry) -> None:
    """Is the entry that is there ours? Raises AlreadyPublishedError or ConflictError where it is another run's."""
    if found.commit_id == entry.commit_id:
        return
    dataset = entry.dataset
    if entry.action == "publish" and Inputs.of(found).same_as(Inputs.of(entry)):
        raise AlreadyPublishedError(
            f"already published by {found.run_id}",
            by=found.run_id,
            hint=f"`pharmaetl manifest show {dataset}` shows it; nothing else is to be done",
            run_id=entry.run_id,
        )
    done = "was published" if found.action == "publish" else "was made current again by a rollback"
    hint = f"`pharmaetl run {dataset}` again starts from that version"
    if entry.action == "rollback":
        hint = f"look at `pharmaetl manifest history {dataset}`, then roll back again if it is still wanted"
    raise ConflictError(
        f"run {found.run_id} of {dataset} {done} first, at {found.published_at}", hint=hint, run_id=entry.run_id
    )


def _unknown(entry: LogEntry, cause: str) -> CommitUnknownError:
    return CommitUnknownError(
        f"run {entry.run_id} of {entry.dataset} may be published or not: the answer to its commit was lost ({cause})",
        hint=f"nothing was deleted; once the storage answers, `pharmaetl manifest show {entry.dataset}` tells",
        run_id=entry.run_id,
    )


def _refuse_second_time(storage: Storage, candidate: Candidate, parent: LogEntry | None) -> None:
    if parent is None:
        return
    dataset, run_id = candidate.dataset, candidate.run_id
    if publishlog.read(storage, dataset, parent.sequence).commit_id != parent.commit_id:
        raise ConflictError(
            f"entry {parent.sequence} of {dataset} is not the one that this run started from",
            hint=f"`pharmaetl manifest verify {dataset}`, then run again",
            run_id=run_id,
        )
    earlier = publishlog.published_by(storage, dataset, run_id, upto=parent.sequence, after=candidate.claimed_after)
    if earlier is not None:
        raise AlreadyPublishedError(
            f"already published by {run_id}, as entry {earlier.sequence}",
            by=run_id,
            hint=f"a version can be made current again with `pharmaetl manifest rollback {dataset} --to {run_id}`",
            run_id=run_id,
        )


def _refuse_pruned(storage: Storage, target: LogEntry) -> None:
    dataset, run_id = target.dataset, target.run_id
    going = any(run_id in found.runs for found in notice.standing(storage, dataset, ["prune"]))
    if going or run_id in pruned.run_ids(storage, dataset):
        raise RefusedError(
            f"can't go back to {run_id}: `prune` {'is at' if going else 'has removed'} the files of that version",
            hint=f"choose another version from `pharmaetl manifest history {dataset}`",
        )


def _refuse_damaged(storage: Storage, target: LogEntry) -> None:
    damaged = damage(storage, target)
    if not damaged:
        return
    path, problem = next(iter(damaged.items()))
    more = f" (and {len(damaged) - 1} more files)" if len(damaged) > 1 else ""
    raise RefusedError(
        f"can't go back to {target.run_id}: {path}: {problem}{more}",
        hint=f"choose another version from `pharmaetl manifest history {target.dataset}`, "
        f"or publish anew with `pharmaetl run {target.dataset} --force`",
    )


def _version_before(log: Sequence[LogEntry]) -> LogEntry:
    """The version that was current when the present one was first published; what was rolled back does not count."""
    run_id = log[-1].run_id
    first_time = next((at for at, entry in enumerate(log) if entry.action == "publish" and entry.run_id == run_id), 0)
    if first_time == 0:
        raise UsageError(
            f"there is no version of {log[-1].dataset} before {run_id}",
            hint=f"name one with --to RUN_ID; `pharmaetl manifest history {log[-1].dataset}` lists them",
        )
    return log[first_time - 1]


def _version_of(log: Sequence[LogEntry], run_id: str) -> LogEntry:
    """The entry that published a run. Raises UsageError for a run that never was, or is current."""
    dataset = log[-1].dataset
    if run_id == log[-1].run_id:
        raise UsageError(f"{run_id} is the current version of {dataset}", hint="name another one with --to RUN_ID")
    published = {entry.run_id: entry for entry in log if entry.action == "publish"}
    if run_id not in published:
        near = get_close_matches(run_id, published, n=3, cutoff=0.5) or list(published)[-3:]
        raise UsageError(f"{dataset} has no published version of run {run_id}", hint=f"published: {', '.join(near)}")
    return published[run_id]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
