"""The config's rules, each held against what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import get_args

from pharmaetl.config.column import Column
from pharmaetl.config.dataset_config import Rule
from pharmaetl.config.rule import ChangeRule, CountRule, KeyRule
from pharmaetl.lake.documents import Check
from pharmaetl.quality import changerules
from pharmaetl.quality.tablefacts import Background, Outcome, TableFacts

_KEY_RULES, _COUNT_RULES, _CHANGE_RULES = get_args(KeyRule), get_args(CountRule), get_args(ChangeRule)
_SHOWN = 5
_SPARK_TYPES = {"date": "date", "integer": "bigint", "decimal": "decimal(28,8)", "boolean": "boolean"}


@dataclass(frozen=True)
class _Count:
    """Of the rows that a rule is about, how many break it."""

    scope: int
    broken: int
    reason: str = ""


def check(index: int, rule: Rule, facts: TableFacts, background: Background) -> Check:
    """What one rule says of a table; `index` is its place among the table's rules."""
    if rule.rule in _CHANGE_RULES:
        return changerules.check(rule, facts, background)
    if rule.rule in _COUNT_RULES:
        return _within(index, rule, facts)
    if rule.rule == "DataFreshness":
        return _freshness(index, rule, facts, background)
    if rule.rule == "SchemaMatch":
        return _schema(rule, facts)
    if rule.rule == "ReferentialIntegrity" and (missing := _why_unmeasured(index, rule, facts, background)):
        return Check(name=rule.rule, table=facts.table.name, column=_column(rule), outcome="warn", reason=missing)
    return _share(index, rule, facts)


def is_about_rows(rule: Rule) -> bool:
    """Are there rows that one could show for a broken rule?"""
    return rule.rule not in {*_CHANGE_RULES, *_COUNT_RULES, "DataFreshness", "SchemaMatch"}


def shown(share: float, threshold: float) -> float:
    """A share as it is recorded: rounded, unless that would hide on which side of its threshold it is."""
    rounded = round(share, 6)
    return share if rounded == threshold else rounded


def _column(rule: Rule) -> str:
    return ",".join(rule.subject)


def _share(index: int, rule: Rule, facts: TableFacts) -> Check:
    count = _counted(index, rule, facts)
    # not 1 - broken / scope, which falls short of a threshold that is met exactly: 1 - 9/10 < 0.1
    share = (count.scope - count.broken) / count.scope if count.scope else 1.0
    outcome: Outcome = "pass" if share >= rule.threshold else rule.severity
    if rule.fail_below is not None and share < rule.fail_below:
        outcome = "fail"
    return Check(
        name=rule.rule,
        table=facts.table.name,
        column=_column(rule),
        outcome=outcome,
        value=shown(share, rule.threshold),
        threshold=rule.threshold if outcome != "fail" or rule.fail_below is None else rule.fail_below,
        rows=count.broken,
        sample=tuple(facts.samples.get(index, ())),
        reason=count.reason if count.broken else "",
    )


def _counted(index: int, rule: Rule, facts: TableFacts) -> _Count:
    if rule.rule in _KEY_RULES:
        found = facts.measures["keys"].get(str(index), {"scope": 0, "groups": 0, "rows": 0})
        return _Count(found["scope"], found["rows"], f"{found['groups']} values are shared by {found['rows']} rows")
    if rule.references is not None:
        found = facts.measures["references"][str(index)]
        wanted = f"{rule.references.table} ({', '.join(rule.references.columns)})"
        reason = f"{found['broken']} of {found['scope']} rows, {found['keys']} distinct values, are not in {wanted}"
        return _Count(found["scope"], found["broken"], reason)
    found = facts.measures["rules"].get(str(index), {"scope": 0, "broken": 0})
    where = f" where {rule.where}" if rule.where else ""
    broken = f", not: {rule.condition}" if rule.condition else ""
    return _Count(found["scope"], found["broken"], f"{found['broken']} of {found['scope']} rows{where}{broken}")


def _why_unmeasured(index: int, rule: Rule, facts: TableFacts, background: Background) -> str:
    if str(index) in facts.measures.get("references", {}):
        return ""
    if background.sampled:
        return "not checked: of a sample, the other table may have other rows"
    return f"not checked: the release has no {rule.references.table if rule.references else 'such table'}"


def _within(index: int, rule: Rule, facts: TableFacts) -> Check:
    low, high = rule.between or (0, 0)
    counted, what = _counted_things(index, rule, facts)
    inside = float(low) <= counted <= float(high)
    return Check(
        name=rule.rule,
        table=facts.table.name,
        column=rule.column,
        outcome="pass" if inside else rule.severity,
        value=counted,
        threshold=f"{low}..{high}",
        reason="" if inside else f"{counted} {what}, expected {low} to {high}",
    )


def _counted_things(index: int, rule: Rule, facts: TableFacts) -> tuple[int, str]:
    if rule.rule == "RowCount":
        return facts.rows, "rows"
    if rule.rule == "ColumnCount":
        return len(facts.measures["columns"]), "columns"
    return int(facts.measures["keys"].get(str(index), {"distinct": 0})["distinct"]), "distinct values"


def _freshness(index: int, rule: Rule, facts: TableFacts, background: Background) -> Check:
    newest = background.released
    if rule.column:
        text = facts.measures["rules"].get(str(index), {}).get("newest")
        newest = date.fromisoformat(text) if text else None
    age = None if newest is None else (background.as_of - newest).days
    fresh = age is not None and age <= (rule.max_age_days or 0)
    what = f"the newest {rule.column}" if rule.column else "the release"
    reason = f"{what} is of {newest}, {age} days before the run" if newest else f"{what} has no date"
    return Check(
        name=rule.rule,
        table=facts.table.name,
        column=rule.column,
        outcome="pass" if fresh else rule.severity,
        value=age,
        threshold=rule.max_age_days,
        reason="" if fresh else reason,
    )


def _schema(rule: Rule, facts: TableFacts) -> Check:
    """Names, order and types of the written columns against the config's."""
    expected = {column.name: _spark_type(column) for column in facts.table.columns}
    found = {name: kind for name, kind in facts.measures.get("schema", {}).items() if name in facts.measures["columns"]}
    said = [f"{name} is missing" for name in expected if name not in found]
    said += [f"{name} is not in the config" for name in found if name not in expected]
    said += [f"{name} is {found[name]}, not {kind}" for name, kind in expected.items() if found.get(name, kind) != kind]
    if not said and list(found) != list(expected):
        said = ["the columns are in another order"]
    return Check(
        name=rule.rule,
        table=facts.table.name,
        outcome=rule.severity if said else "pass",
        value=len(found),
        threshold=len(expected),
        reason="; ".join(said[:_SHOWN]) + (f"; and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""),
    )


def _spark_type(column: Column) -> str:
    if column.derived is not None and column.derived.function == "list":
        return "array<string>"
    return _SPARK_TYPES.get(column.type, "string")
