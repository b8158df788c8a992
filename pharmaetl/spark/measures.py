"""What the gate asks of a written silver table, in one aggregate, and one more for each set of key columns."""

from __future__ import annotations

from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pharmaetl.spark import rules
from pharmaetl.spark.frames import RECORD_HASH
from pharmaetl.spark.spec import TableSpec

SAMPLE = 5


def measure(silver: DataFrame, table: TableSpec) -> dict[str, Any]:
    """Counts for every column and rule, and the content digest's sums.

    Keys: rows · columns.<name>.nulls · rules.<index>.{scope, broken} · keys.<index>.{groups, rows} · digest.
    """
    row = silver.agg(*_aggregates(table)).collect()[0].asDict()
    found: dict[str, Any] = {
        "rows": int(row["rows"]),
        "columns": {name: {"nulls": int(row["rows"]) - int(row[f"filled_{i}"])} for i, name in enumerate(table.names)},
        "rules": {},
        "keys": {},
        "digest": digest(int(row["rows"]), row["sum_1"] or 0, row["sum_2"] or 0),
    }
    for index, rule in enumerate(table.rules):
        if rule.rule in rules.KEY_RULES:
            found["keys"][str(index)] = _repeated(silver, rule.columns or (rule.column or "",))
        elif rule.rule not in rules.TABLE_RULES:
            found["rules"][str(index)] = {
                "scope": int(row[f"scope_{index}"] or 0),
                "broken": int(row[f"broken_{index}"] or 0),
            }
    return found


def digest(rows: int, sum_1: Any, sum_2: Any) -> str:
    """Content digest of a table: row count and two sums of 64-bit hashes of record_hash, so free of order and files."""
    return f"xx:{rows}:{int(sum_1) & (2**128 - 1):x}:{int(sum_2) & (2**128 - 1):x}"


def _aggregates(table: TableSpec) -> list[Column]:
    aggregates = [F.count(F.lit(1)).alias("rows")]
    aggregates += [F.count(name).alias(f"filled_{i}") for i, name in enumerate(table.names)]
    for number, salt in ((1, ()), (2, (F.lit("2"),))):
        aggregates.append(F.sum(F.xxhash64(RECORD_HASH, *salt).cast("decimal(38,0)")).alias(f"sum_{number}"))
    for index, rule in enumerate(table.rules):
        if rule.rule not in rules.TABLE_RULES:
            aggregates.append(_count_if(rules.in_scope(rule)).alias(f"scope_{index}"))
            aggregates.append(_count_if(rules.broken(rule, table)).alias(f"broken_{index}"))
    return aggregates


def _count_if(condition: Column) -> Column:
    return F.sum(F.when(condition, F.lit(1)).otherwise(F.lit(0)).cast("bigint"))


def _repeated(silver: DataFrame, key: tuple[str, ...]) -> dict[str, int]:
    """Values of a key that more than one row has, and how many rows those are; a null is no value."""
    filled = silver.where(" AND ".join(f"`{name}` IS NOT NULL" for name in key))
    copies = filled.groupBy(*key).agg(F.count(F.lit(1)).alias("copies")).where("copies > 1")
    row = copies.agg(F.count(F.lit(1)).alias("groups"), F.sum("copies").alias("rows")).collect()[0]
    return {"groups": int(row["groups"]), "rows": int(row["rows"] or 0)}


def sample(silver: DataFrame, table: TableSpec, index: int) -> list[str]:
    """Up to five rows that break one rule, named by the table's key."""
    rule = table.rules[index]
    names = list(dict.fromkeys([*table.samples_by, *([rule.column] if rule.column else []), *rule.columns]))
    if rule.rule in rules.KEY_RULES:
        key = list(rule.columns or (rule.column or "",))
        copies = (
            silver.groupBy(*key).agg(F.count(F.lit(1)).alias("copies")).where("copies > 1").orderBy(*key).limit(SAMPLE)
        )
        rows = copies.select(*key, F.col("copies").cast("string")).collect()
    else:
        broken = silver.where(rules.broken(rule, table))
        rows = (
            broken.select(*[F.col(name).cast("string") for name in names]).orderBy(*names[:1]).limit(SAMPLE).collect()
        )
    return [", ".join(f"{name}={value}" for name, value in row.asDict().items()) for row in rows]
