"""ReferentialIntegrity: rows whose values the other table lacks, in one job for each reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pharmaetl.spark import measures, rules
from pharmaetl.spark.dialect import F
from pharmaetl.spark.spec import RuleSpec, TableSpec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KNOWN = "meta_known"


def orphans(child: DataFrame, parent: DataFrame, rule: RuleSpec) -> dict[str, int]:
    """Rows in scope, rows without a parent (`broken`), and the distinct values of those (`keys`).

    A row with a null among the values refers to nothing: it is out of scope, and no orphan.
    """
    copies = _referring(child, rule).groupBy(*_names(rule)).agg(F.count(F.lit(1)).alias("copies"))
    joined = copies.join(_parents(parent, rule), list(_names(rule)), "left")
    orphan = F.col(_KNOWN).isNull()
    row = joined.agg(
        F.sum("copies").alias("scope"),
        F.sum(F.when(orphan, F.col("copies"))).alias("broken"),
        F.count(F.when(orphan, F.lit(1))).alias("keys"),
    ).collect()[0]
    return {name: int(value or 0) for name, value in row.asDict().items()}


def sample(child: DataFrame, parent: DataFrame, rule: RuleSpec, table: TableSpec) -> list[str]:
    """Up to five rows without a parent, named by the table's key."""
    lost = _referring(child, rule).join(_parents(parent, rule), list(_names(rule)), "left_anti")
    return measures.described(lost, list(dict.fromkeys([*table.samples_by, *rule.subject])))


def _referring(child: DataFrame, rule: RuleSpec) -> DataFrame:
    rows = child.where(rules.in_scope(rule) & rules.filled(rule.subject))
    keys = [F.col(name).alias(key) for name, key in zip(rule.subject, _names(rule), strict=True)]
    return rows.select("*", *keys)


def _parents(parent: DataFrame, rule: RuleSpec) -> DataFrame:
    keys = [F.col(name).alias(key) for name, key in zip(rule.parent_columns, _names(rule), strict=True)]
    return parent.select(*keys).distinct().withColumn(_KNOWN, F.lit(True))


def _names(rule: RuleSpec) -> tuple[str, ...]:
    """Names that neither table has, so that the two sides of the join can't be mixed up."""
    return tuple(f"meta_key_{number}" for number in range(len(rule.subject)))
