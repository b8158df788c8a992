"""Which published versions a dataset gives up: pure functions of its log, its config and the time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from pharmaetl.config.dataset_config import Retention
from pharmaetl.lake import documentfile, layout
from pharmaetl.lake.documents import LogEntry

DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Expired:
    """A version whose files may go."""

    entry: LogEntry
    reason: str


def expired(
    log: Sequence[LogEntry], retention: Retention | None, *, now: float, grace_seconds: float, gone: Collection[str]
) -> tuple[Expired, ...]:
    """Versions beyond the newest ones that haven't been current for long; none without a retention.

    Newest are those that were made current last. A version's time runs from when another one took its place, and is at
    least the grace period, since readers may still be at its files. `gone` are versions given up earlier: they stay so.
    """
    newest_first = list(reversed(_last_current(log).values()))
    chosen = [Expired(entry, "given up earlier") for entry, _ in newest_first[1:] if entry.run_id in gone]
    if retention is None:
        return tuple(chosen)
    kept = [(entry, until) for entry, until in newest_first if entry.run_id not in gone]
    seconds = max(retention.days * DAY_SECONDS, grace_seconds)
    for entry, until in kept[retention.versions :]:
        if until is not None and now - until >= seconds:
            days = int((now - until) // DAY_SECONDS)
            reason = f"beyond the newest {retention.versions}, and not current for {days} days"
            chosen.append(Expired(entry, reason))
    return tuple(chosen)


def _last_current(log: Sequence[LogEntry]) -> dict[str, tuple[LogEntry, float | None]]:
    """By run, in the order in which they were current last: the entry, and until when; None for the current one."""
    found: dict[str, tuple[LogEntry, float | None]] = {}
    for entry, after in pairwise([*log, None]):
        if entry is not None:
            found.pop(entry.run_id, None)
            found[entry.run_id] = entry, None if after is None else _moment(after)
    return found


def _moment(entry: LogEntry) -> float:
    try:
        moment = datetime.fromisoformat(entry.published_at)
    except ValueError:
        path = layout.log_entry(entry.dataset, entry.sequence)
        raise documentfile.corrupt(path, f"published_at: {entry.published_at!r} is no time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
