"""OpenLineage events of a run: which bytes from which URL became which rows (openlineage.io, spec 2-0-2)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from pharmaetl.errors import CorruptLogError
from pharmaetl.lake import layout, publishlog
from pharmaetl.lake.documents import LogEntry, RunRecord
from pharmaetl.lake.storage import Storage
from pharmaetl.secret import redact

_PRODUCER = "urn:pharmaetl"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets/1-0-0"


def events(record: RunRecord, lake: str, entry: LogEntry | None = None) -> list[dict[str, Any]]:
    """START and COMPLETE, FAIL or ABORT of one run, with its inputs and outputs.

    The entry with which it was published, where that is given, tells the outputs' columns.
    """
    ends = {"published": "COMPLETE", "skipped": "COMPLETE", "failed": "FAIL"}
    end = "ABORT" if record.error and record.error.code == "interrupted" else ends.get(record.outcome)
    start = _event(record, "START", record.started_at, [], [])
    if end is None:
        return [start]
    outputs = list(_outputs(record, lake, entry))
    return [start, _event(record, end, record.ended_at or record.started_at, _inputs(record, lake), outputs)]


def events_of(storage: Storage, record: RunRecord) -> list[dict[str, Any]]:
    """The events of a run of this lake, with the columns of what it published."""
    return events(record, storage.root, _entry_of(storage, record))


def _entry_of(storage: Storage, record: RunRecord) -> LogEntry | None:
    """The entry with which a run was published, mostly the newest one; a damaged log tells nothing here."""
    if record.outcome != "published":
        return None
    with suppress(CorruptLogError):
        newest = publishlog.current(storage, record.dataset)
        if newest is None or newest.run_id == record.run_id:
            return newest
        return publishlog.find(storage, record.dataset, record.run_id)
    return None


def write(storage: Storage, record: RunRecord) -> None:
    """Store a run's events, one JSON object a line."""
    lines = [json.dumps(event, ensure_ascii=False) for event in events_of(storage, record)]
    storage.replace(layout.lineage_events(record.dataset, record.run_id), ("\n".join(lines) + "\n").encode())


def _event(record: RunRecord, kind: str, when: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> dict[str, Any]:
    run: dict[str, Any] = {
        "runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{record.dataset}/{record.run_id}")),
        "facets": {},
    }
    if kind == "FAIL" and record.error:
        run["facets"]["errorMessage"] = _facet(
            "ErrorMessageRunFacet", message=redact(record.error.reason), programmingLanguage="PYTHON"
        )
    return {
        "eventType": kind,
        "eventTime": when,
        "run": run,
        "job": {"namespace": "pharmaetl", "name": record.dataset},
        "inputs": list(inputs),
        "outputs": list(outputs),
        "producer": _PRODUCER,
        "schemaURL": _SCHEMA,
    }


def _facet(kind: str, **values: Any) -> dict[str, Any]:
    return {"_producer": _PRODUCER, "_schemaURL": f"{_FACETS}/{kind}.json#/$defs/{kind}", **values}


def _inputs(record: RunRecord, lake: str) -> list[dict[str, Any]]:
    source = record.source
    version = _facet("DatasetVersionDatasetFacet", datasetVersion=source.sha256 or "unknown")
    inputs: list[dict[str, Any]] = [{"namespace": "source", "name": redact(source.url), "facets": {"version": version}}]
    if source.sha256:
        inputs.append({"namespace": lake, "name": layout.raw_dir(record.dataset, source.sha256), "facets": {}})
    return inputs


def _outputs(record: RunRecord, lake: str, entry: LogEntry | None) -> Iterator[dict[str, Any]]:
    """Silver's tables, then gold's, which were made from them in the same run."""
    if record.outcome != "published":
        return
    schemas = {table.path: table.schema_ for table in entry.all_tables} if entry else {}
    silver = [(table.path, table.rows_published) for table in record.tables]
    for path, rows in [*silver, *((table.path, table.rows) for table in record.gold)]:
        fields = [{"name": name, "type": kind} for name, kind in schemas.get(path, {}).items()]
        counts = _facet("OutputStatisticsOutputDatasetFacet", rowCount=rows)
        yield {
            "namespace": lake,
            "name": path,
            "facets": {"schema": _facet("SchemaDatasetFacet", fields=fields)} if fields else {},
            "outputFacets": {"outputStatistics": counts},
        }
