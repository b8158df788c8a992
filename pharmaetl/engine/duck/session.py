"""A DuckDB database in this process's memory, with what the transforms use of a SparkSession."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pharmaetl.engine.duck.column import duckdb_type, literal, quoted
from pharmaetl.engine.duck.frame import DataFrame

if TYPE_CHECKING:
    import duckdb

MEMORY_BYTES = 1024**3
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

    def beside(self) -> Session:
        """The same database, for another thread."""
        return Session(self._db.cursor())

    @property
    def read(self) -> Reader:
        """How to read files."""
        return Reader(self._db)

    def keep(self, name: str, frame: DataFrame) -> DataFrame:
        """The frame's rows, worked out and kept in memory until others are under that name."""
        table = quoted(name)
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {frame.sql}")
        return DataFrame(self._db, f"SELECT * FROM {table}")

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

    def parquet(self, path: str) -> DataFrame:
        """A Parquet file, or all of a folder."""
        files = path if path.endswith(".parquet") else f"{path}/*.parquet"
        return DataFrame(self._db, f"SELECT * FROM read_parquet({literal(files)})")

    def csv(self, path: str, *, schema: str, sep: str, **_: Any) -> DataFrame:
        """The splitter's canonical form: no header, no quotes, LF behind every record, nothing for null."""
        kinds = (part.strip().rpartition(" ") for part in schema.split(","))
        columns = ", ".join(f"{literal(name.strip('`'))}: {literal(duckdb_type(kind))}" for name, _, kind in kinds)
        form = f"delim = {literal(sep)}, quote = '', escape = '', header = false, new_line = '\\n', auto_detect = false"
        return DataFrame(self._db, f"SELECT * FROM read_csv({literal(path)}, columns = {{{columns}}}, {form})")
