"""One bronze table → silver and quarantine, portion by portion: each is judged, freed of repetitions and written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pharmaetl.errors import EngineError
from pharmaetl.spark import dialect, frames, measures, tables
from pharmaetl.spark.spec import TableSpec
from pharmaetl.spark.tables import Kept
from pharmaetl.spark.transforms import load_transform

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PORTION_ROWS = 2_500_000
"""As many rows are judged at once, by an engine that keeps them in memory."""
_FEW = 1000
"""Repeated rows that are asked for one by one."""
_OF_A_PORTION = ("judged", "doubled", "repeated", "again")
_NAMES = (*_OF_A_PORTION, "seen")
"""What is kept: a portion's rows and what is found out about them, and the twins of all that is published."""


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
class _Portion:
    """What came of some of the rows."""

    findings: list[dict[str, Any]]
    refused: int
    duplicates: int
    table: TableSpec
    """With the columns that the dataset's transform has kept."""
    schema: dict[str, str]


def silver(session: SparkSession, job: SilverJob) -> dict[str, Any]:
    """Write silver and quarantine; returns what was counted (see `measures.measure`), and:

    rows_refused, rows_duplicate · findings, a list of {rule, column, refused, rows, line} · schema.
    """
    dialect.speak(session)
    if job.transforms_path and load_transform(job.transforms_path, f"silver_{job.table.name}") is None:
        job = replace(job, transforms_path=None)
    work = _Work(session, job)
    portions = tables.portions(session, job.bronze_path, PORTION_ROWS)
    for number, paths in enumerate(portions, start=1):
        work.add(paths, is_last=number == len(portions))
    done = work.done
    refused, duplicates = sum(one.refused for one in done), sum(one.duplicates for one in done)
    counts = _measured(session, replace(job, table=done[0].table), job.rows - refused - duplicates)
    return {
        **counts,
        "rows_refused": refused,
        "rows_duplicate": duplicates,
        "findings": _added_up(finding for one in done for finding in one.findings),
        "schema": done[0].schema,
    }


def nothing(table: TableSpec) -> dict[str, Any]:
    """What is counted of a table without rows, which has no file to measure."""
    columns = {name: {"nulls": 0} for name in table.names}
    return {"rows": 0, "columns": columns, "rules": {}, "keys": {}, "digest": measures.digest(0, 0)}


