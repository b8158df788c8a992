"""Stands in for the engine where a test is about what surrounds it: writes by pyarrow what the jobs would write."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pharmaetl import engine
from pharmaetl.spark import gold as gold_job
from pharmaetl.spark import jobs

REFUSED = "refused"
"""The value that refuses a row."""


def install() -> None:
    """Let every run of this process take the stand-in."""
    engine.Engine.session = property(lambda self: None)  # type: ignore[assignment,method-assign]
    engine.Engine.start_early = lambda self: None  # type: ignore[method-assign]
    jobs.bronze = bronze
    jobs.silver = silver
    gold_job.gold = gold


def bronze(session: object, job: jobs.BronzeJob) -> None:
    """Records as the splitter wrote them, in one file."""
    records = [line.split("\x1f") for line in Path(job.records_path).read_text().split("\n") if line]
    columns = {name: [record[at + 1] for record in records] for at, name in enumerate(job.names)}
    _write({"meta_line": [record[0] for record in records], **columns}, Path(job.bronze_path), parts=1)


def silver(session: object, job: jobs.SilverJob) -> dict[str, Any]:
    """Business columns with hash and run id in two files; refused and malformed rows beside them."""
    names = job.table.names
    rows = [tuple(row[name] for name in names) for row in pq.read_table(job.bronze_path, use_threads=False).to_pylist()]
    kept = [row for row in rows if REFUSED not in row]
    published = list(dict.fromkeys(kept))
    digest = _publish(names, published, job.run_id, Path(job.silver_path), parts=2)
    refused = len(rows) - len(kept)
    rejects = Path(job.rejects_path).read_text().splitlines() if job.rejects_path else []
    if refused or rejects:
        _write({"rule": ["refused"] * refused + ["field_count"] * len(rejects)}, Path(job.quarantine_path), parts=1)
    return {
        "rows": len(published),
        "rows_refused": refused,
        "rows_duplicate": len(kept) - len(published),
        "columns": {name: {"nulls": 0} for name in names},
        "rules": {},
        "keys": {},
        "findings": [],
        "digest": digest,
        "schema": dict.fromkeys(names, "string"),
    }


def gold(session: object, job: gold_job.GoldJob) -> dict[str, Any]:
    """What every silver table says of the gold table's columns, in one file."""
    names, rows = job.table.names, list[tuple[str, ...]]()
    for table in job.silver:
        if table.path:
            found = pq.read_table(table.path, use_threads=False).to_pylist()
            rows += [tuple(row[name] for name in names) for row in found]
    return {
        "rows": len(rows),
        "columns": {name: {"nulls": 0} for name in names},
        "rules": {},
        "keys": {},
        "digest": _publish(names, rows, job.run_id, Path(job.gold_path), parts=1),
        "schema": dict.fromkeys(names, "string"),
    }


def _publish(names: Sequence[str], rows: Sequence[tuple[str, ...]], run_id: str, folder: Path, parts: int) -> str:
    """Write business columns with hash and run id; the table's digest."""
    hashes = [hashlib.sha256("\x1f".join(row).encode()).hexdigest() for row in rows]
    columns: dict[str, list[str]] = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    _write({**columns, "record_hash": hashes, "meta_run_id": [run_id] * len(rows)}, folder, parts)
    return f"{len(rows)}:{hashlib.sha256(''.join(sorted(hashes)).encode()).hexdigest()}"


def _write(columns: dict[str, list[str]], folder: Path, parts: int) -> None:
    folder.mkdir(parents=True)
    table = pa.table(columns)
    size = -(-table.num_rows // parts)
    for number in range(parts):
        pq.write_table(table.slice(number * size, size), folder / f"part-{number}.parquet", compression="zstd")
