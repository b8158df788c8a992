"""OpenLineage events of a run: which bytes from which URL became which rows (openlineage.io, spec 2-0-2)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from pharmaetl.lake import layout
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.storage import Storage
from pharmaetl.secret import redact

_PRODUCER = "urn:pharmaetl"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets/1-0-0"


def events(record: RunRecord, lake: str) -> list[dict[str, Any]]:
    """START and COMPLETE, FAIL or ABORT of one run, with its inputs and outputs."""
    ends = {"published": "COMPLETE", "skipped": "COMPLETE", "failed": "FAIL"}
    end = "ABORT" if record.error and record.error.code == "interrupted" else ends.get(record.outcome)
    start = _event(record, "START", record.started_at, [], [])
    if end is None:
        return [start]
    return [
        start,
        _event(record, end, record.ended_at or record.started_at, _inputs(record, lake), _outputs(record, lake)),
    ]


def write(storage: Storage, record: RunRecord) -> None:
    """Store a run's events, one JSON object a line."""
    lines = [json.dumps(event, ensure_ascii=False) for event in events(record, storage.root)]
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


def _outputs(record: RunRecord, lake: str) -> list[dict[str, Any]]:
    if record.outcome != "published":
        return []
    return [
        {
            "namespace": lake,
            "name": table.path,
            "facets": {},
            "outputFacets": {
                "outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", rowCount=table.rows_published)
            },
        }
        for table in record.tables
    ]