class _Work:
    """What is published so far, and what must be known of it."""

    def __init__(self, session: SparkSession, job: SilverJob) -> None:
        self._session, self._job = session, job
        self._kept = Kept(session, job.kept_path)
        self._kept.forget(*_NAMES)
        self._seen: DataFrame | None = None
        self._files: list[str] = []
        self.done: list[_Portion] = []

    def add(self, paths: str | list[str], *, is_last: bool) -> None:
        """Judge some of the rows, and add what is to be published of them to silver, and what is not to quarantine."""
        job = self._job
        bronze_rows = frames.complete(tables.read(self._session, paths), job.table)
        judged = self._judged(bronze_rows)
        findings, refused = self._quarantine(judged, bronze_rows)
        rows, table = self._accepted(judged, refused)
        rows = frames.with_twins(rows)
        repeated = self._repeated(rows, table)
        duplicates = int(repeated.count()) if repeated is not None else 0
        if repeated is not None and duplicates:
            rows = frames.without(rows, repeated)
        published = frames.silver(rows, table.names, job.run_id)
        tables.write(published, job.silver_path, job.rows - refused - duplicates, more=bool(self.done))
        schema = {field.name: field.dataType.simpleString() for field in published.schema.fields}
        self.done.append(_Portion(findings, refused, duplicates, table, schema))
        if not is_last:
            self._remember(rows)
        self._kept.forget(*(_NAMES if is_last else _OF_A_PORTION))

    def _judged(self, bronze_rows: DataFrame) -> DataFrame:
        """Every row with its typed values and what is wrong with it, worked out once and kept."""
        job = self._job
        judged = frames.judged(bronze_rows, job.table)
        if job.transforms_path is None:
            judged = frames.with_record_hash(judged, job.table.hashed)
        return self._kept.keep("judged", judged)

    def _accepted(self, judged: DataFrame, refused: int) -> tuple[DataFrame, TableSpec]:
        """The rows to publish with their record_hash, and the table with what the dataset's transform has kept."""
        job = self._job
        rows = frames.accepted(judged) if refused else judged.drop(frames.FINDINGS)
        if job.transforms_path is None:
            return rows, job.table
        transform = load_transform(job.transforms_path, f"silver_{job.table.name}")
        rows = transform(rows) if transform else rows
        table = job.table.kept(rows.columns)
        return frames.with_record_hash(rows, table.hashed), table

    def _quarantine(self, judged: DataFrame, bronze_rows: DataFrame) -> tuple[list[dict[str, Any]], int]:
        """Count what is wrong by rule, and write the rows that are refused aside; returns both counts."""
        job, more = self._job, bool(self.done)
        findings = [_finding(row.asDict()) for row in frames.findings_by_rule(judged).collect()]
        refused_rows = frames.refused(judged, bronze_rows)
        refused = int(refused_rows.count()) if any(finding["refused"] for finding in findings) else 0
        rejects_path = None if more else job.rejects_path
        if refused or rejects_path is not None:
            rows = frames.quarantine(refused_rows)
            if rejects_path is not None:
                rejects = tables.records(self._session, rejects_path, ("rule", "raw"))
                rows = rows.unionByName(frames.malformed(rejects, rows))
            origin = {"source_sha256": job.source_sha256, "source_file": job.source_file}
            rows = frames.with_origin(rows, run_id=job.run_id, **origin)
            tables.write(rows, job.quarantine_path, 0, more=more)
        return findings, refused

    def _repeated(self, rows: DataFrame, table: TableSpec) -> DataFrame | None:
        """The source lines of rows that stand further up already, among these or in silver; None where none does."""
        doubled, before = frames.twins(rows), None
        if self._seen is not None:
            again = self._kept.keep("again", frames.again(self._seen, rows))
            before = self._before(rows, again)
            doubled = doubled.unionByName(again.select(frames.TWIN)) if before is not None else doubled
        doubled = self._kept.keep("doubled", doubled)
        if not doubled.limit(1).collect():
            return None
        return self._kept.keep("repeated", frames.repetitions(rows, doubled, table.hashed, before))

    def _before(self, rows: DataFrame, again: DataFrame) -> DataFrame | None:
        """Of the rows in silver, those that these may repeat."""
        hashes = frames.hashes_of(rows, again).limit(_FEW + 1).collect()
        if not hashes:
            return None
        files = again.select(frames.FILE).distinct().orderBy(frames.FILE).collect()
        silver_rows = tables.read(self._session, [self._files[int(row[0])] for row in files])
        if len(hashes) <= _FEW:
            return frames.with_hashes(silver_rows, [str(row[0]) for row in hashes])
        return frames.with_twins_of(silver_rows, again)

    def _remember(self, rows: DataFrame) -> None:
        """Keep the twins of what was published, for portions to come, and in which file they are."""
        files = tables.files(self._session, self._job.silver_path)
        if len(files) > len(self._files):
            self._seen = self._kept.add("seen", frames.seen(rows, len(self._files)))
        self._files = files


def _finding(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "refused": bool(row["refused"]), "rows": int(row["rows"]), "line": int(row["line"])}


def _added_up(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings of all portions, one for each rule, column and outcome, in order."""
    found: dict[tuple[str, str, bool], dict[str, Any]] = {}
    for finding in findings:
        key = (finding["rule"], finding["column"], finding["refused"])
        known = found.setdefault(key, {**finding, "rows": 0})
        known["rows"] += finding["rows"]
        known["line"] = min(known["line"], finding["line"])
    return [found[key] for key in sorted(found)]


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
