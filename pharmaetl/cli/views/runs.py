"""Runs as screens: what one did, what one would do, which there were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pharmaetl.cli import quantities
from pharmaetl.cli.screen import Column, Facts, Part, Screen, Table, Toned, Value, toned
from pharmaetl.cli.views.contract import changes

if TYPE_CHECKING:
    from pharmaetl.api import Attempt
    from pharmaetl.cli.failures import Failure
    from pharmaetl.lake.documents import Check, GoldResult, Quality, RunRecord, Source, StepResult, TableResult
    from pharmaetl.plan import Plan

_STEPS_WITHOUT_RESULT = ("skipped", "planned")


def finished(record: RunRecord) -> Screen:
    """What a run just did."""
    parts = [_facts(record), *_tables(record.tables), *_gold(record.gold), *_checks(record.quality, every=False)]
    follow_up = f"path {record.dataset}" if record.outcome == "published" else f"status {record.dataset}"
    return Screen(record.summary(), tuple(parts), follow_up)


def finished_each(attempts: Sequence[tuple[Attempt, Failure | None]]) -> Screen:
    """What the runs of several datasets did."""
    columns = (
        Column("dataset"),
        Column("outcome"),
        Column("rows", right=True),
        Column("quality", drop=2),
        Column("took", right=True, drop=3),
        Column("run", drop=1),
        Column("reason", wrap=True),
    )
    rows, found = [], []
    for attempt, failure in attempts:
        record = attempt.record
        published = record is not None and record.outcome == "published"
        reason = failure.reason if failure else _why(record) if record else ""
        rows.append(
            (
                attempt.dataset,
                toned(record.outcome if record else "failed"),
                sum(table.rows_published for table in record.tables) if record and published else None,
                toned(record.quality.verdict) if record and record.quality else None,
                quantities.duration(record.seconds) if record else None,
                record.run_id if record else None,
                reason,
            )
        )
        bare = {"dataset": attempt.dataset, "run_id": None, "outcome": "failed"}
        error = failure.as_dict(with_traceback=False) if failure else None
        found.append({**(record.summary() if record else bare), "error": error})
    return Screen({"runs": found}, (Table(columns, tuple(rows)),), "status")


def shown(record: RunRecord) -> Screen:
    """Everything that a run record holds."""
    parts = [_facts(record), *_tables(record.tables), *_gold(record.gold), *_rules(record.tables)]
    parts += _checks(record.quality, every=True)
    # the gate's checks say it, too, where the run came that far
    parts += [changes(record.drift)] if record.drift and not record.quality else []
    parts += [_steps(record.steps)] if record.steps else []
    follow_up = f"lineage {record.run_id}" if record.outcome == "published" else ""
    return Screen(record.model_dump(mode="json"), tuple(parts), follow_up)


def listed(records: Sequence[RunRecord]) -> Screen:
    """Runs, newest first."""
    columns = (
        Column("run"),
        Column("dataset", drop=1),
        Column("outcome"),
        Column("rows", right=True),
        Column("took", right=True, drop=3),
        Column("reason", wrap=True, drop=2),
    )
    rows = tuple(
        (
            record.run_id,
            record.dataset,
            toned(record.outcome),
            sum(table.rows_published for table in record.tables) if record.outcome == "published" else None,
            quantities.duration(record.seconds),
            _why(record),
        )
        for record in records
    )
    return Screen(
        {"runs": [record.model_dump(mode="json") for record in records]}, (Table(columns, rows, "no runs yet"),)
    )


def planned(plan: Plan) -> Screen:
    """What one run would do, and why."""
    facts = Facts(
        (
            ("dataset", plan.dataset),
            ("outcome", toned(plan.outcome)),
            ("run", plan.run_id),
            ("because", plan.reason),
            *_source(plan.source),
            ("engine", f"{plan.engine}: {plan.engine_reason}" if plan.engine_reason else plan.engine),
        )
    )
    columns = (Column("step"), Column("action"), Column("why", wrap=True))
    steps = Table(columns, tuple((step.name, toned(step.action), step.reason) for step in plan.steps), "no steps")
    follow_up = "" if plan.changed is False else f"run {plan.dataset}"
    return Screen(plan.summary(), (facts, steps), follow_up)


def all_planned(plans: Sequence[Plan]) -> Screen:
    """What a run of each dataset would do."""
    columns = (Column("dataset"), Column("source"), Column("steps to run", wrap=True), Column("because", wrap=True))
    rows = tuple(
        (
            plan.dataset,
            _change(plan.changed),
            ", ".join(step.name for step in plan.steps if step.action == "run") or "none",
            plan.reason,
        )
        for plan in plans
    )
    return Screen({"plans": [plan.summary() for plan in plans]}, (Table(columns, rows, "no datasets"),))


def _change(changed: bool | None) -> Value:
    return None if changed is None else Toned("changed", "warn") if changed else Toned("unchanged", "dim")


def _facts(record: RunRecord) -> Facts:
    pairs: list[tuple[str, Value]] = [
        ("dataset", record.dataset),
        ("outcome", toned(record.outcome)),
        ("run", record.run_id),
    ]
    if why := _why(record):
        pairs.append(("reason", why))
    if record.error and record.error.hint:
        pairs.append(("hint", record.error.hint))
    if record.version:
        pairs.append(("version", record.version))
    pairs += _source(record.source)
    if record.quality:
        pairs.append(("quality", verdict(record.quality)))
    took = quantities.duration(record.seconds)
    pairs.append(("took", f"{took} on {record.engine}" if record.engine else took))
    return Facts(tuple(pairs))


def _why(record: RunRecord) -> str:
    return record.reason or (record.error.reason if record.error else "")


def _source(source: Source) -> list[tuple[str, Value]]:
    pairs: list[tuple[str, Value]] = [("source", source.url)]
    if source.sha256:
        pairs.append(("sha256", source.sha256))
    if source.bytes is not None:
        pairs.append(("size", quantities.size(source.bytes)))
    if source.release_date:
        pairs.append(("released", source.release_date))
    return pairs


def verdict(quality: Quality) -> Toned:
    """A gate's verdict and how many of its checks passed."""
    word = toned(quality.verdict) or Toned("")
    if not quality.checks:
        return word
    passed = sum(check.outcome == "pass" for check in quality.checks)
    return Toned(f"{word.text} ({passed} of {len(quality.checks)} checks passed)", word.tone)


