"""The SQL that a config's rules hold: does the engine take it, and is it a condition?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pharmaetl.spark import dialect
from pharmaetl.spark.dialect import F
from pharmaetl.spark.refusals import PySparkException
from pharmaetl.spark.spec import ColumnSpec, TableSpec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TYPES = {"date": "date", "integer": "bigint", "decimal": "decimal(28,8)", "boolean": "boolean"}
_SHOWN = 200


def refused(session: SparkSession, table: TableSpec, *, tried: bool = False) -> Iterator[tuple[int, str, str]]:
    """Index, key (`where` or `condition`) and reason for each SQL text of the rules that can't be used.

    `tried`: run each on a row of nulls, because some engines see some mistakes only then.
    """
    dialect.speak(session)
    frame = _row_of_nulls(session, table)
    for index, rule in enumerate(table.rules):
        for key, sql in (("where", rule.where), ("condition", rule.condition)):
            if sql is not None and (reason := _refusal(frame, sql, tried=tried)):
                yield index, key, reason


def is_sound(session: SparkSession, table: TableSpec) -> bool:
    """Does the engine answer at all? What it says of SQL means nothing otherwise."""
    dialect.speak(session)
    return _refusal(_row_of_nulls(session, table), "true", tried=True) is None


def _row_of_nulls(session: SparkSession, table: TableSpec) -> DataFrame:
    nulls = [F.lit(None).cast(_type(column)).alias(column.name) for column in table.columns]
    return session.range(1).select(*nulls)


def _type(column: ColumnSpec) -> str:
    return "array<string>" if column.derived == "list" else _TYPES.get(column.type, "string")


def _refusal(frame: DataFrame, sql: str, *, tried: bool) -> str | None:
    try:
        field = frame.select(F.expr(sql).alias("condition")).schema.fields[0]
        if field.dataType.typeName() != "boolean":
            return f"a condition is true or false, and this is {field.dataType.simpleString()}"
        counted = frame.agg(F.sum(F.when(F.coalesce(F.expr(sql), F.lit(False)), 1).otherwise(0)))
        if tried:
            counted.collect()
        else:
            _ = counted.schema
    except PySparkException as error:
        return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:_SHOWN]
    return None
