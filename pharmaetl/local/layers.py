"""The engine's steps, on this machine: bronze and silver, written aside and then moved into the lake whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl.errors import EngineError
from pharmaetl.lake import layout
from pharmaetl.lake.documents import TableResult
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.local import contract as local_contract
from pharmaetl.local import quality as local_quality
from pharmaetl.local.state import Part, Run
from pharmaetl.local.workspace import engine_path
from pharmaetl.quality.gate import TableFacts

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def bronze(run: Run) -> None:
    """Every table's records → bronze Parquet."""
    from pharmaetl.spark import jobs

    for part in run.parts:
        if part.rows_bronze == 0:
            continue
        target = run.work / "bronze" / part.table.name
        job = jobs.BronzeJob(
            records_path=str(part.split.records),
            bronze_path=str(target),
            run_id=run.run_id,
            names=part.header.names,
            rows=part.rows_bronze,
            source_sha256=run.source_sha256,
            source_file=part.text.member,
            line_breaks=part.split.line_breaks,
        )
        with run.engine.speaking():
            jobs.bronze(_session(run), job)
        moved = _move_in(run, target, _bronze_dir(run, part))
        written = sum(parquet_rows(run, path) for path in moved)
        if written != part.rows_bronze:
            raise EngineError(
                f"bronze {part.table.name} holds {written} rows of {part.rows_bronze}",
                hint="nothing was published; please report this",
            )
    run.detail = f"{sum(part.rows_bronze for part in run.parts):,} rows"


def silver(run: Run) -> None:
    """Every bronze table → silver and quarantine, and what the gate wants to know."""
    for part in run.parts:
        if part.rows_bronze == 0:
            _nothing_left(part)
        else:
            _silver_table(run, part)
    local_contract.note(run, whole=True)
    run.results = tuple(_result(run, part) for part in run.parts)
    run.detail = ", ".join(f"{result.name}: {result.rows_published:,} rows" for result in run.results)


def _silver_table(run: Run, part: Part) -> None:
    from pharmaetl.spark import jobs

    work = run.work / "silver" / part.table.name
    work.mkdir(parents=True)
    job = jobs.SilverJob(
        bronze_path=engine_path(run.storage, run.work, _bronze_dir(run, part)),
        silver_path=str(work / "silver"),
        problems_path=str(work / "problems"),
        quarantine_path=str(work / "quarantine"),
        run_id=run.run_id,
        rows=part.rows_bronze,
        source_sha256=run.source_sha256,
        source_file=part.text.member,
        table=run.spec_of(part),
        rejects_path=str(part.split.rejects) if part.split.rows_rejected else None,
        transforms_path=str(run.dataset.transforms) if run.dataset.transforms else None,
    )
    with local_quality.naming_rules(run, part), run.engine.speaking():
        measures = jobs.silver(_session(run), job)
    part.schema = measures["schema"]
    part.facts = _facts(part, measures)
    level = run.dataset.config.table_level(part.table)
    _move_in(run, work / "silver", layout.silver_dir(run.dataset.name, level, run.version, run.run_id))
    _move_in(run, work / "quarantine", layout.quarantine_dir(run.dataset.name, level, run.run_id))


def _nothing_left(part: Part) -> None:
    """A table of which no record is well-formed: nothing for the engine to do, and the gate will refuse it."""
    nothing = {column.name: {"nulls": 0} for column in part.table.columns}
    part.facts = _facts(
        part,
        {
            "rows": 0,
            "rows_refused": 0,
            "rows_duplicate": 0,
            "columns": nothing,
            "rules": {},
            "keys": {},
            "findings": [],
            "digest": "",
        },
    )


def _facts(part: Part, measures: dict[str, Any]) -> TableFacts:
    return TableFacts(
        table=part.table,
        rows_read=part.split.rows_read,
        rows_malformed=part.split.rows_rejected,
        malformed_rules=part.split.rules,
        header=part.header,
        replacements=part.text.replacements,
        measures=measures,
        warnings=part.warnings,
    )


def _result(run: Run, part: Part) -> TableResult:
    """The row accounting of a table; every row read is published, refused or a repetition."""
    facts = part.facts
    if facts is None:
        raise AssertionError("silver has not run")
    duplicates = int(facts.measures["rows_duplicate"])
    if facts.rows_read != facts.rows + facts.rows_refused + duplicates:
        raise EngineError(
            f"{part.table.name}: {facts.rows_read} rows read, but {facts.rows} written,"
            f" {facts.rows_refused} refused and {duplicates} repeated",
            hint="nothing was published; please report this with the run record",
        )
    level = run.dataset.config.table_level(part.table)
    rules = dict(part.split.rules)
    for finding in facts.measures["findings"]:
        if finding["refused"]:
            rules[finding["rule"]] = rules.get(finding["rule"], 0) + finding["rows"]
    return TableResult(
        name=part.table.name,
        rows_read=facts.rows_read,
        rows_published=facts.rows,
        rows_quarantined=facts.rows_refused,
        rows_duplicate=duplicates,
        path=layout.silver_dir(run.dataset.name, level, run.version, run.run_id),
        rules=rules,
    )


def parquet_rows(run: Run, path: str) -> int:
    """Rows of a Parquet file by its own footer."""
    import pyarrow.parquet as pq

    if not isinstance(run.storage, LocalStorage):
        local = run.work / "footer.parquet"
        run.storage.fetch(path, local)
        return int(pq.read_metadata(local).num_rows)
    return int(pq.read_metadata(run.storage.url(path)).num_rows)


def _bronze_dir(run: Run, part: Part) -> str:
    return layout.bronze_dir(run.dataset.name, run.dataset.config.table_level(part.table), run.run_id)


def _session(run: Run) -> SparkSession:
    return run.engine.session


def _move_in(run: Run, written: Path, folder: str) -> list[str]:
    """Move what an engine wrote into the lake as part-00000.parquet and on, whatever it called its files."""
    moved = []
    for number, file in enumerate(sorted(written.glob("*.parquet"))):
        path = f"{folder}/part-{number:05d}.parquet"
        run.storage.put(path, file)
        moved.append(path)
    return moved
