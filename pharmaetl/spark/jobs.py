"""The jobs that a laptop's runner calls and Glue starts: read one layer, write the next, say what was counted."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pharmaetl.errors import EngineError
from pharmaetl.spark import dialect, frames, measures, references
from pharmaetl.spark.columns import FIELD_SEPARATOR
from pharmaetl.spark.spec import TableSpec

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

WHOLE_FILE_ROWS = 200_000
"""Tables up to this size are written as one file (Sail writes up to four where exact duplicates were taken out)."""

KEPT_ROWS = 4_000_000
"""Tables up to this size are kept in memory between two passes, by an engine that can, instead of in a file."""


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
class SilverJob:
    """One bronze table → silver, quarantine, and the measures that the gate asks for."""

    bronze_path: str
    silver_path: str
    kept_path: str
    """Where typed rows, and what is found out about them, are kept until silver is written."""
    quarantine_path: str
    run_id: str
    rows: int
    source_sha256: str
    source_file: str
    table: TableSpec
    rejects_path: str | None = None
    """Records that the splitter refused; None where there are none."""
    transforms_path: str | None = None
    """The dataset's transforms.py, or the name of the module that it is in Glue's library; it may hold a function
    `silver_<table>`, which gets the typed rows before they are published."""


@dataclass(frozen=True)
class Written:
    """A silver or gold table as it was written."""

    path: str
    table: TableSpec
    rows: int


def bronze(session: SparkSession, job: BronzeJob) -> None:
    """Write one bronze table. The path must not exist: a step never writes over another's files."""
    dialect.speak(session)
    records = _read_records(session, job.records_path, job.names)
    rows = frames.bronze(
        records,
        run_id=job.run_id,
        source_sha256=job.source_sha256,
        source_file=job.source_file,
        line_breaks=job.line_breaks,
    )
    _write(rows, job.bronze_path, job.rows)


def silver(session: SparkSession, job: SilverJob) -> dict[str, Any]:
    """Write silver and quarantine; returns what was counted (see `measures.measure`), and:

    rows_refused, rows_duplicate · findings, a list of {rule, column, refused, rows, line} · schema.
    """
    dialect.speak(session)
    if job.transforms_path and load_transform(job.transforms_path, f"silver_{job.table.name}") is None:
        job = replace(job, transforms_path=None)
    bronze_rows = frames.complete(session.read.parquet(job.bronze_path), job.table)
    judged = _judged(session, job, bronze_rows)
    findings, refused = _quarantine(session, job, judged, bronze_rows)
    rows, job = _accepted(job, judged, refused)
    table = job.table
    rows = frames.with_twins(rows)
    doubled = _kept(session, job, "doubled", frames.twins(rows))
    duplicates = 0
    if doubled.limit(1).collect():
        repeated = _kept(session, job, "repeated", frames.repetitions(rows, doubled))
        duplicates = int(repeated.count())
        rows = frames.without(rows, repeated) if duplicates else rows
    published = frames.silver(rows, table.names, job.run_id)
    kept = job.rows - refused - duplicates
    _write(published, job.silver_path, kept)
    schema = {field.name: field.dataType.simpleString() for field in published.schema.fields}
    _forget(session, "judged", "doubled", "repeated")
    counts = _measured(session, job, kept)
    return {**counts, "rows_refused": refused, "rows_duplicate": duplicates, "findings": findings, "schema": schema}


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


def _measured(session: SparkSession, job: SilverJob, kept: int) -> dict[str, Any]:
    if kept == 0:
        return nothing(job.table)
    counts = measures.measure(session.read.parquet(job.silver_path), job.table)
    if counts["rows"] != kept:
        raise EngineError(
            f"silver {job.table.name} holds {counts['rows']} rows where bronze's {job.rows}"
            f" less refused and repeated ones are {kept}",
            hint="nothing was published; please report this with the run record",
        )
    return counts


def nothing(table: TableSpec) -> dict[str, Any]:
    """What is counted of a table without rows, which has no file to measure."""
    columns = {name: {"nulls": 0} for name in table.names}
    return {"rows": 0, "columns": columns, "rules": {}, "keys": {}, "digest": measures.digest(0, 0, 0)}


