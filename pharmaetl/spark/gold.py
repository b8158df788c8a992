"""The gold job: silver tables of one run → one table for use, by a function of the dataset's own transforms.py."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pharmaetl.errors import ConfigError
from pharmaetl.spark import dialect, frames, jobs, measures
from pharmaetl.spark.dialect import F
from pharmaetl.spark.refusals import AnalysisException
from pharmaetl.spark.spec import ColumnSpec, TableSpec
from pharmaetl.spark.transforms import load_transform

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TYPES = {"date": "date", "integer": "bigint", "decimal": "decimal(28,8)", "boolean": "boolean"}
_NARROW = frozenset({"tinyint", "smallint", "int"})
"""Whole numbers that are widened to bigint: what row_number() and size() give, and not the same on every engine."""
_LAKE_COLUMNS = {frames.RECORD_HASH: "string", frames.RUN_ID: "string"}
_SHOWN = 300


@dataclass(frozen=True)
class Silver:
    """A table that the function gets: silver, or gold made before."""

    table: TableSpec
    """With the columns that were written."""
    path: str | None
    """None where the release lacks the table or it has no rows: an empty frame with its columns stands for it."""


@dataclass(frozen=True)
class GoldJob:
    """The tables of one run → one gold table."""

    name: str
    silver: tuple[Silver, ...]
    gold: tuple[Silver, ...]
    """Those that stand before it in the config."""
    gold_path: str
    run_id: str
    as_of: str
    """The day that the function gets, YYYY-MM-DD."""
    table: TableSpec
    transforms_path: str
    """The dataset's transforms.py, or the name of the module that it is in Glue's library."""
    released: str | None = None
    """The release's own date, YYYY-MM-DD, where it has one."""


class _Tables(dict[str, "DataFrame"]):
    """The tables by name; asking for another one is a mistake in transforms.py, and is told as such."""

    def __init__(self, tables: dict[str, DataFrame], asker: str) -> None:
        super().__init__(tables)
        self._asker = asker

    def __missing__(self, name: str) -> DataFrame:
        raise ConfigError(f"{self._asker} asks for a table {name!r}", hint=f"tables: {', '.join(self)}")


def gold(session: SparkSession, job: GoldJob) -> dict[str, Any]:
    """Write one gold table; returns what was counted (see `measures.measure`), and its schema.

    ConfigError where transforms.py has no such function, or it gives other columns than the config says. Of a table
    without rows nothing is published: what an engine may have left at `gold_path` then holds none.
    """
    dialect.speak(session)
    rows = frames.with_record_hash(_made(session, job), job.table.hashed)
    published = frames.silver(rows, job.table.names, job.run_id)
    published.write.option("compression", "zstd").parquet(job.gold_path)
    written = session.read.schema(published.schema).parquet(job.gold_path)
    schema = {field.name: field.dataType.simpleString() for field in published.schema.fields}
    counts = measures.measure(written, job.table)
    return {**(counts if counts["rows"] else jobs.nothing(job.table)), "schema": schema}


def _made(session: SparkSession, job: GoldJob) -> DataFrame:
    """What the function gives, with the config's columns in their order."""
    name = f"gold_{job.name}"
    function = load_transform(job.transforms_path, name)
    if function is None:
        raise ConfigError(f"{job.transforms_path} has no function {name}", hint=f"def {name}(tables, as_of): …")
    asker = f"{job.transforms_path}: {name}"
    tables = {one.table.name: _frame(session, one) for one in (*job.silver, *job.gold)}
    try:
        rows = function(_Tables(tables, asker), date.fromisoformat(job.as_of), **_more(function, job))
        schema = getattr(rows, "schema", None)
    except AnalysisException as error:
        said = " ".join(str(error).split())[:_SHOWN]
        raise ConfigError(f"{asker}: the engine refuses it: {said}", hint="mend the function") from error
    if schema is None:
        raise ConfigError(f"{asker} gives {type(rows).__name__}, not a DataFrame", hint="mend the function")
    _refuse_other_columns(job.table, [(field.name, field.dataType.simpleString()) for field in schema.fields], asker)
    return rows.select(*[F.col(column.name).cast(_type(column)).alias(column.name) for column in job.table.columns])


def _more(function: Callable[..., DataFrame], job: GoldJob) -> dict[str, date | None]:
    """The release's own date, for a function that has a parameter `released`."""
    if "released" not in inspect.signature(function).parameters:
        return {}
    return {"released": date.fromisoformat(job.released) if job.released else None}


def _frame(session: SparkSession, one: Silver) -> DataFrame:
    """A table as the function gets it: business columns, record_hash, meta_run_id."""
    if one.path is not None:
        return session.read.parquet(one.path)
    kinds = {**{column.name: _type(column) for column in one.table.columns}, **_LAKE_COLUMNS}
    return session.range(0).select(*[F.lit(None).cast(kind).alias(name) for name, kind in kinds.items()])


def _type(column: ColumnSpec) -> str:
    return "array<string>" if column.derived == "list" else _TYPES.get(column.type, "string")


def _refuse_other_columns(table: TableSpec, found: Sequence[tuple[str, str]], asker: str) -> None:
    """ConfigError that names every column which is missing, too many or of another type."""
    expected = {column.name: _type(column) for column in table.columns}
    kinds = {name: "bigint" if kind in _NARROW else kind for name, kind in found}
    copies = Counter(name for name, _ in found)
    wrong = [f"{name} is missing" for name in expected if name not in kinds]
    wrong += [f"{name} is not in the config" for name in kinds if name not in expected]
    wrong += [f"{name} is there {number} times" for name, number in copies.items() if number > 1]
    wrong += [
        f"{name} is {kinds[name]}, not {kind}" for name, kind in expected.items() if kinds.get(name, kind) != kind
    ]
    if wrong:
        raise ConfigError(
            f"{asker} gives other columns than gold table {table.name} has: {'; '.join(wrong)}",
            hint="mend the function, or `columns` of the gold table in the config",
        )
