"""The schema contract as screens: what has changed at a source, and what of it was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pharmaetl.cli import quantities
from pharmaetl.cli.screen import Column, Facts, Screen, Table, Toned, Value, toned

if TYPE_CHECKING:
    from pharmaetl.drift.report import DriftReport
    from pharmaetl.lake.schema import Acceptance, Drift

_ACCEPTABLE = frozenset({"added", "removed", "renamed", "reordered", "case_changed"})


def drifted(report: DriftReport) -> Screen:
    """What differs from the version published before."""
    data = {
        "dataset": report.dataset,
        "source": report.source,
        "run_id": report.run_id,
        "against": report.against,
        "drift": [drift.model_dump(mode="json") for drift in report.drift],
    }
    pairs: tuple[tuple[str, Value], ...] = (
        ("dataset", report.dataset),
        ("source", report.source),
        ("run", report.run_id or Toned("none: the file was only looked at", "dim")),
        ("against", report.against or Toned("nothing was published before", "dim")),
    )
    return Screen(data, (Facts(pairs), changes(report.drift)), _next(report.dataset, report.run_id, report.drift))


def changes(found: Sequence[Drift]) -> Table:
    """Differences, one a row."""
    columns = (
        Column("change"),
        Column("severity"),
        Column("table", drop=2),
        Column("column", wrap=True),
        Column("what", wrap=True),
    )
    rows = tuple((drift.kind, toned(drift.severity), drift.table, drift.column, drift.detail) for drift in found)
    return Table(columns, rows, "no drift")


def _next(dataset: str, run_id: str | None, found: Sequence[Drift]) -> str:
    """Accepting is the next step where a run met what can be accepted."""
    if any(drift.severity == "fail" for drift in found) or run_id is None:
        return ""
    open_ = any(drift.severity == "warn" and drift.kind in _ACCEPTABLE for drift in found)
    return f"dataset accept {dataset} --reason TEXT" if open_ else ""


def accepted(acceptance: Acceptance) -> Screen:
    """What was accepted just now, and all that holds with it."""
    data = acceptance.model_dump(mode="json", exclude={"format"})
    pairs: tuple[tuple[str, Value], ...] = (
        ("dataset", acceptance.dataset),
        ("entry", str(acceptance.sequence)),
        ("met by", acceptance.run_id),
        ("columns", ", ".join(acceptance.columns) or "all that the run met"),
        ("reason", acceptance.reason),
        ("by", acceptance.accepted_by),
        ("at", quantities.moment(acceptance.accepted_at)),
    )
    columns = (Column("table"), Column("accepted header", wrap=True))
    rows = tuple((table.table, ", ".join(table.header)) for table in acceptance.tables)
    return Screen(data, (Facts(pairs), Table(columns, rows)), f"run {acceptance.dataset}")
