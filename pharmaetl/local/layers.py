"""The engine's steps, on this machine: bronze and silver, written aside and then moved into the lake whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl import hashing
from pharmaetl.config.dataset_config import Table
from pharmaetl.errors import EngineError
from pharmaetl.lake import layout
from pharmaetl.lake.documents import TableResult
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.local import ahead
from pharmaetl.local import contract as local_contract
from pharmaetl.local import quality as local_quality
from pharmaetl.local.exchange import exchange_of
from pharmaetl.local.footers import rows_in
from pharmaetl.local.state import Part, Run
from pharmaetl.quality.gate import FileFacts, TableFacts
from pharmaetl.text.delimited import SinkOf
from pharmaetl.text.unpack import Text

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pharmaetl.spark.jobs import BronzeJob
    from pharmaetl.text.columns import Piece


def bronze(run: Run) -> None:
    """Every table's records → bronze Parquet."""
    from pharmaetl.spark import jobs

    exchange = exchange_of(run)
    for part in run.parts:
        if part.rows_bronze == 0:
            continue
        name = f"bronze/{part.table.name}"
        with run.engine.speaking():
            if run.ahead is None or not run.ahead.wait(part.table.name):
                records = exchange.given(part.split.records)
                job = _bronze_job(run, part.text.member, part.header.names, records, exchange.target(name))
                jobs.bronze(_session(run), replace(job, rows=part.rows_bronze, line_breaks=part.split.line_breaks))
        written = exchange.rows(name)
        if written != part.rows_bronze:
            raise EngineError(
                f"bronze {part.table.name} holds {written} rows of {part.rows_bronze}",
                hint="nothing was published; please report this",
            )
        exchange.take_in(name, bronze_dir(run, part))
    run.detail = f"{sum(part.rows_bronze for part in run.parts):,} rows"


def ahead_of(run: Run, table: Table, text: Text, names: tuple[str, ...]) -> SinkOf | None:
    """Where the splitter hands a table's records, so that bronze is made of them meanwhile; None for a plain file."""
    if run.ahead is None or text.path.stat().st_size < ahead.LEAST_BYTES:
        return None
    from pharmaetl.local.bronze import Origin, write

    folder = Path(exchange_of(run).target(f"bronze/{table.name}"))
    folder.mkdir()
    origin = Origin(text.member, run.source_sha256, run.run_id)

    def convert(piece: Piece, number: int) -> None:
        write(piece, names, origin, folder / f"part-{number:05d}.parquet")

    return run.ahead.sink(table.name, text.path, convert)


def _bronze_job(run: Run, member: str, names: tuple[str, ...], records: str, target: str) -> BronzeJob:
    from pharmaetl.spark.jobs import BronzeJob

    return BronzeJob(
        records_path=records,
        bronze_path=target,
        run_id=run.run_id,
        names=names,
        rows=0,
        source_sha256=run.source_sha256,
        source_file=member,
    )


def silver(run: Run) -> None:
    """Every bronze table → silver and quarantine, and what the gate wants to know."""
    for part in run.parts:
        if part.rows_bronze == 0:
            nothing_left(part)
        else:
            _silver_table(run, part)
    account(run)
    exchange_of(run).clear()


def account(run: Run) -> None:
    """Bring the run's profiles and its row accounting up to what silver has counted."""
    local_contract.note(run, whole=True)
    run.results = tuple(_result(run, part) for part in run.parts)
    run.detail = ", ".join(f"{result.name}: {result.rows_published:,} rows" for result in run.results)


def _silver_table(run: Run, part: Part) -> None:
    from pharmaetl.spark import jobs

    exchange, below = exchange_of(run), f"silver/{part.table.name}"
    job = jobs.SilverJob(
        bronze_path=exchange.readable(bronze_dir(run, part)),
        silver_path=exchange.target(f"{below}/silver"),
        kept_path=exchange.target(f"{below}/kept"),
        quarantine_path=exchange.target(f"{below}/quarantine"),
        run_id=run.run_id,
        rows=part.rows_bronze,
        source_sha256=run.source_sha256,
        source_file=part.text.member,
        table=run.spec_of(part),
        rejects_path=exchange.given(part.split.rejects) if part.split.rows_rejected else None,
        transforms_path=str(run.dataset.transforms) if run.dataset.transforms else None,
    )
    with local_quality.naming_rules(run, part), run.engine.speaking():
        measures = jobs.silver(_session(run), job)
    take_measures(part, measures)
    level = run.dataset.config.table_level(part.table)
    exchange.take_in(f"{below}/silver", run.folder_of(part))
    exchange.take_in(f"{below}/quarantine", layout.quarantine_dir(run.dataset.name, level, run.run_id))


def take_measures(part: Part, measures: dict[str, Any]) -> None:
    """Keep what the job has counted of a table that it has written."""
    part.schema = measures["schema"]
    part.facts = _facts(part, measures)


def nothing_left(part: Part) -> None:
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
    file = FileFacts(
        header=part.header,
        rows_read=part.split.rows_read,
        rows_malformed=part.split.rows_rejected,
        malformed_rules=part.split.rules,
        replacements=part.text.replacements,
        warnings=part.warnings,
    )
    return TableFacts(part.table, measures, file)


def _result(run: Run, part: Part) -> TableResult:
    """The row accounting of a table; every row read is published, refused or a repetition."""
    facts = part.facts
    if facts is None:
        raise AssertionError("silver has not run")
    duplicates = int(facts.measures["rows_duplicate"])
    rows_read = part.split.rows_read
    if rows_read != facts.rows + facts.rows_refused + duplicates:
        raise EngineError(
            f"{part.table.name}: {rows_read} rows read, but {facts.rows} written,"
            f" {facts.rows_refused} refused and {duplicates} repeated",
            hint="nothing was published; please report this with the run record",
        )
    rules = dict(part.split.rules)
    for finding in facts.measures["findings"]:
        if finding["refused"]:
            rules[finding["rule"]] = rules.get(finding["rule"], 0) + finding["rows"]
    return TableResult(
        name=part.table.name,
        rows_read=rows_read,
        rows_published=facts.rows,
        rows_quarantined=facts.rows_refused,
        rows_duplicate=duplicates,
        path=run.folder_of(part),
        rules=rules,
    )


def looked_at(run: Run, path: str) -> tuple[str, int]:
    """SHA-256 and rows of a Parquet file as it is stored; one that is elsewhere is brought here once for both."""
    with _at_hand(run, path) as file:
        return hashing.of_file(file), rows_in(file)


@contextmanager
def _at_hand(run: Run, path: str) -> Iterator[Path]:
    """A file of the lake on this machine."""
    if isinstance(run.storage, LocalStorage):
        yield Path(run.storage.url(path))
        return
    copy = run.work / "looked-at.parquet"
    run.storage.fetch(path, copy)
    try:
        yield copy
    finally:
        copy.unlink()


def bronze_dir(run: Run, part: Part) -> str:
    """Where a table's bronze goes."""
    return layout.bronze_dir(run.dataset.name, run.dataset.config.table_level(part.table), run.run_id)


def _session(run: Run) -> SparkSession:
    return run.engine.session
