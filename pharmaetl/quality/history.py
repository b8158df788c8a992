"""What the gate said of a dataset's published versions, check by check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pharmaetl.errors import UsageError
from pharmaetl.lake import publishlog, runs
from pharmaetl.lake.documents import Check, LogEntry, Quality
from pharmaetl.lake.storage import Storage


@dataclass(frozen=True)
class QualityView:
    """What the gate said of one run."""

    dataset: str
    run_id: str
    version: str | None
    quality: Quality


@dataclass(frozen=True)
class VersionQuality:
    """A published version and its verdict."""

    run_id: str
    version: str
    published_at: str
    rows: int
    is_current: bool
    quality: Quality


@dataclass(frozen=True)
class CheckHistory:
    """One check over the published versions, oldest first; None where a version wasn't checked for it."""

    name: str
    table: str
    column: str | None
    number: int
    """Counts the checks of the same name about the same column, from 1."""
    found: tuple[Check | None, ...]


@dataclass(frozen=True)
class QualityHistory:
    """Verdicts and checks of the published versions, oldest first; a version that came back counts once."""

    dataset: str
    versions: tuple[VersionQuality, ...]
    checks: tuple[CheckHistory, ...]


def of_run(storage: Storage, dataset: str, run_id: str | None) -> QualityView:
    """What the gate said of the current version, or of one run; UsageError where it said nothing."""
    if run_id is None:
        current = publishlog.current(storage, dataset)
        if current is None:
            raise UsageError(f"nothing of {dataset} is published yet", hint=f"publish with `pharmaetl run {dataset}`")
        return QualityView(dataset, current.run_id, current.version, current.quality)
    record = runs.find(storage, run_id)
    if record.dataset != dataset:
        raise UsageError(f"{record.run_id} is a run of {record.dataset}", hint=f"pharmaetl runs list {dataset}")
    if record.quality is None:
        hint = f"pharmaetl runs show {record.run_id}"
        raise UsageError(f"{record.run_id} ended before anything was checked: {record.outcome}", hint=hint)
    return QualityView(dataset, record.run_id, record.version, record.quality)


def of_entries(dataset: str, entries: Iterable[LogEntry]) -> QualityHistory:
    """The history that a publish log tells."""
    log = tuple(entries)
    current = log[-1].run_id if log else None
    versions = tuple(_version(entry, current) for entry in log if entry.action == "publish")
    keyed = [_keyed(version.quality.checks) for version in versions]
    # the newest version's checks first, then those that are no more
    keys = dict.fromkeys(key for known in reversed(keyed) for key in known)
    return QualityHistory(
        dataset, versions, tuple(CheckHistory(*key, tuple(known.get(key) for known in keyed)) for key in keys)
    )


def _version(entry: LogEntry, current: str | None) -> VersionQuality:
    rows = sum(table.rows for table in entry.tables)
    return VersionQuality(entry.run_id, entry.version, entry.published_at, rows, entry.run_id == current, entry.quality)


_Key = tuple[str, str, str | None, int]


def _keyed(checks: Iterable[Check]) -> dict[_Key, Check]:
    """Checks by name, table, column and their number among those that share these."""
    found: dict[_Key, Check] = {}
    for check in checks:
        number = 1
        while (key := (check.name, check.table, check.column, number)) in found:
            number += 1
        found[key] = check
    return found
