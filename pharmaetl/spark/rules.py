"""Quality rules as column expressions: true where a row breaks the rule. Null complies, but with IsComplete."""

from __future__ import annotations

from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from pharmaetl.spark.spec import RuleSpec, TableSpec

KEY_RULES = frozenset({"IsUnique", "Uniqueness"})
TABLE_RULES = KEY_RULES | {"RowCount"}


def in_scope(rule: RuleSpec) -> Column:
    """The rows that a rule is about."""
    return F.coalesce(F.expr(rule.where), F.lit(False)) if rule.where else F.lit(True)


def broken(rule: RuleSpec, table: TableSpec) -> Column:
    """Does this row break the rule? For rules about single rows."""
    return in_scope(rule) & F.coalesce(_violation(rule, table), F.lit(False))


def _violation(rule: RuleSpec, table: TableSpec) -> Column:
    if rule.rule == "ColumnOrder":
        return F.col(rule.columns[1]) < F.col(rule.columns[0])
    column = F.col(rule.column or "")
    if rule.rule in {"IsComplete", "Completeness"}:
        return column.isNull()
    if rule.rule == "ColumnLength":
        low, high = rule.between or (0, 0)
        return ~F.length(column).between(int(low), int(high))
    if rule.values:
        return ~column.isin(*rule.values)
    if rule.matches is not None:
        # \z, not $: Java's $ also matches before a final newline
        return ~column.rlike(rf"\A(?:{rule.matches})\z")
    low, high = rule.between or (None, None)
    return ~column.between(_literal(low, rule, table), _literal(high, rule, table))


def _literal(value: Any, rule: RuleSpec, table: TableSpec) -> Column:
    kind = next(column.type for column in table.columns if column.name == rule.column)
    if kind in {"date", "integer", "decimal"}:
        return F.lit(str(value)).cast({"integer": "bigint", "decimal": "decimal(28,8)"}.get(kind, kind))
    return F.lit(str(value))
