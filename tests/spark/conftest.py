"""One session of the engine under test, for all engine tests of a process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pharmaetl import engine
from pharmaetl.engine.duck.frame import DataFrame
from pharmaetl.engine.duck.session import Session
from pharmaetl.run_options import EngineName
from pharmaetl.spark import dialect

ARROW_TYPES = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "string": pa.string(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "decimal(28,8)": pa.decimal128(28, 8),
}


class FilledSession(Session):
    """DuckDB's session, with rows that a test makes up."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        super().__init__(db)
        self.scratch, self.frames = Path(), 0
        # the oracle's rules have it; DuckDB is never asked to run a dataset whose rules call functions
        self._db.execute("CREATE MACRO startswith(text, beginning) AS starts_with(text, beginning)")

    # PySpark's own spelling
    def createDataFrame(self, rows: Sequence[Sequence[Any]], schema: str) -> DataFrame:  # noqa: N802
        self.frames += 1
        folder = self.scratch / f"given-{self.frames}"
        folder.mkdir()
        fields = [field.strip().split(" ") for field in schema.split(", ")]
        columns = [pa.array([row[n] for row in rows], ARROW_TYPES[kind]) for n, (_, kind) in enumerate(fields)]
        pq.write_table(pa.table(columns, [name for name, _ in fields]), folder / "rows.parquet")
        return self.read.parquet(str(folder))


@pytest.fixture(scope="session")
def spark(engine_name: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    scratch = tmp_path_factory.mktemp("engine")
    if engine_name == "duckdb":
        filled = FilledSession.start(scratch)
        filled.scratch = scratch
        session = cast("SparkSession", filled)
        dialect.speak(session)
        yield session
        session.stop()
        return
    with engine.Engine(engine.choose(engine_name), scratch) as running:
        yield running.session


@pytest.fixture(autouse=True)
def own_dialect(request: pytest.FixtureRequest) -> None:
    """The transforms speak the session's dialect, whatever a run in this process has spoken before."""
    if "spark" in request.fixturenames:
        dialect.speak(request.getfixturevalue("spark"))
