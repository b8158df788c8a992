"""The gate: what was counted on the written files, held against the dataset's rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pharmaetl.config.dataset_config import DataQuality, Table
from pharmaetl.lake.documents import Check, LogEntry, Quality, Verdict
from pharmaetl.quality import checks as rule_checks
from pharmaetl.quality.checks import shown
from pharmaetl.quality.tablefacts import Background, FileFacts, Outcome, TableFacts

__all__ = ["FEW_ROWS", "Background", "FileFacts", "TableFacts", "broken_rules", "failures", "judge", "with_checks"]

_SHOWN = 20
FEW_ROWS = 100
"""Up to this many refused rows never fail the quarantine budget, unless they are more than half of the table."""


def judge(
    facts: Sequence[TableFacts], limits: DataQuality, background: Background, accept_shrink: str | None
) -> Quality:
    """Every check of every table, and the worst of them as verdict; a blank reason accepts no shrinking."""
    reason = (accept_shrink or "").strip()
    checks = [check for table in facts for check in _checks(table, limits, background, reason)]
    if not background.sampled:
        checks += _vanished(facts, limits, background.current, reason)
    if not facts:
        checks.append(
            Check(name="NotEmpty", outcome="fail", value=0, threshold=1, reason="there is no table to publish")
        )
    return Quality(verdict=_worst(checks), checks=tuple(checks))


def with_checks(quality: Quality, more: Sequence[Check]) -> Quality:
    """A verdict to which other checks contribute."""
    checks = (*quality.checks, *more)
    return Quality(verdict=_worst(checks), checks=checks)


def _worst(checks: Sequence[Check]) -> Verdict:
    outcomes = {check.outcome for check in checks}
    if outcomes & {"fail", "error"}:
        return "fail"
    return "warn" if "warn" in outcomes else "pass"


def failures(quality: Quality) -> list[Check]:
    """The checks that keep a version from being published."""
    return [check for check in quality.checks if check.outcome in {"fail", "error"}]


def broken_rules(facts: TableFacts, background: Background) -> list[int]:
    """Indexes of the config's rules about rows that fail the gate: the ones worth a sample."""
    return [
        i
        for i, rule in enumerate(facts.table.quality)
        if rule_checks.is_about_rows(rule) and rule_checks.check(i, rule, facts, background).outcome == "fail"
    ]


def _checks(facts: TableFacts, limits: DataQuality, background: Background, accepted: str) -> Iterator[Check]:
    if facts.file is not None:
        yield _header(facts.table, facts.file)
    yield _not_empty(facts)
    if facts.file is not None:
        yield _quarantine_budget(facts, facts.file, limits)
    if not background.sampled:
        yield from _shrink(facts.table.name, facts.rows, limits, background.current, accepted)
    yield from _required(facts, limits)
    if facts.file is not None:
        yield from _refusals(facts.table, facts.file)
        yield from _readable(facts)
    for index, rule in enumerate(facts.table.quality):
        yield rule_checks.check(index, rule, facts, background)


def _header(table: Table, file: FileFacts) -> Check:
    header = file.header
    unknown = [text for text in header.extras if text not in header.accepted]
    said = [f"unknown column {text[:60]!r}" for text in unknown[:_SHOWN]]
    said += [f"{len(unknown) - _SHOWN} more unknown columns"] if len(unknown) > _SHOWN else []
    said += [f"column {name} is not in this release" for name in header.absent]
    said += ["columns in another order"] if header.reordered else []
    said += list(file.warnings)
    if file.replacements:
        said.append(f"{file.replacements} bytes are undefined in the file's encoding, read as U+FFFD")
    return Check(
        name="HeaderContract",
        table=table.name,
        outcome="warn" if said else "pass",
        value=len(header.names) - len(header.extras),
        threshold=len(table.source_columns),
        reason="; ".join(said),
    )


def _not_empty(facts: TableFacts) -> Check:
    """A file's table must have rows; of a gold table a release may hold nothing."""
    outcome: Outcome = "pass"
    reason = ""
    if facts.rows == 0:
        outcome = "fail" if facts.file else "warn"
        reason = f"no row of {facts.file.rows_read} is left to publish" if facts.file else "nothing was made of silver"
    return Check(name="NotEmpty", table=facts.table.name, outcome=outcome, value=facts.rows, threshold=1, reason=reason)


def _quarantine_budget(facts: TableFacts, file: FileFacts, limits: DataQuality) -> Check:
    share = facts.rows_refused / file.rows_read if file.rows_read else 0.0
    over = share > limits.max_quarantine_fraction and (facts.rows_refused > FEW_ROWS or share > 0.5)
    return Check(
        name="QuarantineBudget",
        table=facts.table.name,
        outcome="fail" if over else "pass",
        value=shown(share, limits.max_quarantine_fraction),
        threshold=limits.max_quarantine_fraction,
        rows=facts.rows_refused,
        reason=f"{facts.rows_refused} of {file.rows_read} rows were refused" if facts.rows_refused else "",
    )


def _shrink(table: str, rows: int, limits: DataQuality, current: LogEntry | None, accepted: str) -> Iterator[Check]:
    before = next((known.rows for known in current.all_tables if known.name == table), 0) if current else 0
    if not before:
        return
    share = rows / before
    outcome: Outcome = "pass"
    reason = ""
    if share < limits.min_rows_fraction:
        outcome = "warn" if accepted else "fail"
        reason = f"{rows} rows where {before} are published" + (f"; accepted: {accepted}" if accepted else "")
    yield Check(
        name="ShrinkGuard",
        table=table,
        outcome=outcome,
        value=shown(share, limits.min_rows_fraction),
        threshold=limits.min_rows_fraction,
        reason=reason,
    )


def _vanished(
    facts: Sequence[TableFacts], limits: DataQuality, current: LogEntry | None, accepted: str
) -> Iterator[Check]:
    """A published table that this release doesn't have at all has shrunk to nothing."""
    there = {table.table.name for table in facts}
    for known in current.all_tables if current else ():
        if known.name not in there:
            yield from _shrink(known.name, 0, limits, current, accepted)


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
            value=shown(share, limits.critical_null_threshold),
            threshold=limits.critical_null_threshold,
            rows=nulls,
            reason=f"{nulls} of {facts.rows} rows are null" if nulls else "",
        )


def _refusals(table: Table, file: FileFacts) -> Iterator[Check]:
    for rule, rows in sorted(file.malformed_rules.items()):
        yield Check(
            name="WellFormed",
            table=table.name,
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
