"""A DuckDB database in this process's memory, with what the transforms use of a SparkSession."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pharmaetl.engine.duck.column import duckdb_type, literal, quoted
from pharmaetl.engine.duck.frame import DataFrame

if TYPE_CHECKING:
    import duckdb

MEMORY_BYTES = 896 * 1024**2
"""Of DuckDB's buffers; what doesn't fit is written to the scratch folder."""


class Session:
    """Stands for a SparkSession."""

    dialect = ("pharmaetl.engine.duck.functions", "pharmaetl.engine.duck.window")
    """Where `pharmaetl.spark.dialect` finds the functions that go with it."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db

    @classmethod
    def start(cls, scratch: Path) -> Self:
        """A new database, which spills to a folder."""
        import duckdb

        settings = {
            "memory_limit": f"{MEMORY_BYTES}B",
            "temp_directory": str(scratch / "duckdb"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # a tenth of a run's time went into keeping the source's order; bronze says each row's line
            "preserve_insertion_order": "false",
        }
        return cls(duckdb.connect(":memory:", config=dict(settings)))

    @property
    def read(self) -> Reader:
        """How to read files."""
        return Reader(self._db)

    def keep(self, name: str, frame: DataFrame, few: Mapping[str, Sequence[str]] | None = None) -> DataFrame:
        """The frame's rows, worked out and kept in memory until others are under that name.

        `few`: by text column, all values that it can have. Such columns are kept as numbers of them, and written to
        Parquet as those, which takes a third of the time off both.
        """
        table = quoted(name)
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {frame.coded(few or {}).sql}")
        return DataFrame(self._db, f"SELECT * FROM {table}")

    def add(self, name: str, frame: DataFrame) -> DataFrame:
        """The frame's rows, behind those that are kept under that name."""
        table = quoted(name)
        self._db.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} AS {frame.sql} LIMIT 0")
        self._db.execute(f"INSERT INTO {table} {frame.sql}")
        return DataFrame(self._db, f"SELECT * FROM {table}")

    def files(self, path: str) -> list[str]:
        """The Parquet files of a folder in their order."""
        return [str(file) for file in sorted(Path(path).glob("*.parquet"))]

    def noted(self, paths: list[str], key: str) -> list[Any]:
        """What each of these Parquet files has in its metadata under a key, as JSON; those that have it."""
        files = ", ".join(map(literal, paths))
        found = self._db.execute(
            f"SELECT decode(value) FROM parquet_kv_metadata([{files}]) WHERE decode(key) = {literal(key)}"
        ).fetchall()
        return [json.loads(text) for (text,) in found]

    def portions(self, path: str, most: int) -> list[list[str]]:
        """The Parquet files of a folder in their order, by portions of at most so many rows; at least a file each."""
        files = literal(f"{path}/*.parquet")
        counted = f"SELECT file_name, num_rows FROM parquet_file_metadata({files}) ORDER BY file_name"
        found: list[list[str]] = []
        room = 0
        for file, rows in self._db.execute(counted).fetchall():
            if not found or rows > room:
                found.append([])
                room = most
            found[-1].append(file)
            room -= rows
        return found

    def forget(self, *names: str) -> None:
        """Free what was kept under these names."""
        for name in names:
            self._db.execute(f"DROP TABLE IF EXISTS {quoted(name)}")

    def stop(self) -> None:
        """Close the database."""
        self._db.close()


class Reader:
    """Reads files."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db

    def schema(self, schema: Any) -> Reader:
        """The same: Parquet files say their schema, and an empty frame has none to be read."""
        return self

    def parquet(self, *paths: str) -> DataFrame:
        """Parquet files, or all of a folder."""
        files = [path if path.endswith(".parquet") else f"{path}/*.parquet" for path in paths]
        # a folder `run=…` is no column, as to Spark where it is named itself
        return DataFrame(
            self._db, f"SELECT * FROM read_parquet([{', '.join(map(literal, files))}], hive_partitioning = false)"
        )

    def csv(self, path: str, *, schema: str, sep: str, **_: Any) -> DataFrame:
        """The splitter's canonical form: no header, no quotes, LF behind every record, nothing for null."""
        kinds = (part.strip().rpartition(" ") for part in schema.split(","))
        columns = ", ".join(f"{literal(name.strip('`'))}: {literal(duckdb_type(kind))}" for name, _, kind in kinds)
        form = "header = false, quote = '', escape = '', new_line = '\\n', auto_detect = false"
        return DataFrame(
            self._db,
            f"SELECT * FROM read_csv({literal(path)}, columns = {{{columns}}}, delim = {literal(sep)}, {form})",
        )
