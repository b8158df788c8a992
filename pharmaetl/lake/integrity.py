"""Is everything that was published still there, byte for byte? Looks, reports, and changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pharmaetl.errors import CorruptLogError, LocalIOError, NotStoredError
from pharmaetl.lake import documentfile, layout, publishlog
from pharmaetl.lake.documents import DataFile, LogEntry, RunRecord
from pharmaetl.lake.storage import Storage

_FROM_BACKUP = "restore it from a backup: nothing in the lake can rebuild it"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the log says. A warning concerns no byte that a reader of published data sees."""

    path: str
    problem: str
    severity: Literal["error", "warning"]
    repair: str


def verify(storage: Storage, dataset: str, *, deep: bool = True) -> tuple[Finding, ...]:
    """Everything that is wrong with a dataset's log and files; deep reads every listed byte and every run record."""
    log, log_findings = _read_log(storage, dataset)
    findings = [*log_findings, *_log_findings(storage, dataset, log), *_file_findings(storage, log, deep=deep)]
    findings += [*_foreign_files(storage, log), *_state_findings(storage, dataset)]
    if deep:
        findings += _record_findings(storage, dataset)
    return tuple(findings)


def damage(storage: Storage, entry: LogEntry) -> dict[str, str]:
    """Path and problem of every file of a published version that is not as it was published."""
    problems = ((file.path, file_problem(storage, file, deep=True)) for file in _files(entry))
    return {path: problem for path, problem in problems if problem}


def file_problem(storage: Storage, file: DataFile, *, deep: bool) -> str | None:
    """What is wrong with a listed file; None if its size and (deep) its sha256 are the listed ones."""
    try:
        size = storage.size(file.path)
        if size != file.bytes:
            return "the file is empty" if size == 0 else f"{size} bytes instead of {file.bytes}"
        if deep and storage.sha256(file.path) != file.sha256:
            return "its content has changed: the sha256 is not the published one"
    except NotStoredError:
        return "the file is missing"
    except LocalIOError as error:
        return error.reason
    return None


def _files(entry: LogEntry) -> Iterator[DataFile]:
    return (file for table in entry.tables for file in table.files)


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
            findings.append(Finding(path, error.reason.removeprefix(f"{path}: "), "error", _FROM_BACKUP))
    return log, findings


def _log_findings(storage: Storage, dataset: str, log: Sequence[LogEntry]) -> Iterator[Finding]:
    """What is wrong between entries, or with what an entry says about itself."""
    for path, problem in publishlog.chain_problems(log):
        yield Finding(path, problem, "error", _FROM_BACKUP)
    for run_id, times in Counter(entry.run_id for entry in log if entry.action == "publish").items():
        if times > 1:
            problem = f"run {run_id} was published {times} times"
            yield Finding(layout.log_dir(dataset), problem, "error", "compare these entries, and keep what they list")
    for entry in log:
        for table in entry.tables:
            if table.rows != sum(file.rows for file in table.files):
                problem = f"the rows of the files of table {table.name} don't add up to {table.rows}"
                yield Finding(layout.log_entry(dataset, entry.sequence), problem, "error", _FROM_BACKUP)
    for stored in storage.list(layout.log_dir(dataset)):
        if publishlog.sequence_of(dataset, stored.path) is None:
            yield Finding(stored.path, "no log entry has such a name", "warning", "delete it: no reader looks at it")


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
    for folder in sorted({table.path for entry in log for table in entry.tables}):
        for stored in storage.list(folder):
            if stored.path not in listed:
                problem = "in the folder of a published table, but no entry lists it"
                yield Finding(stored.path, problem, "warning", "delete it: no reader looks at it")


def _state_findings(storage: Storage, dataset: str) -> Iterator[Finding]:
    """Is the one-file copy of the current state there, and a copy of the newest entry?"""
    path = layout.current_state(dataset)
    newest = max(publishlog.sequences(storage, dataset), default=0)
    rebuild = "`pharmaetl doctor --repair` rewrites it from the log"
    try:
        state = storage.read(path)
        sequence = documentfile.decode(LogEntry, path, state).sequence
    except NotStoredError:
        if newest:
            yield Finding(path, "the file is missing", "warning", rebuild)
        return
    except CorruptLogError as error:
        yield Finding(path, error.reason.removeprefix(f"{path}: "), "warning", rebuild)
        return
    if sequence > newest:
        problem = f"the log has lost its end: this file is a copy of entry {sequence}, the log ends at {newest}"
        yield Finding(
            path,
            problem,
            "error",
            f"copy it to {layout.log_entry(dataset, sequence)}; entries before it: from a backup",
        )
    elif state != storage.read(layout.log_entry(dataset, newest)):
        yield Finding(path, f"stale: it is no copy of entry {newest}, the newest one", "warning", rebuild)


def _record_findings(storage: Storage, dataset: str) -> Iterator[Finding]:
    """Run records that can't be read."""
    for stored in storage.list(f"{layout.RUNS}/{dataset}"):
        try:
            documentfile.decode(RunRecord, stored.path, storage.read(stored.path))
        except CorruptLogError as error:
            problem = error.reason.removeprefix(f"{stored.path}: ")
            yield Finding(stored.path, problem, "warning", "delete it: published data does not depend on it")
