"""What of a dataset must stay in the lake, and what nothing needs: read from the lake, in an order that matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pharmaetl.config.dataset_config import Retention
from pharmaetl.errors import CorruptLogError, NotStoredError
from pharmaetl.lake import documentfile, layout, notice, pruned, publishlog, retention, runs
from pharmaetl.lake.documents import LogEntry, RunRecord
from pharmaetl.lake.retention import DAY_SECONDS, Expired
from pharmaetl.lake.storage import Storage, Stored
from pharmaetl.runid import is_run_id

KEPT_RECORDS = 20
"""So many of the newest runs keep their records whatever their age: `status` and the drift report look at them."""
FOREIGN_RUN_SECONDS = 7 * DAY_SECONDS
"""For how long a run of another host is believed to be running: whether its process is there can't be asked."""
_AREAS = (layout.BRONZE, layout.SILVER, layout.QUARANTINE, layout.RAW, layout.RUNS, layout.LINEAGE)
"""Whose second folder is the dataset's; of gold that is the table's."""


@dataclass(frozen=True)
class Rules:
    """What decides how long something that nothing needs stays."""

    now: float
    grace_seconds: float
    retention: Retention | None = None

    def is_young(self, modified: float) -> bool:
        """Is it within the grace period? What comes from the future is: a clock may have jumped."""
        return self.now - modified < self.grace_seconds


@dataclass(frozen=True)
class Doomed:
    """A file that nothing needs."""

    path: str
    bytes: int
    reason: str
    dataset: str = ""
    run_id: str = ""
    source: str = ""
    """sha256 of the raw file that it belongs to."""


@dataclass(frozen=True)
class Survey:
    """What was found of one dataset."""

    doomed: tuple[Doomed, ...] = ()
    young: tuple[Doomed, ...] = ()
    """What would be doomed, were it older."""
    expired: tuple[Expired, ...] = ()


@dataclass(frozen=True)
class _Needed:
    """What must stay."""

    log: tuple[LogEntry, ...]
    expired: dict[str, Expired]
    records: dict[str, RunRecord]
    known: frozenset[str]
    """Every run of the dataset that has a record or an entry."""
    running: frozenset[str]
    kept: frozenset[str]
    """Runs whose version is in the log and stays."""
    sources: frozenset[str]
    newest_runs: frozenset[str]
    files: frozenset[str] = field(default=frozenset())
    """Listed by kept versions."""


def survey(storage: Storage, dataset: str, rules: Rules) -> Survey:
    """Everything of a dataset that may go. Raises CorruptLogError where the log can't be relied on.

    The files are listed before the runs that may have made them are read, and those before the log that they publish
    to: in this order, whatever appears meanwhile is either not listed or known to be needed.
    """
    stored = [file for area in _AREAS for file in storage.list(f"{area}/{dataset}")]
    gold = list(storage.list(layout.GOLD))
    needed = _needed(storage, dataset, rules)
    stored += [file for file in gold if layout.run_of(file.path) in needed.known]
    doomed: list[Doomed] = []
    young: list[Doomed] = []
    for file in stored:
        found = _judged(file, dataset, needed, rules)
        if found is not None:
            (young if rules.is_young(file.modified) else doomed).append(found)
    given_up = tuple(needed.expired.values())
    return Survey(tuple(sorted(doomed, key=_removal_order)), tuple(young), given_up)


def _needed(storage: Storage, dataset: str, rules: Rules) -> _Needed:
    listed = runs.listed(storage, dataset)
    records = dict(_records(storage, dataset, listed))
    running = frozenset(run_id for run_id, record in records.items() if _may_be_running(record, rules))
    wanted = {run_id for each in notice.standing(storage, dataset, ("rollback",)) for run_id in each.runs}
    log = publishlog.entries(storage, dataset)
    refuse_shortened_log(storage, dataset, log, records.values())
    gone = pruned.run_ids(storage, dataset)
    over = {
        each.entry.run_id: each
        for each in retention.expired(log, rules.retention, now=rules.now, grace_seconds=rules.grace_seconds, gone=gone)
        if each.entry.run_id not in wanted | running or each.entry.run_id in gone
    }
    staying = [entry for entry in log if entry.run_id not in over]
    sources = {entry.source.sha256 for entry in staying} | {records[run_id].source.sha256 for run_id in running}
    return _Needed(
        log=log,
        expired=over,
        records=records,
        known=frozenset([*(run.run_id for run in listed), *(entry.run_id for entry in log)]),
        running=running,
        kept=frozenset(entry.run_id for entry in staying),
        sources=frozenset(sha256 for sha256 in sources if sha256),
        newest_runs=frozenset(run.run_id for run in listed[:KEPT_RECORDS]),
        files=frozenset(file.path for entry in staying for table in entry.all_tables for file in table.files),
    )


