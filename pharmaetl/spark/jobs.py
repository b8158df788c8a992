"""The jobs that a laptop's runner calls and Glue starts: read one layer, write the next, say what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pharmaetl.spark import dialect, frames, measures, references, tables
from pharmaetl.spark.silver import SilverJob, nothing, silver
from pharmaetl.spark.spec import TableSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["BronzeJob", "SilverJob", "Written", "bronze", "nothing", "orphans", "orphans_of_all", "sample", "silver"]


@dataclass(frozen=True)
class BronzeJob:
    """Records as the splitter wrote them → one bronze table."""

    records_path: str
    bronze_path: str
    run_id: str
    names: tuple[str, ...]
    """Bronze column names in file order."""
    rows: int
    source_sha256: str
    source_file: str
    line_breaks: bool = False


@dataclass(frozen=True)
class Written:
    """A silver or gold table as it was written."""

    path: str
    table: TableSpec
    rows: int


def bronze(session: SparkSession, job: BronzeJob) -> None:
    """Write one bronze table. The path must not exist: a step never writes over another's files."""
    dialect.speak(session)
    rows = frames.bronze(
        tables.records(session, job.records_path, job.names),
        run_id=job.run_id,
        source_sha256=job.source_sha256,
        source_file=job.source_file,
        line_breaks=job.line_breaks,
    )
    tables.write(rows, job.bronze_path, job.rows)


def orphans(session: SparkSession, silver_path: str, parent_path: str, table: TableSpec, rule: int) -> dict[str, int]:
    """How many rows of a written table refer to nothing in another one (see `references.orphans`)."""
    dialect.speak(session)
    return references.orphans(session.read.parquet(silver_path), session.read.parquet(parent_path), table.rules[rule])


def orphans_of_all(
    session: SparkSession, written: Sequence[Written], others: Sequence[Written] = ()
) -> dict[str, dict[str, dict[str, int]]]:
    """By table and index of its rule, how many rows refer to nothing in a table that was written too.

    One job for each reference: rules about the same one share it. A table without rows is no parent.
    `others`: tables that may be referred to, and whose own rules are not asked about.
    """
    dialect.speak(session)
    parents = {one.table.name: one for one in (*others, *written) if one.rows}
    return {child.table.name: _orphans_of(session, child, parents) for child in written}


def _orphans_of(session: SparkSession, child: Written, parents: dict[str, Written]) -> dict[str, dict[str, int]]:
    known: dict[Any, dict[str, int]] = {}
    found = {}
    for index, rule in enumerate(child.table.rules):
        parent = parents.get(rule.parent or "")
        if parent is not None:
            asked = (rule.subject, rule.where, rule.parent, rule.parent_columns)
            if asked not in known:
                nothing = {"scope": 0, "broken": 0, "keys": 0}
                known[asked] = orphans(session, child.path, parent.path, child.table, index) if child.rows else nothing
            found[str(index)] = known[asked]
    return found


def sample(
    session: SparkSession, silver_path: str, table: TableSpec, rule: int, parent_path: str | None = None
) -> list[str]:
    """Up to five rows of a written table that break one rule."""
    dialect.speak(session)
    silver_rows = session.read.parquet(silver_path)
    if parent_path is not None:
        return references.sample(silver_rows, session.read.parquet(parent_path), table.rules[rule], table)
    return measures.sample(silver_rows, table, rule)