def _judged(session: SparkSession, job: SilverJob, bronze_rows: DataFrame) -> DataFrame:
    """Every row with its typed values and what is wrong with it, worked out once and read back from a file."""
    judged = frames.judged(bronze_rows, job.table)
    if job.transforms_path is None:
        judged = frames.with_record_hash(judged, job.table.hashed)
    return _kept(session, job, "judged", judged, in_memory=job.rows <= KEPT_ROWS)


def _kept(session: SparkSession, job: SilverJob, name: str, rows: DataFrame, *, in_memory: bool = True) -> DataFrame:
    """The rows worked out once: in memory, by an engine that can, else in a file, of which engines know the size."""
    keep = getattr(session, "keep", None) if in_memory else None
    if keep is not None:
        kept: DataFrame = keep(name, rows)
        return kept
    path = f"{job.kept_path}/{name}"
    rows.write.option("compression", "snappy").parquet(path)
    return session.read.schema(rows.schema).parquet(path)


def _forget(session: SparkSession, *names: str) -> None:
    """Free what was kept."""
    forget = getattr(session, "forget", None)
    if forget is not None:
        forget(*names)


def _accepted(job: SilverJob, judged: DataFrame, refused: int) -> tuple[DataFrame, SilverJob]:
    """The rows to publish with their record_hash, and the job for the columns that the dataset's transform has kept."""
    rows = frames.accepted(judged) if refused else judged.drop(frames.FINDINGS)
    if job.transforms_path is None:
        return rows, job
    transform = load_transform(job.transforms_path, f"silver_{job.table.name}")
    rows = transform(rows) if transform else rows
    table = job.table.kept(rows.columns)
    return frames.with_record_hash(rows, table.hashed), replace(job, table=table)


def _quarantine(
    session: SparkSession, job: SilverJob, judged: DataFrame, bronze_rows: DataFrame
) -> tuple[list[dict[str, Any]], int]:
    """Count what is wrong by rule, and write the rows that are refused aside; returns both counts."""
    counted = (_finding(row.asDict()) for row in frames.findings_by_rule(judged).collect())
    findings = sorted(counted, key=lambda finding: (finding["rule"], finding["column"]))
    refused_rows = frames.refused(judged, bronze_rows)
    refused = int(refused_rows.count()) if any(finding["refused"] for finding in findings) else 0
    if refused or job.rejects_path is not None:
        rows = frames.quarantine(refused_rows)
        if job.rejects_path is not None:
            rows = rows.unionByName(frames.malformed(_read_records(session, job.rejects_path, ("rule", "raw")), rows))
        rows = frames.with_origin(rows, run_id=job.run_id, source_sha256=job.source_sha256, source_file=job.source_file)
        rows.coalesce(1).write.option("compression", "zstd").parquet(job.quarantine_path)
    return findings, refused


def _finding(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "refused": bool(row["refused"]), "rows": int(row["rows"]), "line": int(row["line"])}


def _read_records(session: SparkSession, path: str, names: tuple[str, ...]) -> DataFrame:
    """The splitter's canonical form. Quoting is off: NUL can't occur in it, and both engines take it as 'no quote'."""
    schema = f"{frames.LINE} bigint, " + ", ".join(f"`{name}` string" for name in names)
    return session.read.csv(
        path, schema=schema, sep=FIELD_SEPARATOR, header=False, quote="\0", escape="\0", mode="FAILFAST"
    )


def _write(rows: DataFrame, path: str, expected: int) -> None:
    frame = rows.coalesce(1) if expected <= WHOLE_FILE_ROWS else rows
    frame.write.option("compression", "zstd").parquet(path)


def load_transform(path: str, name: str) -> Callable[..., DataFrame] | None:
    """A function of a dataset's transforms.py, or of the module of this name; None where it has none of that name."""
    module = _module_at(path) if path.endswith(".py") else importlib.import_module(path)
    function: Callable[..., DataFrame] | None = getattr(module, name, None)
    return function


def _module_at(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("pharmaetl_transforms", path)
    if spec is None or spec.loader is None:
        raise EngineError(f"{path} can't be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
