"""Is everything that was published still there, byte for byte? Looks, reports, and changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pharmaetl.errors import CorruptLogError, LocalIOError, NotStoredError
from pharmaetl.lake import documentfile, layout, pruned, publishlog, rawfiles
from pharmaetl.lake.documents import DataFile, LogEntry, RunRecord
from pharmaetl.lake.finding import Finding
from pharmaetl.lake.storage import Storage

__all__ = ["Finding", "damage", "file_problem", "verify"]

_FROM_BACKUP = "restore it from a backup: nothing in the lake can rebuild it"


def verify(storage: Storage, dataset: str, *, deep: bool = True) -> tuple[Finding, ...]:
    """Everything that is wrong with a dataset's log and files; deep reads every listed byte and every run record."""
    # before the log: a run is in the log before its record says that it was published
    records, record_findings = _read_records(storage, dataset) if deep else ([], [])
    log, log_findings = _read_log(storage, dataset)
    gone = pruned.run_ids(storage, dataset)
    # of a version that `prune` gave up nothing is missing; the newest entry's files are always wanted
    whole = [entry for entry in log if entry.run_id not in gone or entry is log[-1]]
    findings = [*log_findings, *_log_findings(storage, dataset, log), *_file_findings(storage, whole, deep=deep)]
    findings += [*_pruned_findings(storage, dataset, log, gone), *_foreign_files(storage, whole)]
    findings += _state_findings(storage, dataset)
    if deep:
        findings += [*record_findings, *_unlisted_runs(dataset, log, records), *_lineage_findings(storage, dataset)]
        known = [entry.source for entry in log] + [record.source for record in records]
        findings += rawfiles.findings(storage, dataset, [entry.source for entry in whole], known)
    if pruned.run_ids(storage, dataset) != gone:  # what is missing may have been given up meanwhile
        return verify(storage, dataset, deep=deep)
    return tuple(findings)


def damage(storage: Storage, entry: LogEntry) -> dict[str, str]:
    """Path and problem of every file of a published version that is not as it was published.

    Raises LocalIOError or UnavailableError where the storage fails, which says nothing about a file.
    """
    problems = ((file.path, _difference(storage, file, deep=True)) for file in _files(entry))
    return {path: problem for path, problem in problems if problem}


def file_problem(storage: Storage, file: DataFile, *, deep: bool) -> str | None:
    """What is wrong with a listed file; None if its size and (deep) its sha256 are the listed ones."""
    try:
        return _difference(storage, file, deep=deep)
    except LocalIOError as error:
        return error.reason


def _difference(storage: Storage, file: DataFile, *, deep: bool) -> str | None:
    try:
        size = storage.size(file.path)
        if size != file.bytes:
            return "the file is empty" if size == 0 else f"{size} bytes instead of {file.bytes}"
        if deep and storage.sha256(file.path) != file.sha256:
            return "its content has changed: the sha256 is not the published one"
    except NotStoredError:
        return "the file is missing"
    return None


def _files(entry: LogEntry) -> Iterator[DataFile]:
    return (file for table in entry.all_tables for file in table.files)


def _read_log(storage: Storage, dataset: str) -> tuple[list[LogEntry], list[Finding]]:
    """The entries that can be read, and a finding for each that can't or isn't there."""
    listed = publishlog.sequences(storage, dataset)
    log: list[LogEntry] = []
    findings = []
    for first, last in publishlog.gaps(listed):
        problem = publishlog.gap_problem(first, last)
        findings.append(Finding(layout.log_entry(dataset, first), problem, "error", _FROM_BACKUP))
    for sequence in listed:
        try:
            log.append(publishlog.read(storage, dataset, sequence))
        except CorruptLogError as error:
            path = layout.log_entry(dataset, sequence)
            repair = _entry_repair(storage, dataset, sequence)
            findings.append(Finding(path, error.reason.removeprefix(f"{path}: "), "error", repair))
    return log, findings


def _entry_repair(storage: Storage, dataset: str, sequence: int) -> str:
    """Where a damaged entry comes back from: the copy that is the current state, where it is of this entry."""
    path = layout.current_state(dataset)
    try:
        copied = documentfile.decode(LogEntry, path, storage.read(path)).sequence
    except (NotStoredError, CorruptLogError):
        return _FROM_BACKUP
    return f"copy {path} over it: that is its copy" if copied == sequence else _FROM_BACKUP


def _log_findings(storage: Storage, dataset: str, log: Sequence[LogEntry]) -> Iterator[Finding]:
    """What is wrong between entries, or with what an entry says about itself."""
    for path, problem in publishlog.chain_problems(log):
        yield Finding(path, problem, "error", _FROM_BACKUP)
    yield from _changed_entries(storage, dataset, log)
    for run_id, times in Counter(entry.run_id for entry in log if entry.action == "publish").items():
        if times > 1:
            problem = f"run {run_id} was published {times} times"
            yield Finding(layout.log_dir(dataset), problem, "error", "compare these entries, and keep what they list")
    for entry in log:
        for table in entry.all_tables:
            if table.rows != sum(file.rows for file in table.files):
                problem = f"the rows of the files of table {table.name} don't add up to {table.rows}"
                yield Finding(layout.log_entry(dataset, entry.sequence), problem, "error", _FROM_BACKUP)
    for stored in storage.list(layout.log_dir(dataset)):
        is_pruned = stored.path.startswith(f"{layout.pruned_dir(dataset)}/")
        if publishlog.sequence_of(dataset, stored.path) is None and not is_pruned:
            yield Finding(stored.path, "no log entry has such a name", "warning", "delete it: no reader looks at it")


