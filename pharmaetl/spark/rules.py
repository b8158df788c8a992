"""Quality rules as column expressions: true where a row breaks the rule. Null complies, but with IsComplete."""

from __future__ import annotations

from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from pharmaetl.spark import patterns
from pharmaetl.spark.dialect import F
from pharmaetl.spark.spec import RuleSpec, TableSpec

if TYPE_CHECKING:
    from pyspark.sql import Column

ROW_RULES = frozenset({"IsComplete", "Completeness", "ColumnValues", "ColumnLength", "ColumnOrder", "CustomSql"})
"""Rules that each row keeps or breaks: counted in the one aggregate."""
KEY_RULES = frozenset({"IsUnique", "Uniqueness", "DistinctValuesCount", "DistinctCountChange"})
"""Rules about how often values occur: one job for each set of columns."""
_CASTS = {"integer": "bigint", "decimal": "decimal(28,8)", "date": "date", "boolean": "boolean"}


def in_scope(rule: RuleSpec) -> Column:
    """The rows that a rule is about."""
    return F.coalesce(F.expr(rule.where), F.lit(False)) if rule.where else F.lit(True)


def broken(rule: RuleSpec, table: TableSpec) -> Column:
    """Does this row break the rule? For rules about single rows."""
    return in_scope(rule) & F.coalesce(_violation(rule, table), F.lit(False))


def filled(names: tuple[str, ...]) -> Column:
    """Are all of these columns filled? A null is no value of a key."""
    return reduce(lambda one, two: one & two, [F.col(name).isNotNull() for name in names])


def newest(rule: RuleSpec) -> Column:
    """The column's date where a DataFreshness rule counts it: not after the day of the run."""
    column = F.col(rule.column or "")
    return F.when(in_scope(rule) & (column <= F.lit(str((rule.between or (None, None))[1])).cast("date")), column)


def _violation(rule: RuleSpec, table: TableSpec) -> Column:
    match rule.rule:
        case "CustomSql":
            return ~F.expr(rule.condition or "true")
        case "ColumnOrder":
            return F.col(rule.columns[1]) < F.col(rule.columns[0])
        case "IsComplete" | "Completeness":
            return F.col(rule.subject[0]).isNull()
        case "ColumnLength":
            low, high = rule.between or (0, 0)
            return ~F.length(rule.subject[0]).between(int(low), int(high))
        case _:
            return ~_allowed(F.col(rule.subject[0]), rule, table)


def _allowed(column: Column, rule: RuleSpec, table: TableSpec) -> Column:
    """Is the value one that a ColumnValues rule allows?"""
    if rule.values:
        return column.isin(*[_literal(value, rule, table) for value in rule.values])
    if rule.matches is not None:
        return column.rlike(patterns.whole(rule.matches))
    low, high = rule.between or (None, None)
    return column.between(_literal(low, rule, table), _literal(high, rule, table))


def _literal(value: Any, rule: RuleSpec, table: TableSpec) -> Column:
    kind = next(column.type for column in table.columns if column.name == rule.column)
    # a float's own text may have an exponent, which engines read differently
    text = F.lit(f"{Decimal(str(value)):f}" if isinstance(value, float) else str(value))
    return text.cast(_CASTS[kind]) if kind in _CASTS else text
