"""Run records: what every run did, the failed, skipped and interrupted ones included."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from pharmaetl.errors import CorruptLogError, NotStoredError, UsageError
from pharmaetl.lake import documentfile, layout, process, publishlog
from pharmaetl.lake.documents import ErrorInfo, LogEntry, RunRecord
from pharmaetl.lake.storage import Storage, Stored
from pharmaetl.runid import is_run_id

_log = logging.getLogger(__name__)

_TO_THE_SECOND = len("20261123T031500Z")


def claim(storage: Storage, record: RunRecord) -> bool:
    """Take a run id by creating its record; False where another run has it or had it, so that no two ever share one."""
    if not storage.create(layout.run_record(record.dataset, record.run_id), documentfile.encode(record)):
        return False
    # `prune` may have removed the record of the version that has this id. It notes first that the version is given up,
    # so that is looked for second. What was created just now is closed by a later run, as published: that run was.
    return not storage.exists(layout.pruned(record.dataset, record.run_id))


def save(storage: Storage, record: RunRecord) -> None:
    """Write how a run stands now, over what was known of it before."""
    storage.replace(layout.run_record(record.dataset, record.run_id), documentfile.encode(record))


def read(storage: Storage, dataset: str, run_id: str) -> RunRecord:
    """One run's record. Raises NotStoredError where there is none, CorruptLogError where it can't be read."""
    path = layout.run_record(dataset, run_id)
    return documentfile.decode(RunRecord, path, storage.read(path))


def find(storage: Storage, run_id: str) -> RunRecord:
    """The run of any dataset with this id, or the only one that starts so. Raises UsageError with the nearest ids."""
    known = listed(storage, None)
    exact = [run for run in known if run.run_id == run_id]
    matches = exact or [run for run in known if run.run_id.startswith(run_id)]
    if len(matches) != 1:
        raise _not_found(run_id, [run.run_id for run in matches or known], ambiguous=bool(matches))
    return read(storage, matches[0].dataset, matches[0].run_id)


def _not_found(run_id: str, newest_first: list[str], *, ambiguous: bool) -> UsageError:
    """The error for an id that names no run, or several."""
    if ambiguous:
        hint = f"write more of the one you mean: {', '.join(newest_first[:5])}"
        return UsageError(f"{len(newest_first)} runs start with {run_id!r}", hint=hint)
    if not newest_first:
        return UsageError(
            f"there is no run {run_id!r}: this lake has no runs", hint="`pharmaetl run DATASET` starts one"
        )
    near = get_close_matches(run_id, newest_first, n=3, cutoff=0.5) or newest_first[:3]
    return UsageError(
        f"there is no run {run_id!r}", hint=f"`pharmaetl runs list` shows all; the nearest: {', '.join(near)}"
    )


def recent(storage: Storage, dataset: str | None, limit: int) -> tuple[RunRecord, ...]:
    """The newest runs of one dataset or all, newest first. Records that can't be read are left out, with a warning."""
    return readable(storage, dataset, limit, lambda error: _log.warning("a run record can't be read: %s", error.reason))


def readable(
    storage: Storage, dataset: str | None, limit: int, tell: Callable[[CorruptLogError], object] = lambda _: None
) -> tuple[RunRecord, ...]:
    """The same; `tell` hears of the records that can't be read."""
    records: list[RunRecord] = []
    for run in listed(storage, dataset):
        if len(records) >= limit:
            break
        try:
            records.append(read(storage, run.dataset, run.run_id))
        except NotStoredError:  # removed since it was listed
            continue
        except CorruptLogError as error:
            tell(error)
    return tuple(records)


def is_dead(record: RunRecord) -> bool:
    """Does the record say running, while its process on this host is gone?

    False for another host's runs, of which nothing can be known, and for a process number that another process has now.
    """
    return record.outcome == "running" and process.state_of(record.process) == "gone"


def is_here(record: RunRecord) -> bool:
    """Is the process of the run one of this host, and there?"""
    return process.state_of(record.process) == "alive"


def as_ended(storage: Storage, record: RunRecord) -> RunRecord:
    """The record, or where its run died without writing its end, what it would say.

    That is: published, where the log says so; otherwise failed, code `dead`.
    """
    if not is_dead(record):
        return record
    gone = f"died without a word: process {record.process} is gone"
    entry = _entry_of(storage, record)
    if entry is None:
        error = ErrorInfo(code="dead", reason=gone, hint=f"pharmaetl runs resume {record.run_id}", exit_code=1)
        return record.model_copy(update={"outcome": "failed", "reason": gone, "error": error})
    published = {
        "outcome": "published",
        "reason": f"published as entry {entry.sequence}, then {gone}",
        "version": entry.version,
        "source": entry.source,
        "quality": entry.quality,
        "engine": entry.engine,
    }
    return record.model_copy(update=published)


def _entry_of(storage: Storage, record: RunRecord) -> LogEntry | None:
    """The entry with which a run was published; a damaged log tells nothing here, and is told of elsewhere."""
    try:
        return publishlog.find(storage, record.dataset, record.run_id)
    except CorruptLogError:
        return None


@dataclass(frozen=True)
class Listed:
    """A run record by its name alone."""

    dataset: str
    run_id: str
    modified: float

    @property
    def age_key(self) -> tuple[str, float, str]:
        """Orders runs by their start; those of one second by when their records were last written."""
        return self.run_id[:_TO_THE_SECOND], self.modified, self.run_id


def listed(storage: Storage, dataset: str | None) -> tuple[Listed, ...]:
    """Every record of one dataset or all, newest run first; none of them is read."""
    found = (_listed(stored) for stored in storage.list(layout.RUNS if dataset is None else layout.runs_dir(dataset)))
    return tuple(sorted((run for run in found if run), key=lambda run: run.age_key, reverse=True))


def _listed(stored: Stored) -> Listed | None:
    owner, _, name = stored.path.removeprefix(f"{layout.RUNS}/").rpartition("/")
    run_id = name.removesuffix(".json")
    if not is_run_id(run_id) or layout.run_record(owner, run_id) != stored.path:
        return None
    return Listed(owner, run_id, stored.modified)
