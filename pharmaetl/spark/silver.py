"""One bronze table → silver and quarantine, portion by portion: each is judged, freed of repetitions and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pharmaetl.errors import EngineError
from pharmaetl.spark import dialect, frames, measures, tables
from pharmaetl.spark.columns import values_of
from pharmaetl.spark.spec import TableSpec
from pharmaetl.spark.tables import Kept
from pharmaetl.spark.transforms import load_transform

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PORTION_ROWS = 2_500_000
"""As many rows are judged at once, by an engine that keeps them in memory."""
HELD_ROWS = 1_000_000
"""Rows that may repeat published ones are compared with those once they are so many, and at the end."""
_OF_A_PORTION = ("judged", "doubled", "repeated", "again")
_NAMES = (*_OF_A_PORTION, "seen", "held")
"""What is kept: a portion's rows and what is found out about them; the twins of all that is published, and the rows
that have one of them."""


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
    portions = tables.portions(session, job.bronze_path, PORTION_ROWS)
    work = _Work(session, job, _few(session, job, portions))
    for number, paths in enumerate(portions, start=1):
        work.add(paths, is_last=number == len(portions))
    work.end()
    done, duplicates = work.done, work.duplicates
    refused = sum(one.refused for one in done)
    counts = _measured(session, replace(job, table=done[0].table), job.rows - refused - duplicates)
    return {
        **counts,
        "rows_refused": refused,
        "rows_duplicate": duplicates,
        "findings": _added_up(finding for one in done for finding in one.findings),
        "schema": done[0].schema,
    }


def _few(session: SparkSession, job: SilverJob, portions: Sequence[str | list[str]]) -> dict[str, Sequence[str]]:
    """By silver column, all values that it can have, where they are known; a dataset's transform sees plain texts."""
    if job.transforms_path is not None:
        return {}
    paths = [path for portion in portions if isinstance(portion, list) for path in portion]
    in_bronze = tables.few(session, paths)
    found = {column.name: values_of(column, in_bronze) for column in job.table.columns}
    return {name: values for name, values in found.items() if values is not None}


def nothing(table: TableSpec) -> dict[str, Any]:
    """What is counted of a table without rows, which has no file to measure."""
    columns = {name: {"nulls": 0} for name in table.names}
    return {"rows": 0, "columns": columns, "rules": {}, "keys": {}, "digest": measures.digest(0, 0)}


class _Work:
    """What is published so far, and what must be known of it.

    A row of a later portion that has a twin among the published ones is held back: whether it repeats one of them takes
    reading them again, which is done once for all such rows.
    """

    def __init__(self, session: SparkSession, job: SilverJob, few: Mapping[str, Sequence[str]]) -> None:
        """`few`: by column, all values that it can have, where they are known."""
        self._session, self._job, self._few = session, job, few
        self._kept = Kept(session, job.kept_path)
        self._kept.forget(*_NAMES)
        self._seen: DataFrame | None = None
        self._held: DataFrame | None = None
        self.done: list[_Portion] = []
        self.duplicates = 0

    def add(self, paths: str | list[str], *, is_last: bool) -> None:
        """Judge some of the rows, and add what is to be published of them to silver, and what is not to quarantine."""
        job = self._job
        bronze_rows = frames.complete(tables.read(self._session, paths), job.table)
        judged = self._judged(bronze_rows, tables.trimmed(self._session, paths))
        findings, refused = self._quarantine(judged, bronze_rows)
        rows, table = self._accepted(judged, refused)
        rows = self._without_held(rows)
        repeated = self._repeated(rows, table)
        duplicates = int(repeated.count()) if repeated is not None else 0
        if repeated is not None and duplicates:
            rows = frames.without(rows, repeated)
            self.duplicates += duplicates
        published = frames.silver(rows, table.names, job.run_id)
        tables.write(published, job.silver_path, job.rows - refused - duplicates, more=bool(self.done))
        schema = {field.name: field.dataType.simpleString() for field in published.schema.fields}
        self.done.append(_Portion(findings, refused, table, schema))
        if not is_last:
            self._seen = self._kept.add("seen", frames.seen(rows))
        if self._held is not None and self._held.count() >= HELD_ROWS:
            self._settle(self._held)
        self._kept.forget(*_OF_A_PORTION)

    def end(self) -> None:
        """Publish the rest."""
        if self._held is not None:
            self._settle(self._held)
        self._kept.forget(*_NAMES)

    def _judged(self, bronze_rows: DataFrame, trimmed: frozenset[str]) -> DataFrame:
        """Every row with its typed values and what is wrong with it, worked out once and kept."""
        job = self._job
        judged = frames.judged(bronze_rows, job.table, trimmed)
        if job.transforms_path is None:
            judged = frames.with_twins(frames.with_record_hash(judged, job.table.hashed))
        return self._kept.keep("judged", judged, self._few)

    def _accepted(self, judged: DataFrame, refused: int) -> tuple[DataFrame, TableSpec]:
        """The rows to publish, hashed, and the table with what the dataset's transform has kept."""
        job = self._job
        rows = frames.accepted(judged) if refused else judged.drop(frames.FINDINGS)
        if job.transforms_path is None:
            return rows, job.table
        transform = load_transform(job.transforms_path, f"silver_{job.table.name}")
        rows = transform(rows) if transform else rows
        table = job.table.kept(rows.columns)
        return frames.with_twins(frames.with_record_hash(rows, table.hashed)), table

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

    def _without_held(self, rows: DataFrame) -> DataFrame:
        """The rows without those that have a twin in silver, which are held back."""
        if self._seen is None:
            return rows
        again = self._kept.keep("again", frames.again(self._seen, rows))
        if not again.limit(1).collect():
            return rows
        self._held = self._kept.add("held", frames.with_twin_in(rows, again))
        return frames.without_twin_in(rows, again)

    def _repeated(self, rows: DataFrame, table: TableSpec) -> DataFrame | None:
        """The source lines of rows that stand further up already, among these; None where none does."""
        doubled = self._kept.keep("doubled", frames.twins(rows, min(self._job.rows, PORTION_ROWS)))
        if not doubled.limit(1).collect():
            return None
        return self._kept.keep("repeated", frames.repetitions(rows, doubled, table.hashed))

    def _settle(self, held: DataFrame) -> None:
        """Publish those of the rows held back that repeat no published one: unequal rows whose hashes are the same."""
        job, done = self._job, self.done[0]
        published = frames.with_twins(tables.read(self._session, job.silver_path))
        twins = held.select(frames.TWIN)
        before = frames.with_twin_in(published, twins)
        repeated = self._kept.keep("repeated", frames.repetitions(held, twins, done.table.hashed, before))
        held_rows, duplicates = int(held.count()), int(repeated.count())
        if duplicates < held_rows:
            rest = frames.silver(frames.without(held, repeated), done.table.names, job.run_id)
            tables.write(rest, job.silver_path, held_rows - duplicates, more=True)
        self.duplicates += duplicates
        self._kept.forget("held", "repeated")
        self._held = None


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
