"""The gate's findings as screens: of one run, over time, and as rulesets for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pharmaetl.cli import quantities
from pharmaetl.cli.screen import Column, Facts, Lines, Screen, Table, Value, toned
from pharmaetl.cli.views.runs import check_table, number, verdict

if TYPE_CHECKING:
    from pharmaetl.api import QualityHistory, QualityView, Ruleset
    from pharmaetl.lake.documents import Check
    from pharmaetl.quality.history import CheckHistory, VersionQuality

_OUTCOMES = ("pass", "warn", "fail")


def shown(view: QualityView) -> Screen:
    """Every check of one run."""
    data = {
        "dataset": view.dataset,
        "run_id": view.run_id,
        "version": view.version,
        "quality": view.quality.model_dump(mode="json"),
    }
    facts = Facts(
        (
            ("dataset", view.dataset),
            ("run", view.run_id),
            ("version", view.version),
            ("quality", verdict(view.quality)),
        )
    )
    return Screen(data, (facts, check_table(view.quality.checks)), f"quality history {view.dataset}")


def history(found: QualityHistory) -> Screen:
    """Verdict by version, then each check's latest value beside those before."""
    columns = (
        Column("version"),
        Column("run"),
        Column("published at", drop=2),
        Column("rows", right=True),
        Column("verdict"),
        *(Column(outcome, right=True, drop=1) for outcome in _OUTCOMES),
    )
    versions = Table(columns, tuple(_version(version) for version in found.versions), "nothing published yet")
    data = {
        "dataset": found.dataset,
        "versions": [_version_data(version) for version in found.versions],
        "checks": [_check_data(check) for check in found.checks],
    }
    return Screen(data, (versions, _checks(found)) if found.versions else (versions,))


def _version(version: VersionQuality) -> tuple[Value, ...]:
    outcomes = [check.outcome for check in version.quality.checks]
    counts = (outcomes.count("pass"), outcomes.count("warn"), outcomes.count("fail") + outcomes.count("error"))
    name = f"{version.version} (current)" if version.is_current else version.version
    moment = quantities.moment(version.published_at)
    return (name, version.run_id, moment, version.rows, toned(version.quality.verdict), *counts)


def _version_data(version: VersionQuality) -> dict[str, Any]:
    return {
        "run_id": version.run_id,
        "version": version.version,
        "published_at": version.published_at,
        "rows": version.rows,
        "is_current": version.is_current,
        "verdict": version.quality.verdict,
    }


def _check_data(check: CheckHistory) -> dict[str, Any]:
    """A check with one entry for each version, in the versions' order; null where it wasn't made."""
    keys = {"outcome", "value", "threshold", "rows", "reason"}
    values = [None if found is None else found.model_dump(mode="json", include=keys) for found in check.found]
    return {"name": check.name, "table": check.table, "column": check.column, "number": check.number, "found": values}


def _checks(found: QualityHistory) -> Table:
    columns = (
        Column("check"),
        Column("table", drop=3),
        Column("column", wrap=True),
        Column("outcome"),
        Column("value", right=True),
        Column("before", right=True, drop=1),
        Column("lowest", right=True, drop=2),
        Column("highest", right=True, drop=2),
        Column("versions", right=True, drop=4),
    )
    latest = [check for check in found.checks if check.found[-1] is not None]
    return Table(columns, tuple(_check(check) for check in latest), "no checks")


def _check(history: CheckHistory) -> tuple[Value, ...]:
    made = [check for check in history.found if check is not None]
    values = [check.value for check in made if isinstance(check.value, int | float)]
    name = history.name if history.number == 1 else f"{history.name} {history.number}"
    return (
        name,
        history.table,
        history.column,
        toned(made[-1].outcome),
        number(made[-1].value),
        _before(history.found),
        number(min(values)) if values else None,
        number(max(values)) if values else None,
        len(made),
    )


def _before(found: Sequence[Check | None]) -> str | None:
    check = found[-2] if len(found) > 1 else None
    return None if check is None else number(check.value)


def exported(dataset: str, rulesets: Sequence[Ruleset]) -> Screen:
    """Rulesets as text that goes into another tool."""
    lines = [line for ruleset in rulesets for line in ruleset.text.splitlines()]
    return Screen({"dataset": dataset, "rulesets": [asdict(ruleset) for ruleset in rulesets]}, (Lines(tuple(lines)),))
