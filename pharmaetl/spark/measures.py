"""What the gate asks of a written silver table, in one aggregate, and one more for each set of key columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pharmaetl.spark import frames, rules
from pharmaetl.spark.columns import decimal_text
from pharmaetl.spark.dialect import F
from pharmaetl.spark.frames import RECORD_HASH
from pharmaetl.spark.spec import TableSpec

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

SAMPLE = 5
_DIGITS = 15
"""Of record_hash's hexadecimal digits, in the digest: as many as fit into 64 bits with a sign."""
_ORDERED = frozenset({"date", "integer", "decimal"})
"""Column types of which the lowest and the highest value are worth keeping."""
_TEXTS = frozenset({"string", "ndc11"})
"""… and those of which the length of the longest value is, in characters."""


def measure(silver: DataFrame, table: TableSpec) -> dict[str, Any]:
    """Counts for every column and rule, and the content digest.

    Keys: rows · columns.<name>.{nulls, min, max, longest}, min and max as text, of dates and numbers, longest of
    texts, in characters · rules.<index>.{scope, broken}, or {newest} · keys.<index>.{scope, distinct, groups, rows}
    · digest. Indexes are those of the table's rules.
    """
    row = silver.agg(*_aggregates(table)).collect()[0].asDict()
    rows = int(row["rows"])
    return {
        "rows": rows,
        "columns": {column.name: _profile(row, i, rows) for i, column in enumerate(table.columns)},
        "rules": _by_rule(row, table),
        "keys": _by_key(silver, table, rows),
        "digest": digest(rows, row["hashes"] or 0),
    }


def digest(rows: int, hashes: Any) -> str:
    """Content digest of a table: its rows, and the sum of the first 60 bits of each record_hash, in whatever order."""
    return f"sum:{rows}:{int(hashes):x}"


def _aggregates(table: TableSpec) -> list[Column]:
    hashes = F.sum(_number(F.substring(RECORD_HASH, 1, _DIGITS)))
    aggregates = [F.count(F.lit(1)).alias("rows"), hashes.alias("hashes")]
    for i, column in enumerate(table.columns):
        aggregates.append(F.count(column.name).alias(f"filled_{i}"))
        if column.type in _ORDERED:
            for name, value in (("min", F.min(column.name)), ("max", F.max(column.name))):
                text = decimal_text(value) if column.type == "decimal" else value.cast("string")
                aggregates.append(text.alias(f"{name}_{i}"))
        elif column.type in _TEXTS and column.derived != "list":
            aggregates.append(F.max(F.length(column.name)).alias(f"longest_{i}"))
    for index, rule in enumerate(table.rules):
        if rule.rule in rules.ROW_RULES:
            aggregates.append(_count_if(rules.in_scope(rule)).alias(f"scope_{index}"))
            aggregates.append(_count_if(rules.broken(rule, table)).alias(f"broken_{index}"))
        elif rule.rule == "DataFreshness" and rule.column:
            aggregates.append(F.max(rules.newest(rule)).cast("string").alias(f"newest_{index}"))
    return aggregates


def _number(digits: Column) -> Column:
    """Hexadecimal digits as a number of which many can be added up."""
    hexadecimal = getattr(F, "hexadecimal", None)
    if hexadecimal is not None:
        read: Column = hexadecimal(digits)
        return read
    return F.conv(digits, 16, 10).cast("decimal(38,0)")


def _count_if(condition: Column) -> Column:
    return F.sum(F.when(condition, F.lit(1)).otherwise(F.lit(0)).cast("bigint"))


def _profile(row: dict[str, Any], index: int, rows: int) -> dict[str, Any]:
    profile: dict[str, Any] = {"nulls": rows - int(row[f"filled_{index}"])}
    if f"min_{index}" in row:
        profile |= {"min": row[f"min_{index}"], "max": row[f"max_{index}"]}
    if row.get(f"longest_{index}") is not None:
        profile["longest"] = int(row[f"longest_{index}"])
    return profile


def _by_rule(row: dict[str, Any], table: TableSpec) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for index, rule in enumerate(table.rules):
        if rule.rule in rules.ROW_RULES:
            found[str(index)] = {part: int(row[f"{part}_{index}"] or 0) for part in ("scope", "broken")}
        elif f"newest_{index}" in row:
            found[str(index)] = {"newest": row[f"newest_{index}"]}
    return found


def _by_key(silver: DataFrame, table: TableSpec, rows: int) -> dict[str, dict[str, int]]:
    """What is known of each key that a rule asks about; rules about the same key share one job."""
    known: dict[tuple[Any, ...], dict[str, int]] = {}
    found = {}
    for index, rule in enumerate(table.rules):
        if rule.rule in rules.KEY_RULES:
            key = (frozenset(rule.subject), rule.where)
            if key not in known:
                known[key] = _repeated(silver.where(rules.in_scope(rule)) if rule.where else silver, rule.subject, rows)
            found[str(index)] = known[key]
    return found


def _repeated(rows: DataFrame, key: tuple[str, ...], about: int) -> dict[str, int]:
    """Of the rows whose key is filled: how many, distinct keys, keys of more than one row, and the rows of those."""
    filled = rows.where(rules.filled(key))
    hashed = frames.with_twins(filled, *key)
    twins = frames.sorted_twins(hashed, about)
    if twins is not None:
        return _repeated_among(frames.with_twin_in(hashed, twins[0]), key, scope=twins[1])
    copies = filled.groupBy(*key).agg(F.count(F.lit(1)).alias("copies"))
    shared = F.col("copies") > 1
    row = copies.agg(
        F.sum("copies").alias("scope"),
        F.count(F.lit(1)).alias("distinct"),
        _count_if(shared).alias("groups"),
        F.sum(F.when(shared, F.col("copies"))).alias("rows"),
    ).collect()[0]
    return {name: int(value or 0) for name, value in row.asDict().items()}


def _repeated_among(suspects: DataFrame, key: tuple[str, ...], scope: int) -> dict[str, int]:
    """The same, where the rows are known among which all are that share their key."""
    copies = suspects.groupBy(*key).agg(F.count(F.lit(1)).alias("copies")).where("copies > 1")
    row = copies.agg(F.count(F.lit(1)).alias("groups"), F.sum("copies").alias("rows")).collect()[0]
    groups, in_groups = int(row["groups"]), int(row["rows"] or 0)
    return {"scope": scope, "distinct": scope - in_groups + groups, "groups": groups, "rows": in_groups}


def sample(silver: DataFrame, table: TableSpec, index: int) -> list[str]:
    """Up to five rows that break one rule, named by the table's key."""
    rule = table.rules[index]
    if rule.rule in rules.KEY_RULES:
        keyed = silver.where(rules.in_scope(rule) & rules.filled(rule.subject)).groupBy(*rule.subject)
        copies = keyed.agg(F.count(F.lit(1)).alias("copies")).where("copies > 1")
        return described(copies, [*rule.subject, "copies"])
    names = list(dict.fromkeys([*table.samples_by, *rule.subject]))
    return described(silver.where(rules.broken(rule, table)), names)


def described(rows: DataFrame, names: list[str]) -> list[str]:
    """The first five rows in the order of these columns, as `name=value, …`."""
    ordered = rows.select(*[F.col(name).cast("string") for name in names]).orderBy(*names).limit(SAMPLE)
    return [", ".join(f"{name}={value}" for name, value in row.asDict().items()) for row in ordered.collect()]
