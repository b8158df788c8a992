"""Mark and sweep: remove what nothing in the lake needs, while runs, rollbacks and readers go on.

`pharmaetl.lake.marks` says what that is. Before anything of a dataset goes, a notice says what may; then everything is
looked at anew, and only what is still unneeded goes. A run or rollback that begins meanwhile sees the notice, or is
seen (`pharmaetl.lake.notice`). That a published version loses its files is noted before the first one goes, so that a
pruning that dies half-way leaves a sound lake, and the next one goes on.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pharmaetl.config.dataset_config import Retention
from pharmaetl.errors import CorruptLogError
from pharmaetl.lake import goldfiles, layout, leftovers, notice, pruned
from pharmaetl.lake.marks import Doomed, Rules, Survey, survey
from pharmaetl.lake.pruned import Pruned
from pharmaetl.lake.storage import Storage

GRACE_HOURS = 72.0
"""What is younger stays: long enough to resume on Monday what failed on Friday."""

_AREAS = (layout.RAW, layout.BRONZE, layout.SILVER, layout.QUARANTINE, layout.MANIFESTS, layout.RUNS)
"""Whose second folder is the dataset's; of gold that is the table's."""


@dataclass(frozen=True)
class Refusal:
    """A dataset of which nothing was removed, since its log can't be relied on."""

    dataset: str
    reason: str
    hint: str


@dataclass(frozen=True)
class Pruning:
    """What was removed, or would be."""

    lake: str
    dry_run: bool
    grace_hours: float
    removed: tuple[Doomed, ...] = ()
    young: tuple[Doomed, ...] = ()
    """What nothing needs either, but is within the grace period."""
    versions: tuple[Pruned, ...] = ()
    """Published versions that were given up."""
    refused: tuple[Refusal, ...] = ()
    is_complete: bool = True
    """False where time was up before all was removed."""

    @property
    def has_usual_grace(self) -> bool:
        """Was the grace period the one that holds where none is asked for?"""
        return self.grace_hours == GRACE_HOURS

    @property
    def bytes(self) -> int:
        """Of everything that was removed."""
        return sum(doomed.bytes for doomed in self.removed)


@dataclass(frozen=True)
class Request:
    """What to prune: one dataset or all, by which rules."""

    dataset: str | None = None
    retentions: Mapping[str, Retention | None] | None = None
    """By dataset; of those that are not in here, no published version is given up."""
    grace_hours: float = GRACE_HOURS
    dry_run: bool = False

    def rules(self, dataset: str, now: float) -> Rules:
        """The rules for one dataset, at one moment."""
        return Rules(now, self.grace_hours * 3600, (self.retentions or {}).get(dataset))


def prune(storage: Storage, request: Request, now: float | None = None) -> Pruning:
    """Remove what nothing needs, of one dataset or of all that have anything in the lake."""
    moment = time.time() if now is None else now
    parts = [_leftovers(storage, request, moment)]  # first: on a full disk that makes room for notices
    for name in [request.dataset] if request.dataset else datasets_in(storage):
        try:
            parts.append(_dataset(storage, request, name, moment))
        except CorruptLogError as error:
            refusal = Refusal(name, error.reason, error.hint)
            parts.append(Pruning(storage.root, request.dry_run, request.grace_hours, refused=(refusal,)))
    if request.dataset is None:
        parts.append(_nobodys_gold(storage, request, moment))
    return _together(parts)


def datasets_in(storage: Storage) -> tuple[str, ...]:
    """Every dataset that has files in the lake, in the catalog or not."""
    found = set()
    for area in _AREAS:
        for stored in storage.list(area):
            _, name, *below = stored.path.split("/")
            if below:
                found.add(name)
    return tuple(sorted(found))


def _leftovers(storage: Storage, request: Request, now: float) -> Pruning:
    doomed, young = leftovers.find(storage, request.dataset, request.rules("", now))
    if not request.dry_run:
        doomed = tuple(each for each in doomed if leftovers.remove(storage, each))
    return Pruning(storage.root, request.dry_run, request.grace_hours, doomed, young)


def _nobodys_gold(storage: Storage, request: Request, now: float) -> Pruning:
    doomed, young = goldfiles.of_nobody(storage, datasets_in(storage), request.rules("", now))
    if not request.dry_run:
        for each in doomed:
            storage.delete(each.path)
    return Pruning(storage.root, request.dry_run, request.grace_hours, doomed, young)


def _dataset(storage: Storage, request: Request, dataset: str, now: float) -> Pruning:
    rules = request.rules(dataset, now)
    first = survey(storage, dataset, rules)
    versions = _given_up(storage, dataset, first, now)
    done = Pruning(storage.root, request.dry_run, request.grace_hours, first.doomed, first.young, versions)
    if request.dry_run or not first.doomed:
        return done
    return _sweep(storage, request, dataset, first, rules)


def _sweep(storage: Storage, request: Request, dataset: str, first: Survey, rules: Rules) -> Pruning:
    """Announce, look again, and remove what both looks found."""
    end = time.monotonic() + notice.WORK_SECONDS
    announced = {doomed.path for doomed in first.doomed}
    runs = {doomed.run_id for doomed in first.doomed if doomed.run_id}
    sources = {doomed.source for doomed in first.doomed if doomed.source}
    with notice.announced(storage, dataset, "prune", runs=runs, sources=sources) as path:
        second = survey(storage, dataset, _by_storage_clock(storage, path, rules))
        chosen = [doomed for doomed in second.doomed if doomed.path in announced]
        versions = _given_up(storage, dataset, second, rules.now, only={doomed.run_id for doomed in chosen})
        for version in versions:
            pruned.create(storage, version)
        removed = _removed(storage, chosen, end)
    return Pruning(
        storage.root, False, request.grace_hours, removed, second.young, versions,
        is_complete=len(removed) == len(chosen),
    )  # fmt: skip


def _by_storage_clock(storage: Storage, path: str, rules: Rules) -> Rules:
    """The same rules by the earlier one of two clocks: this machine's, and the one that stamped the notice."""
    stamps = [stored.modified for stored in storage.list(path.rpartition("/")[0]) if stored.path == path]
    return Rules(min([rules.now, *stamps]), rules.grace_seconds, rules.retention)


def _removed(storage: Storage, chosen: Iterable[Doomed], end: float) -> tuple[Doomed, ...]:
    removed = []
    for doomed in chosen:
        if time.monotonic() >= end:
            break
        storage.delete(doomed.path)
        removed.append(doomed)
    return tuple(removed)


def _given_up(
    storage: Storage, dataset: str, found: Survey, now: float, only: Collection[str] | None = None
) -> tuple[Pruned, ...]:
    """The versions that lose their files now; not those that had lost them before."""
    before = pruned.run_ids(storage, dataset)
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    doomed = {each.run_id for each in found.doomed} if only is None else only
    return tuple(
        Pruned(
            dataset=dataset,
            run_id=each.entry.run_id,
            version=each.entry.version,
            pruned_at=at,
            reason=each.reason,
            bytes=sum(file.bytes for table in each.entry.all_tables for file in table.files),
        )
        for each in found.expired
        if each.entry.run_id in doomed and each.entry.run_id not in before
    )


def _together(parts: Iterable[Pruning]) -> Pruning:
    first, *more = parts
    for part in more:
        first = Pruning(
            first.lake,
            first.dry_run,
            first.grace_hours,
            first.removed + part.removed,
            first.young + part.young,
            first.versions + part.versions,
            first.refused + part.refused,
            first.is_complete and part.is_complete,
        )
    return first
