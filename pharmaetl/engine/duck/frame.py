"""Frames as SQL texts, with the methods of PySpark's DataFrame that the transforms use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl.engine.duck import functions as F
from pharmaetl.engine.duck.column import Column, column_of, literal, quoted, spark_type, sqls

if TYPE_CHECKING:
    import duckdb

_ZSTD_LEVEL = 1
"""Takes a third of the time off a write, and files are no larger than those of the usual level."""
_DICTIONARY_VALUES = 4096
"""At most so many in a dictionary: longer ones take a tenth of the time of writing, and save nothing behind zstd."""
_ROW_GROUP_ROWS = 61_440
"""Half of the usual number: a group's columns stay in the processor's cache while it is made, and two threads share the
groups of a small table evenly. Files are a thousandth larger."""
_FEWEST_SORTED, _MOST_SORTED = 1_000_000, 100_000_000
"""Rows of which hashes are sorted: fewer aren't worth loading numpy, more don't fit into memory."""
_TWICE, _SHARED = "meta_twice", "meta_shared"
_JOINS = {"inner": "JOIN", "left": "LEFT JOIN", "left_semi": "SEMI JOIN", "left_anti": "ANTI JOIN"}


class Row(tuple[Any, ...]):
    """A collected row: values by place, or by name."""

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: tuple[str, ...], values: Sequence[Any]) -> Row:
        """A row of a frame with these columns."""
        row = cls(values)
        row.names = names
        return row

    def asDict(self) -> dict[str, Any]:
        """The row as a plain dict."""
        return dict(zip(self.names, self, strict=True))

    def __getitem__(self, place: Any) -> Any:
        return super().__getitem__(self.names.index(place) if isinstance(place, str) else place)


@dataclass(frozen=True)
class DataType:
    """A column's type."""

    kind: str

    def simpleString(self) -> str:
        """Its name in Spark's SQL."""
        return self.kind


@dataclass(frozen=True)
class Field:
    """A column of a schema."""

    name: str
    dataType: DataType


@dataclass(frozen=True)
class Schema:
    """The columns of a frame, in order."""

    fields: tuple[Field, ...]


