"""A table's config as the plain data that a Spark job takes (`pharmaetl.spark.spec`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from pharmaetl.config.column import DEFAULT_DATE_FORMAT
from pharmaetl.config.dataset_config import Column, Rule, Table
from pharmaetl.config.dates import parse_pattern
from pharmaetl.config.rule import TODAY


def table_spec(table: Table, as_of: date, served: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON form of a TableSpec; `today` in rules becomes `as_of`, so that a rerun gives the same answer.

    `served`: bronze's column names. Those that the config doesn't know follow its own columns, as text.
    """
    known = {column.name for column in table.columns}
    extras = [{"name": name, "extra": True} for name in served if name not in known]
    return {
        "name": table.name,
        "columns": [*(_column(column) for column in table.columns), *extras],
        "key": list(table.key),
        "rules": [_rule(rule, as_of) for rule in table.quality],
        "samples_by": list(table.key or (table.columns[0].name,)),
    }


def _column(column: Column) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": column.name, "type": column.type, "refuse": column.on_error == "quarantine"}
    if column.type == "date":
        pattern = parse_pattern(column.date_format)
        spec["date"] = {
            "regex": pattern.regex,
            "year": pattern.group("y"),
            "month": pattern.group("M"),
            "day": pattern.group("d"),
            "month_names": pattern.month_names,
            "compact": column.date_format == DEFAULT_DATE_FORMAT,
        }
    if column.derived is not None:
        spec |= {
            "derived": column.derived.function,
            "source": column.derived.source,
            "separator": column.derived.separator,
            "ends_with": column.derived.ends_with,
            "aligned_with": list(column.derived.aligned_with),
        }
    if column.code_column is not None:
        spec["code_column"] = column.code_column
    return spec


def _rule(rule: Rule, as_of: date) -> dict[str, Any]:
    between: list[Any] | None = [_bound(bound, as_of) for bound in rule.between] if rule.between else None
    if rule.rule == "DataFreshness":
        between = [None, as_of.isoformat()]
    return {
        "rule": rule.rule,
        "column": rule.column,
        "columns": list(rule.columns),
        "values": list(rule.values),
        "matches": rule.matches,
        "between": between,
        "where": rule.where,
        "condition": rule.condition,
        "parent": rule.references.table if rule.references else None,
        "parent_columns": list(rule.references.columns) if rule.references else [],
        "quarantine": rule.on_fail == "quarantine",
    }


def _bound(bound: str | float, as_of: date) -> str | float:
    """A limit with `today`, `today+5y` or `today-30d` worked out."""
    found = TODAY.fullmatch(bound) if isinstance(bound, str) else None
    if found is None:
        return bound
    sign, distance = found.groups()
    if sign is None:
        return as_of.isoformat()
    amount = int(f"{sign}{distance[:-1]}")
    moved = _years_later(as_of, amount) if distance.endswith("y") else as_of + timedelta(days=amount)
    return moved.isoformat()


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February, in a year without one
        return day.replace(year=day.year + years, day=28)