def _tables(tables: Sequence[TableResult]) -> list[Part]:
    if not tables:
        return []
    columns = (
        Column("table"),
        Column("read", right=True),
        Column("published", right=True),
        Column("quarantined", right=True),
        Column("duplicate", right=True),
        Column("path", wrap=True, drop=1),
    )
    rows = tuple(
        (
            table.name,
            table.rows_read,
            table.rows_published,
            Toned(table.rows_quarantined, "warn") if table.rows_quarantined else 0,
            table.rows_duplicate,
            table.path,
        )
        for table in tables
    )
    return [Table(columns, rows)]


def _gold(tables: Sequence[GoldResult]) -> list[Part]:
    columns = (Column("gold table"), Column("rows", right=True), Column("path", wrap=True, drop=1))
    return [Table(columns, tuple((table.name, table.rows, table.path) for table in tables))] if tables else []


def _rules(tables: Sequence[TableResult]) -> list[Part]:
    """Why rows were refused."""
    rows = tuple((table.name, rule, count) for table in tables for rule, count in table.rules.items())
    return [Table((Column("table"), Column("refused by"), Column("rows", right=True)), rows)] if rows else []


def _checks(quality: Quality | None, *, every: bool) -> list[Part]:
    """The gate's checks; unless every one is wanted, only those that did not pass."""
    checks = [check for check in (quality.checks if quality else ()) if every or check.outcome != "pass"]
    return [check_table(checks)] if checks else []


def check_table(checks: Sequence[Check]) -> Table:
    """Checks, one a line, with what was found and what was expected."""
    columns = (
        Column("check"),
        Column("table", drop=1),
        Column("column", wrap=True),
        Column("outcome"),
        Column("value", right=True),
        Column("limit", right=True, drop=4),
        Column("rows", right=True, drop=3),
        Column("reason", wrap=True, drop=2),
    )
    return Table(columns, tuple(_check(check) for check in checks))


def _check(check: Check) -> tuple[Value, ...]:
    why = "; ".join(text for text in (check.reason, ", ".join(check.sample)) if text)
    value, limit = number(check.value), number(check.threshold)
    return (check.name, check.table, check.column, toned(check.outcome), value, limit, check.rows, why)


def number(value: float | str | None) -> str | None:
    """A measured value or limit as text, to six digits."""
    return f"{value:.6g}" if isinstance(value, float) else None if value is None else str(value)


def _steps(steps: Sequence[StepResult]) -> Table:
    columns = (Column("step"), Column("outcome"), Column("took", right=True), Column("detail", wrap=True, drop=1))
    rows = tuple(
        (
            step.name,
            toned(step.outcome),
            None if step.outcome in _STEPS_WITHOUT_RESULT else quantities.duration(step.seconds),
            step.detail,
        )
        for step in steps
    )
    return Table(columns, rows)