class DataFrame:
    """A query."""

    def __init__(self, db: duckdb.DuckDBPyConnection, sql: str) -> None:
        self._db = db
        self.sql = sql

    def _of(self, sql: str) -> DataFrame:
        return DataFrame(self._db, sql)

    @property
    def _source(self) -> str:
        return f"({self.sql})"

    @cached_property
    def dtypes(self) -> list[tuple[str, str]]:
        """Names and Spark's types of the columns."""
        return [(row[0], spark_type(row[1])) for row in self._db.execute(f"DESCRIBE {self.sql}").fetchall()]

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return [name for name, _ in self.dtypes]

    @property
    def schema(self) -> Schema:
        """The columns with their types."""
        return Schema(tuple(Field(name, DataType(kind)) for name, kind in self.dtypes))

    def select(self, *given: Column | str) -> DataFrame:
        """Some columns or expressions."""
        return self._of(f"SELECT {', '.join(map(_selected, given))} FROM {self._source}")

    def where(self, condition: Column | str) -> DataFrame:
        """The rows for which something holds."""
        sql = F.expr(condition).sql if isinstance(condition, str) else condition.sql
        return self._of(f"SELECT * FROM {self._source} WHERE {sql}")

    def withColumn(self, name: str, value: Column) -> DataFrame:
        """One more column, or another value for one."""
        if name in self.columns:
            return self._of(f"SELECT * REPLACE ({value.sql} AS {quoted(name)}) FROM {self._source}")
        return self._of(f"SELECT *, {value.sql} AS {quoted(name)} FROM {self._source}")

    def drop(self, name: str) -> DataFrame:
        """All columns but one."""
        return self._of(f"SELECT * EXCLUDE ({quoted(name)}) FROM {self._source}")

    def distinct(self) -> DataFrame:
        """Each row once."""
        return self._of(f"SELECT DISTINCT * FROM {self._source}")

    def groupBy(self, *names: str) -> Grouped:
        """Groups of rows that have the same values."""
        return Grouped(self, names)

    def agg(self, *values: Column) -> DataFrame:
        """One row for all."""
        return self.select(*values)

    def join(self, other: DataFrame, on: str | Sequence[str], how: str = "inner") -> DataFrame:
        """Rows of both that have the same values in some columns; null is no value."""
        names = [on] if isinstance(on, str) else on
        return self._of(f"SELECT * FROM {self._source} {_JOINS[how]} {other._source} USING ({sqls(names)})")

    def unionByName(self, other: DataFrame) -> DataFrame:
        """The rows of both, their columns matched by name."""
        return self._of(f"({self.sql}) UNION ALL BY NAME ({other.sql})")

    def orderBy(self, *names: str) -> DataFrame:
        """In the order of some columns; nulls first, as in Spark."""
        order = ", ".join(f"{column_of(name).sql} NULLS FIRST" for name in names)
        return self._of(f"SELECT * FROM {self._source} ORDER BY {order}")

    def limit(self, rows: int) -> DataFrame:
        """The first rows."""
        return self._of(f"SELECT * FROM {self._source} LIMIT {rows}")

    def coalesce(self, partitions: int) -> DataFrame:
        """The same: what is written is one file anyway."""
        return self

    def collect(self) -> list[Row]:
        """All rows."""
        done = self._db.execute(self.sql)
        names = tuple(column[0] for column in done.description or ())
        return [Row.of(names, row) for row in done.fetchall()]

    def count(self) -> int:
        """How many rows."""
        return int(self.agg(F.count("*").alias("rows")).collect()[0]["rows"])

    def shared(self, name: str, about: int) -> tuple[DataFrame, int] | None:
        """The values of a column of hashes that more than one row has, each once; and how many rows there are.

        They are kept until the next time. `about`: of how many rows to think; None where sorting so many doesn't pay,
        which takes a fourth of the time of grouping. A Spark frame has none of this name.
        """
        if not _FEWEST_SORTED <= about <= _MOST_SORTED:
            return None
        import numpy as np

        # a table is filled by all threads, a result is fetched by one
        column = quoted(name)
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE {_SHARED} AS SELECT {column} FROM {self._source}")
        values: Any = self._db.execute(f"SELECT {column} FROM {_SHARED}").fetchnumpy()[name]
        values.sort()
        self._db.register(_TWICE, {name: np.unique(values[1:][values[1:] == values[:-1]])})
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE {_SHARED} AS FROM {_TWICE}")
        self._db.unregister(_TWICE)
        return self._of(f"SELECT * FROM {_SHARED}"), len(values)

    def coded(self, few: Mapping[str, Sequence[str]]) -> DataFrame:
        """The same texts as enums: by column, the values that it has. Any other one is an error when it comes up."""
        texts = {name: ", ".join(map(literal, values)) for name, values in few.items()}
        enums = [f"CAST({quoted(name)} AS ENUM({text})) AS {quoted(name)}" for name, text in texts.items()]
        return self._of(f"SELECT * REPLACE ({', '.join(enums)}) FROM {self._source}") if enums else self

    @property
    def write(self) -> Writer:
        """How to write it to files."""
        return Writer(self)

    def copy_to(self, folder: Path, options: str, *, more: bool = False) -> None:
        """Write one Parquet file into a new folder, or one more; none where there are no rows."""
        folder.mkdir(parents=True, exist_ok=more)
        file = folder / f"part-{len(list(folder.iterdir())):05d}.parquet"
        groups = f"ROW_GROUP_SIZE {_ROW_GROUP_ROWS}, DICTIONARY_SIZE_LIMIT {_DICTIONARY_VALUES}"
        written = self._db.execute(
            f"COPY ({self.sql}) TO {literal(str(file))} (FORMAT parquet, {options}, {groups})"
        ).fetchone()
        if written is None or not written[0]:
            file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Grouped:
    """Groups of rows."""

    frame: DataFrame
    names: tuple[str, ...]

    def agg(self, *values: Column) -> DataFrame:
        """One row for each group."""
        selected = self.frame.select(*self.names, *values)
        return DataFrame(self.frame._db, f"{selected.sql} GROUP BY {sqls(self.names)}")


@dataclass(frozen=True)
class Writer:
    """Writes a frame."""

    frame: DataFrame
    compression: str = "zstd"
    more: bool = False

    def mode(self, name: str) -> Writer:
        """Only `append` is known: add to what is in the folder."""
        if name != "append":
            raise ValueError(f"{name}: no such mode")
        return replace(self, more=True)

    def option(self, name: str, value: str) -> Writer:
        """Only `compression` is known."""
        if name != "compression":
            raise ValueError(f"{name}: no such option")
        return replace(self, compression=value)

    def parquet(self, path: str) -> None:
        """Parquet, in a folder that must not exist, unless it is appended to."""
        level = f", COMPRESSION_LEVEL {_ZSTD_LEVEL}" if self.compression == "zstd" else ""
        self.frame.copy_to(Path(path), f"COMPRESSION {self.compression}{level}", more=self.more)


def _selected(given: Column | str) -> str:
    if isinstance(given, str) and given.endswith("*"):
        return f"{quoted(given.removesuffix('.*'))}.*" if given != "*" else given
    one = column_of(given)
    return f"{one.sql} AS {quoted(one.name)}" if one.name else one.sql
