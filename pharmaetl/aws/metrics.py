"""What CloudWatch learns of a run: metrics embedded in the log, by dataset, in the namespace `pharmaetl`.

| metric | unit | when |
|---|---|---|
| Published, Skipped, Failed | 0 or 1 | at the end of a run, all three |
| Rows, RowsQuarantined | count | a published run |
| Bytes | bytes of the source | a source was fetched |
| Seconds | from the execution's start | at the end of a run |
| QualityVerdict | 0 pass, 1 warn, 2 fail | the gate has spoken |
| CatalogueFailed | 0 or 1 | a published run |
| AgeHours | hours since the published version was last confirmed | at the end of a run, once anything is published |
"""

from __future__ import annotations

from collections.abc import Mapping

from pharmaetl.lake.documents import RunRecord

NAMESPACE = "pharmaetl"
DIMENSION = "dataset"
_OUTCOMES = {"Published": "published", "Skipped": "skipped", "Failed": "failed"}
_VERDICTS = {"pass": 0, "warn": 1, "fail": 2}
_UNITS = {"Bytes": "Bytes", "Seconds": "Seconds", "QualityVerdict": "None", "AgeHours": "None"}


def of_run(record: RunRecord, age_hours: float | None) -> dict[str, float]:
    """The metrics of a run that has ended."""
    found: dict[str, float] = {name: int(record.outcome == outcome) for name, outcome in _OUTCOMES.items()}
    found["Seconds"] = record.seconds
    if record.outcome == "published":
        found["Rows"] = sum(table.rows_published for table in record.tables)
        found["RowsQuarantined"] = sum(table.rows_quarantined for table in record.tables)
    if record.source.bytes is not None:
        found["Bytes"] = record.source.bytes
    if record.quality is not None:
        found["QualityVerdict"] = _VERDICTS[record.quality.verdict]
    if age_hours is not None:
        found["AgeHours"] = age_hours
    return found


def emit(dataset: str, metrics: Mapping[str, float]) -> None:
    """Write metrics to the log, from which CloudWatch takes them; no metric has any other dimension."""
    from aws_lambda_powertools.metrics import EphemeralMetrics

    # without a service of its own, which would be a second dimension that differs between functions
    embedded = EphemeralMetrics(namespace=NAMESPACE, service="")
    embedded.add_dimension(name=DIMENSION, value=dataset)
    for name, value in metrics.items():
        embedded.add_metric(name=name, unit=_UNITS.get(name, "Count"), value=value)
    embedded.flush_metrics()