def _changed_entries(storage: Storage, dataset: str, log: Sequence[LogEntry]) -> Iterator[Finding]:
    """Entries that are not, byte for byte, what the next one was published on top of."""
    for before, after in pairwise(log):
        follows = after.sequence == before.sequence + 1
        if follows and after.parent_sha256 not in {None, publishlog.sha256_of(storage, dataset, before.sequence)}:
            problem = f"its content has changed: entry {after.sequence} knows another sha256"
            yield Finding(layout.log_entry(dataset, before.sequence), problem, "error", _FROM_BACKUP)


def _file_findings(storage: Storage, log: Sequence[LogEntry], *, deep: bool) -> Iterator[Finding]:
    """Listed files that are missing or changed, each once, however many entries point at it."""
    wanted = {file: entry.sequence for entry in log for file in _files(entry)}
    for file, sequence in wanted.items():
        problem = file_problem(storage, file, deep=deep)
        if problem:
            is_current = sequence == log[-1].sequence
            yield Finding(file.path, problem, "error", _file_repair(log[-1].dataset, is_current=is_current))


def _file_repair(dataset: str, *, is_current: bool) -> str:
    if is_current:
        anew, back = f"`pharmaetl run {dataset} --force`", f"`pharmaetl manifest rollback {dataset}`"
        return f"{anew} publishes it anew; {back} goes back a version"
    return "restore it from a backup if that version is still wanted: the current one does not use it"


def _foreign_files(storage: Storage, log: Sequence[LogEntry]) -> Iterator[Finding]:
    """Files in the folders of published tables that no entry lists."""
    listed = {file.path for entry in log for file in _files(entry)}
    for folder in sorted({table.path for entry in log for table in entry.all_tables}):
        for stored in storage.list(folder):
            if stored.path not in listed:
                problem = "in the folder of a published table, but no entry lists it"
                yield Finding(stored.path, problem, "warning", "delete it: no reader looks at it")


def _state_findings(storage: Storage, dataset: str) -> Iterator[Finding]:
    """Is the one-file copy of the current state there, and a copy of the newest entry?"""
    path = layout.current_state(dataset)
    rebuild = "`pharmaetl doctor --repair` rewrites it from the log"
    try:
        state = storage.read(path)
        sequence = documentfile.decode(LogEntry, path, state).sequence
    except NotStoredError:
        if publishlog.sequences(storage, dataset):
            yield Finding(path, "the file is missing", "warning", rebuild)
        return
    except CorruptLogError as error:
        yield Finding(path, error.reason.removeprefix(f"{path}: "), "warning", rebuild)
        return
    newest = max(publishlog.sequences(storage, dataset), default=0)  # after the state, which follows the log
    if sequence > newest:
        problem = f"the log has lost its end: this file is a copy of entry {sequence}, the log ends at {newest}"
        yield Finding(
            path,
            problem,
            "error",
            f"copy it to {layout.log_entry(dataset, sequence)}; entries before it: from a backup",
        )
    elif state != storage.read(layout.log_entry(dataset, newest)):
        if sequence == newest:
            problem = f"it differs from entry {newest}, whose copy it is: one of the two has changed"
            yield Finding(
                path, problem, "error", f"compare it with {layout.log_entry(dataset, newest)}, keep the right one"
            )
            return
        yield Finding(path, f"stale: it is no copy of entry {newest}, the newest one", "warning", rebuild)


def _pruned_findings(
    storage: Storage, dataset: str, log: Sequence[LogEntry], gone: frozenset[str]
) -> Iterator[Finding]:
    """Notes of versions that were given up which can't be: of the current one, of none, or unreadable."""
    if log and log[-1].run_id in gone:
        problem = "it says that the files of the current version were given up"
        path = layout.pruned(dataset, log[-1].run_id)
        yield Finding(path, problem, "error", f"delete it; `pharmaetl run {dataset} --force` if files are missing")
    for run_id in sorted(gone):
        path = layout.pruned(dataset, run_id)
        try:
            documentfile.decode(pruned.Pruned, path, storage.read(path))
        except CorruptLogError as error:
            problem = error.reason.removeprefix(f"{path}: ")
            yield Finding(path, problem, "warning", "none needed: its name says which version has no files any more")


def _read_records(storage: Storage, dataset: str) -> tuple[list[RunRecord], list[Finding]]:
    """The run records that can be read, and a finding for each that can't."""
    records: list[RunRecord] = []
    findings = []
    for stored in storage.list(layout.runs_dir(dataset)):
        try:
            records.append(documentfile.decode(RunRecord, stored.path, storage.read(stored.path)))
        except NotStoredError:  # removed since it was listed
            continue
        except CorruptLogError as error:
            problem = error.reason.removeprefix(f"{stored.path}: ")
            findings.append(Finding(stored.path, problem, "warning", "delete it: published data does not depend on it"))
    return records, findings


def _unlisted_runs(dataset: str, log: Sequence[LogEntry], records: Sequence[RunRecord]) -> Iterator[Finding]:
    """Runs that were published, as they say, and of which the log knows nothing."""
    known = {entry.run_id for entry in log}
    for record in records:
        if record.outcome == "published" and record.run_id not in known:
            problem = "it says that its run was published, and no log entry does"
            yield Finding(layout.run_record(dataset, record.run_id), problem, "error", _FROM_BACKUP)


def _lineage_findings(storage: Storage, dataset: str) -> Iterator[Finding]:
    """Lineage that is no JSON any more."""
    for stored in storage.list(layout.lineage_dir(dataset)):
        try:
            events = [json.loads(line) for line in storage.read(stored.path).splitlines()]
        except NotStoredError:
            continue
        except (ValueError, RecursionError) as error:
            problem = f"not JSON lines ({error})"
        else:
            if events:
                continue
            problem = "the file is empty"
        yield Finding(
            stored.path, problem, "warning", "`pharmaetl doctor --repair` writes it anew from the run's record"
        )
