"""What was removed from a lake, or would be, as a screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pharmaetl.cli import quantities
from pharmaetl.cli.screen import Column, Facts, Part, Screen, Table, Value

if TYPE_CHECKING:
    from pharmaetl.lake.marks import Doomed
    from pharmaetl.lake.prune import Pruning


def pruned(done: Pruning, dataset: str | None) -> Screen:
    """Totals; in a dry run every file before them."""
    data: dict[str, Any] = {
        "lake": done.lake,
        "dataset": dataset,
        "dry_run": done.dry_run,
        "grace_hours": done.grace_hours,
        "files": [_data(doomed) for doomed in done.removed],
        "bytes": done.bytes,
        "young": [_data(doomed) for doomed in done.young],
        "young_bytes": sum(doomed.bytes for doomed in done.young),
        "versions": [version.model_dump(mode="json", exclude={"format"}) for version in done.versions],
        "refused": [asdict(refusal) for refusal in done.refused],
        "complete": done.is_complete,
    }
    parts: list[Part] = []
    if done.dry_run:
        columns = (Column("path", wrap=True), Column("size", right=True), Column("reason", wrap=True))
        later = f"stays for now, younger than {done.grace_hours:g} hours: "
        rows = tuple((doomed.path, quantities.size(doomed.bytes), doomed.reason) for doomed in done.removed)
        rows += tuple((doomed.path, quantities.size(doomed.bytes), later + doomed.reason) for doomed in done.young)
        parts.append(Table(columns, rows, "nothing to remove"))
    parts.append(Facts(_totals(done)))
    again = f"prune {dataset}" if dataset else "prune"
    again += "" if done.has_usual_grace else f" --grace {done.grace_hours:g}"
    return Screen(data, tuple(parts), again if (done.dry_run and done.removed) or not done.is_complete else "")


def _data(doomed: Doomed) -> dict[str, Any]:
    return {"path": doomed.path, "bytes": doomed.bytes, "reason": doomed.reason, "dataset": doomed.dataset or None}


def _totals(done: Pruning) -> tuple[tuple[str, Value], ...]:
    pairs: list[tuple[str, Value]] = [("lake", done.lake)]
    pairs.append(("would remove" if done.dry_run else "removed", _sum(done.removed)))
    for name, doomed in _by_dataset(done.removed).items():
        pairs.append((f"  {name}", _sum(doomed)))
    for version in done.versions:
        pairs.append(("  version", f"{version.run_id} of {version.dataset}: {version.reason}"))
    if done.young:
        pairs.append(("left for now", f"{_sum(done.young)}, younger than {done.grace_hours:g} hours"))
    for refusal in done.refused:
        pairs.append(("left alone", f"{refusal.dataset}: {refusal.reason}"))
    if not done.is_complete:
        pairs.append(("not done", "time was up, or files were in use"))
    return tuple(pairs)


def _by_dataset(removed: Iterable[Doomed]) -> dict[str, list[Doomed]]:
    names = Counter(doomed.dataset or "of no dataset" for doomed in removed)
    return {
        name: [doomed for doomed in removed if (doomed.dataset or "of no dataset") == name] for name in sorted(names)
    }


def _sum(doomed: Iterable[Doomed]) -> str:
    files = [each for each in doomed if not each.path.endswith("/")]
    count = "1 file" if len(files) == 1 else f"{len(files):,} files"
    return f"{count}, {quantities.size(sum(each.bytes for each in files))}"
