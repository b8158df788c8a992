"""The gate: what was counted on the written files, held against the dataset's rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pharmaetl.config import DataQuality, Rule, Table
from pharmaetl.documents import Check, LogEntry, Quality, Verdict
from pharmaetl.header import HeaderMatch

Outcome = Literal["pass", "warn", "fail"]
FEW_ROWS = 100
"""Up to this many refused rows never fail the quarantine budget, unless they are more than half of the table."""


@dataclass(frozen=True)
class TableFacts:
    """What is known of one table before it is published."""

    table: Table
    rows_read: int
    rows_malformed: int
    malformed_rules: dict[str, int]
    header: HeaderMatch
    replacements: int
    """Bytes that the encoding doesn't define, read as U+FFFD."""
    measures: dict[str, Any]
    warnings: tuple[str, ...] = ()
    samples: dict[int, list[str]] = field(default_factory=dict)
    """Rule index to rows that break it, for the rules that fail."""

    @property
    def rows_refused(self) -> int:
        """Rows in quarantine: malformed records and refused values."""
        return self.rows_malformed + int(self.measures["rows_refused"])

    @property
    def rows(self) -> int:
        """Rows of the written silver table."""
        return int(self.measures["rows"])


def judge(
    facts: Sequence[TableFacts], limits: DataQuality, current: LogEntry | None, accept_shrink: str | None
) -> Quality:
    """Every check of every table, and the worst of them as verdict."""
    checks = [check for table in facts for check in _checks(table, limits, current, accept_shrink)]
    return Quality(verdict=_worst(checks), checks=tuple(checks))


def _worst(checks: Sequence[Check]) -> Verdict:
    outcomes = {check.outcome for check in checks}
    if outcomes & {"fail", "error"}:
        return "fail"
    return "warn" if "warn" in outcomes else "pass"


def failures(quality: Quality) -> list[Check]:
    """The checks that keep a version from being published."""
    return [check for check in quality.checks if check.outcome in {"fail", "error"}]


def broken_rules(facts: TableFacts) -> list[int]:
    """Indexes of the config's rules that fail the gate: the ones worth a sample of rows."""
    return [
        i
        for i, rule in enumerate(facts.table.quality)
        if rule.severity == "fail" and _rule(i, rule, facts).outcome == "fail"
    ]


def _checks(
    facts: TableFacts, limits: DataQuality, current: LogEntry | None, accept_shrink: str | None
) -> Iterator[Check]:
    yield _header(facts)
    yield _not_empty(facts)
    yield _quarantine_budget(facts, limits)
    yield from _shrink(facts, limits, current, accept_shrink)
    yield from _required(facts, limits)
    yield from _refusals(facts)
    yield from _readable(facts)
    for index, rule in enumerate(facts.table.quality):
        yield _rule(index, rule, facts)


def _header(facts: TableFacts) -> Check:
    header = facts.header
    said = [f"unknown column {text!r}" for text in header.extras]
    said += [f"column {name} is not in this release" for name in header.absent]
    said += ["columns in another order"] if header.reordered else []
    said += list(facts.warnings)
    if facts.replacements:
        said.append(f"{facts.replacements} bytes are undefined in the file's encoding, read as U+FFFD")
    return Check(
        name="HeaderContract",
        table=facts.table.name,
        outcome="warn" if said else "pass",
        value=len(header.names) - len(header.extras),
        threshold=len(header.names),
        reason="; ".join(said),
    )


def _not_empty(facts: TableFacts) -> Check:
    outcome: Outcome = "pass" if facts.rows > 0 else "fail"
    reason = "" if facts.rows else f"no row of {facts.rows_read} is left to publish"
    return Check(name="NotEmpty", table=facts.table.name, outcome=outcome, value=facts.rows, threshold=1, reason=reason)


