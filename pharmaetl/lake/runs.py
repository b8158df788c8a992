"""Run records: what every run did, the failed, skipped and interrupted ones included."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from pharmaetl.errors import CorruptLogError, NotStoredError, UsageError
from pharmaetl.lake import documentfile, layout
from pharmaetl.lake.documents import ErrorInfo, RunRecord
from pharmaetl.lake.storage import Storage
from pharmaetl.runid import is_run_id

_log = logging.getLogger(__name__)


def claim(storage: Storage, record: RunRecord) -> bool:
    """Take a run id by creating its record; False where another run has it, so that no two runs ever share one."""
    return storage.create(layout.run_record(record.dataset, record.run_id), documentfile.encode(record))


def save(storage: Storage, record: RunRecord) -> None:
    """Write how a run stands now, over what was known of it before."""
    storage.replace(layout.run_record(record.dataset, record.run_id), documentfile.encode(record))


def read(storage: Storage, dataset: str, run_id: str) -> RunRecord:
    """One run's record. Raises NotStoredError where there is none, CorruptLogError where it can't be read."""
    path = layout.run_record(dataset, run_id)
    return documentfile.decode(RunRecord, path, storage.read(path))


def find(storage: Storage, run_id: str) -> RunRecord:
    """The run of any dataset with this id, or the only one that starts so. Raises UsageError with the nearest ids."""
    known = [(found, dataset) for dataset, found in _listed(storage, None)]
    exact = [match for match in known if match[0] == run_id]
    matches = exact or [match for match in known if match[0].startswith(run_id)]
    if len(matches) != 1:
        raise _not_found(
            run_id, sorted((found for found, _ in matches or known), reverse=True), ambiguous=bool(matches)
        )
    found, dataset = matches[0]
    return read(storage, dataset, found)


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
    newest_first = sorted(((run_id, owner) for owner, run_id in _listed(storage, dataset)), reverse=True)
    records: list[RunRecord] = []
    for run_id, owner in newest_first:
        if len(records) >= limit:
            break
        try:
            records.append(read(storage, owner, run_id))
        except NotStoredError:  # removed since it was listed
            continue
        except CorruptLogError as error:
            _log.warning("a run record can't be read: %s", error.reason)
    return tuple(records)


def process_name() -> str:
    """This process as host:pid, for the record of the run that it is about to make."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead(record: RunRecord) -> bool:
    """Does the record say running, while its process on this host is gone?

    False for another host's runs, of which nothing can be known, and for a process number that another process has now.
    """
    host, _, pid = record.process.rpartition(":")
    if record.outcome != "running" or host != socket.gethostname() or not (pid.isascii() and pid.isdigit()):
        return False
    return not _is_alive(int(pid))


def as_ended(record: RunRecord) -> RunRecord:
    """The record, or where its run died without writing its end, what it would say: failed, code `dead`."""
    if not is_dead(record):
        return record
    reason = f"died without a word: process {record.process} is gone"
    error = ErrorInfo(code="dead", reason=reason, hint=f"pharmaetl runs resume {record.run_id}", exit_code=1)
    return record.model_copy(update={"outcome": "failed", "reason": reason, "error": error})


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Ended, and only not yet asked for its exit code? Known on Linux only (proc(5), the field after the name)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] in {"Z", "X"}


def _listed(storage: Storage, dataset: str | None) -> Iterator[tuple[str, str]]:
    """Dataset and run id of every record, by name alone."""
    for stored in storage.list(layout.RUNS if dataset is None else f"{layout.RUNS}/{dataset}"):
        owner, _, name = stored.path.removeprefix(f"{layout.RUNS}/").rpartition("/")
        run_id = name.removesuffix(".json")
        if is_run_id(run_id) and layout.run_record(owner, run_id) == stored.path:
            yield owner, run_id