def _records(storage: Storage, dataset: str, listed: Iterable[runs.Listed]) -> Iterator[tuple[str, RunRecord]]:
    for run in listed:
        try:
            yield run.run_id, runs.read(storage, dataset, run.run_id)
        except (NotStoredError, CorruptLogError):  # gone since; or it can't say more than its name and its age
            continue


def _may_be_running(record: RunRecord, rules: Rules) -> bool:
    if record.outcome != "running" or runs.is_dead(record):
        return False
    started = _moment(record.started_at)
    return runs.is_here(record) or started is None or rules.now - started < FOREIGN_RUN_SECONDS


def refuse_shortened_log(
    storage: Storage, dataset: str, log: tuple[LogEntry, ...], records: Iterable[RunRecord]
) -> None:
    """Raise CorruptLogError where the log has lost its end: what only that listed would look like nobody's."""
    path = layout.current_state(dataset)
    try:
        state = documentfile.decode(LogEntry, path, storage.read(path)).sequence
    except (NotStoredError, CorruptLogError):
        state = 0
    newest = max((sequence for sequence in publishlog.sequences(storage, dataset)), default=0)
    if state > newest:
        raise documentfile.corrupt(path, f"it is a copy of entry {state}, which the log has lost")
    published = {entry.run_id for entry in log}
    for record in records:
        if record.outcome == "published" and record.run_id not in published:
            problem = f"it says that its run was published, and no entry of {layout.log_dir(dataset)} does"
            raise documentfile.corrupt(layout.run_record(dataset, record.run_id), problem)


def _judged(file: Stored, dataset: str, needed: _Needed, rules: Rules) -> Doomed | None:
    """Why a file may go; None where it stays, or is nothing that pharmaetl has made."""
    area, _, *folders, name = file.path.split("/")
    if area == layout.RAW:
        sha256 = next((part[7:] for part in folders[:1] if part.startswith("sha256=")), "")
        unneeded = sha256 and sha256 not in needed.sources
        reason = "no kept version and no running run was made of it"
        return Doomed(file.path, file.bytes, reason, dataset, source=sha256) if unneeded else None
    if area in {layout.RUNS, layout.LINEAGE}:
        return _judged_record(file, dataset, name.partition(".")[0], needed, rules)
    run_id = layout.run_of(file.path)
    if not is_run_id(run_id) or run_id in needed.running or file.path in needed.files:
        return None
    if run_id not in needed.kept:
        return Doomed(file.path, file.bytes, _why(run_id, needed), dataset, run_id)
    if area in {layout.BRONZE, layout.QUARANTINE}:
        return None
    return Doomed(file.path, file.bytes, "in the folder of a published table, but no entry lists it", dataset, run_id)


def _why(run_id: str, needed: _Needed) -> str:
    if run_id in needed.expired:
        return f"version of {run_id}: {needed.expired[run_id].reason}"
    record = needed.records.get(run_id)
    if record is None:
        return f"run {run_id} is not in the log and has no record"
    return f"run {run_id} was never published: {'dead' if record.outcome == 'running' else record.outcome}"


def _judged_record(file: Stored, dataset: str, run_id: str, needed: _Needed, rules: Rules) -> Doomed | None:
    """Records and lineage go by retention alone, and never those of a version that stays."""
    if rules.retention is None or not is_run_id(run_id):
        return None
    if run_id in needed.kept | needed.running | needed.newest_runs:
        return None
    record = needed.records.get(run_id)
    ended = _moment(record.ended_at or record.started_at) if record else None
    days = (rules.now - max(ended or 0.0, file.modified)) / DAY_SECONDS
    if days < max(rules.retention.days, rules.grace_seconds / DAY_SECONDS):
        return None
    return Doomed(file.path, file.bytes, f"record of a run that ended {int(days)} days ago", dataset, run_id)


def _removal_order(doomed: Doomed) -> tuple[bool, str]:
    """A raw folder without its source.json is an unfinished one, and nobody relies on that: so that goes first."""
    return not doomed.path.endswith("/source.json"), doomed.path


def _moment(stamp: str | None) -> float | None:
    try:
        moment = datetime.fromisoformat(stamp or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