def _quarantine_budget(facts: TableFacts, limits: DataQuality) -> Check:
    share = facts.rows_refused / facts.rows_read if facts.rows_read else 0.0
    over = share > limits.max_quarantine_fraction and (facts.rows_refused > FEW_ROWS or share > 0.5)
    return Check(
        name="QuarantineBudget",
        table=facts.table.name,
        outcome="fail" if over else "pass",
        value=round(share, 6),
        threshold=limits.max_quarantine_fraction,
        rows=facts.rows_refused,
        reason=f"{facts.rows_refused} of {facts.rows_read} rows were refused" if facts.rows_refused else "",
    )


def _shrink(facts: TableFacts, limits: DataQuality, current: LogEntry | None, accepted: str | None) -> Iterator[Check]:
    before = next((table.rows for table in current.tables if table.name == facts.table.name), 0) if current else 0
    if not before:
        return
    share = facts.rows / before
    outcome: Outcome = "pass"
    reason = ""
    if share < limits.min_rows_fraction:
        outcome = "fail" if accepted is None else "warn"
        reason = f"{facts.rows} rows where {before} are published" + (f"; accepted: {accepted}" if accepted else "")
    yield Check(
        name="ShrinkGuard",
        table=facts.table.name,
        outcome=outcome,
        value=round(share, 4),
        threshold=limits.min_rows_fraction,
        reason=reason,
    )


def _required(facts: TableFacts, limits: DataQuality) -> Iterator[Check]:
    for name in limits.required_columns:
        if name not in facts.measures["columns"]:
            continue
        nulls = facts.measures["columns"][name]["nulls"]
        share = nulls / facts.rows if facts.rows else 0.0
        yield Check(
            name="CriticalNulls",
            table=facts.table.name,
            column=name,
            outcome="fail" if share > limits.critical_null_threshold else "pass",
            value=round(share, 6),
            threshold=limits.critical_null_threshold,
            rows=nulls,
        )


def _refusals(facts: TableFacts) -> Iterator[Check]:
    for rule, rows in sorted(facts.malformed_rules.items()):
        yield Check(
            name="WellFormed",
            table=facts.table.name,
            outcome="warn",
            value=rows,
            threshold=0,
            rows=rows,
            reason=f"{rule}: refused",
        )


def _readable(facts: TableFacts) -> Iterator[Check]:
    for finding in facts.measures["findings"]:
        what = "row refused" if finding["refused"] else "published as null"
        yield Check(
            name="Readable",
            table=facts.table.name,
            column=finding["column"],
            outcome="warn",
            value=finding["rows"],
            threshold=0,
            rows=finding["rows"],
            reason=f"{finding['rule']}, first on line {finding['line']}: {what}",
        )


def _rule(index: int, rule: Rule, facts: TableFacts) -> Check:
    if rule.rule == "RowCount":
        return _row_count(rule, facts)
    if rule.rule in {"IsUnique", "Uniqueness"}:
        repeated = facts.measures["keys"].get(str(index), {"groups": 0, "rows": 0})
        scope, broken = facts.rows, int(repeated["rows"])
        reason = f"{repeated['groups']} values are shared by {broken} rows" if broken else ""
    else:
        counts = facts.measures["rules"].get(str(index), {"scope": 0, "broken": 0})
        scope, broken = int(counts["scope"]), int(counts["broken"])
        reason = f"{broken} of {scope} rows" if broken else ""
    share = 1 - broken / scope if scope else 1.0
    return Check(
        name=rule.rule,
        table=facts.table.name,
        column=rule.column or ",".join(rule.columns),
        outcome="pass" if share >= rule.threshold else rule.severity,
        value=round(share, 6) if share < 0.999999 or share == 1.0 else share,
        threshold=rule.threshold,
        rows=broken,
        sample=tuple(facts.samples.get(index, ())),
        reason=reason,
    )


def _row_count(rule: Rule, facts: TableFacts) -> Check:
    low, high = rule.between or (0, 0)
    inside = float(low) <= facts.rows <= float(high)
    return Check(
        name="RowCount",
        table=facts.table.name,
        outcome="pass" if inside else rule.severity,
        value=facts.rows,
        threshold=f"{low}..{high}",
        reason="" if inside else f"{facts.rows} rows, expected {low} to {high}",
    )
