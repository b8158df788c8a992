"""What the Glue jobs of one run work from: one JSON document, and the records beside it (`pharmaetl.spark.glue`)."""

from __future__ import annotations

import json
from typing import Any

from pharmaetl.config import jobspec
from pharmaetl.lake import layout
from pharmaetl.lake.document import FORMAT
from pharmaetl.local.state import Part, Run


def folder(dataset: str, run_id: str) -> str:
    """Where a run's unpublished files are; it begins with the dataset, whose roles reach no other one's."""
    return f"{layout.WORK}/{dataset}-{run_id}"


def path(dataset: str, run_id: str) -> str:
    """Where the document is."""
    return f"{folder(dataset, run_id)}/jobs.json"


def records(run: Run, table: str) -> str:
    """Where the records of a table are."""
    return f"{folder(run.dataset.name, run.run_id)}/records/{table}/records.txt"


def rejects(run: Run, table: str) -> str:
    """Where the refused records of a table are, if there are any."""
    return f"{folder(run.dataset.name, run.run_id)}/rejects/{table}/rejects.txt"


def transforms_module(dataset: str) -> str:
    """What a dataset's transforms.py is called in the library that the Glue jobs get."""
    return f"pharmaetl_transforms_{dataset}"


def of(run: Run) -> bytes:
    """The document of a run whose source is unpacked, on one line: engines read a text line by line, in any order."""
    config = run.dataset.config
    there = [part for part in run.parts if part.rows_bronze]
    names = {part.table.name for part in there}
    document = {
        "format": FORMAT,
        "dataset": run.dataset.name,
        "run_id": run.run_id,
        "raw_path": run.storage.url(layout.raw_dir(run.dataset.name, run.source_sha256)),
        "source_sha256": run.source_sha256,
        "transforms": transforms_module(run.dataset.name) if run.dataset.transforms else None,
        "as_of": run.as_of.isoformat(),
        "released": run.release_date,
        "tables": [_job(run, part) for part in there],
        "absent": [jobspec.table_spec(table, run.as_of) for table in config.tables if table.name not in names],
        "gold": [
            {"name": table.name, "spec": jobspec.table_spec(table.as_table(), run.as_of)} for table in config.gold
        ],
    }
    return json.dumps(document, ensure_ascii=True).encode()


def _job(run: Run, part: Part) -> dict[str, Any]:
    name, split = part.table.name, part.split
    return {
        "name": name,
        "source_file": part.text.member,
        "records_path": run.storage.url(records(run, name)),
        "rejects_path": run.storage.url(rejects(run, name)) if split.rows_rejected else None,
        "names": list(part.header.names),
        "rows": part.rows_bronze,
        "line_breaks": split.line_breaks,
        "spec": jobspec.table_spec(part.table, run.as_of, part.header.names),
    }
