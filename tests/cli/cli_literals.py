"""One lake as the API would describe it: the answers that the fake API gives."""

from __future__ import annotations

from pharmaetl import api
from pharmaetl.config.configfile import Problem
from pharmaetl.doctor import Diagnosis
from pharmaetl.lake.documents import (
    Check,
    DataFile,
    ErrorInfo,
    LogEntry,
    Member,
    Quality,
    RunRecord,
    Source,
    StepResult,
    TableResult,
    TableVersion,
)
from pharmaetl.lake.integrity import Finding
from pharmaetl.lake.marks import Doomed
from pharmaetl.lake.prune import Pruning
from pharmaetl.lake.pruned import Pruned
from pharmaetl.plan import Plan, PlannedStep

RUN = "20260723T120000Z-1a2b3c4d"
OLD_RUN = "20260709T120000Z-9f8e7d6c"
FAILED_RUN = "20260724T120000Z-00ff00ff"
SHA256 = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
URL = "https://download.open.fda.gov/Comprehensive_NDC_SPL_Data_Elements_File.zip"

SOURCE = Source(
    url=URL,
    sha256=SHA256,
    bytes=7_654_321,
    etag='"abc"',
    last_modified="Thu, 23 Jul 2026 06:00:00 GMT",
    fetched_at="2026-07-23T12:00:01Z",
    members_sha256="0" * 64,
    members=(Member(name="Comprehensive_NDC_SPL_Data_Elements_File.csv", bytes=40_000_000, sha256="1" * 64),),
)
CHECKS = (
    Check(name="ColumnExists", table="nsde", outcome="pass"),
    Check(name="Completeness", table="nsde", column="item_code", outcome="pass", value=1.0, threshold=0.9),
    Check(
        name="IsUnique",
        table="nsde",
        column="ndc11",
        outcome="warn",
        value=0.9987654,
        threshold=1.0,
        rows=55,
        sample=("00002032902", "00002032901"),
        reason="55 rows share their key with another row",
    ),
)
QUALITY = Quality(verdict="warn", checks=CHECKS)
SILVER = f"silver/nsde/version=2026-07-23/run={RUN}"
TABLE = TableResult(
    name="nsde",
    rows_read=44_589,
    rows_published=44_580,
    rows_quarantined=6,
    rows_duplicate=3,
    path=SILVER,
    rules={"field_count": 4, "ndc11_agrees": 2},
)
STEPS = (
    StepResult(name="fetch", outcome="done", seconds=2.14, detail="7,654,321 bytes, sha256 5f70bf18a086"),
    StepResult(name="skip_if_unchanged", outcome="done", seconds=0.0, detail="the source changed"),
    StepResult(name="unpack", outcome="done", seconds=0.62),
    StepResult(name="bronze", outcome="done", seconds=1.91),
    StepResult(name="silver", outcome="done", seconds=1.42),
    StepResult(name="gate", outcome="done", seconds=0.81),
    StepResult(name="publish", outcome="done", seconds=0.05),
)
PUBLISHED = RunRecord(
    dataset="nsde",
    run_id=RUN,
    outcome="published",
    reason="the source changed",
    version="2026-07-23",
    source=SOURCE,
    tables=(TABLE,),
    quality=QUALITY,
    steps=STEPS,
    seconds=7.31,
    started_at="2026-07-23T12:00:00Z",
    ended_at="2026-07-23T12:00:07Z",
    engine="sail",
    config_sha256="c" * 64,
    code_sha256="d" * 64,
    process="laptop:4711",
)
SKIPPED = RunRecord(
    dataset="nsde",
    run_id="20260724T060000Z-1a2b3c4d",
    outcome="skipped",
    reason=f"unchanged since {RUN}",
    source=SOURCE,
    steps=(STEPS[0], StepResult(name="skip_if_unchanged", outcome="skipped", seconds=0.01)),
    seconds=2.2,
    started_at="2026-07-24T06:00:00Z",
    ended_at="2026-07-24T06:00:02Z",
)
FAILED = RunRecord(
    dataset="nsde",
    run_id=FAILED_RUN,
    outcome="failed",
    reason="gate: nsde has 1,200 rows, 2.7 % of the 44,580 published",
    source=SOURCE,
    tables=(
        TableResult(name="nsde", rows_read=1200, rows_published=1200, rows_quarantined=0, rows_duplicate=0, path=""),
    ),
    quality=Quality(
        verdict="fail",
        checks=(Check(name="RowCount", table="nsde", outcome="fail", value=1200, threshold=35664, reason="shrunk"),),
    ),
    steps=(STEPS[0], StepResult(name="gate", outcome="failed", seconds=0.4)),
    seconds=5.0,
    started_at="2026-07-24T12:00:00Z",
    ended_at="2026-07-24T12:00:05Z",
    engine="sail",
    error=ErrorInfo(
        code="gate",
        reason="gate: nsde has 1,200 rows, 2.7 % of the 44,580 published",
        hint="--accept-shrink REASON publishes it all the same",
        exit_code=4,
    ),
)
ENTRY = LogEntry(
    dataset="nsde",
    sequence=2,
    commit_id="commit-2",
    parent="commit-1",
    action="publish",
    run_id=RUN,
    version="2026-07-23",
    published_at="2026-07-23T12:00:07Z",
    source=SOURCE,
    config_sha256="c" * 64,
    code_sha256="d" * 64,
    engine="sail",
    tables=(
        TableVersion(
            name="nsde",
            path=SILVER,
            rows=44_580,
            files=(DataFile(path=f"{SILVER}/part-00000.parquet", bytes=1_234_567, sha256="e" * 64, rows=44_580),),
            digest="f" * 16,
        ),
    ),
    quality=QUALITY,
)
OLD_ENTRY = ENTRY.model_copy(
    update={
        "sequence": 1,
        "commit_id": "commit-1",
        "parent": None,
        "run_id": OLD_RUN,
        "version": "2026-07-09",
        "published_at": "2026-07-09T12:00:07Z",
    }
)
ROLLBACK = OLD_ENTRY.model_copy(
    update={
        "sequence": 3,
        "commit_id": "commit-3",
        "parent": "commit-2",
        "action": "rollback",
        "published_at": "2026-07-25T09:00:00Z",
        "reason": "the July release lacks the homeopathic drugs",
    }
)
PLAN = Plan(
    dataset="nsde",
    outcome="planned",
    run_id="20260725T120000Z-77777777",
    reason="the source changed",
    changed=True,
    source=SOURCE,
    engine="sail",
    steps=(
        PlannedStep("fetch", "run", URL),
        PlannedStep("skip_if_unchanged", "run", "the source changed"),
        PlannedStep("bronze", "run", "one table"),
        PlannedStep("publish", "skip", "--until silver"),
    ),
)
STATUS = api.LakeStatus(
    lake="/data/lake",
    datasets=(
        api.DatasetStatus(
            dataset="nsde",
            published_run_id=RUN,
            version="2026-07-23",
            published_at="2026-07-23T12:00:07Z",
            rows=44_580,
            quality="warn",
            age_hours=75.5,
            stale=True,
            last_run=api.LastRun(FAILED_RUN, "failed"),
            bytes=44_600_000,
        ),
        api.DatasetStatus("rxnorm", None, None, None, None, None, None, None, None, 0),
    ),
    bytes=44_600_123,
)
NOTHING_NEEDS = "run 20260724T120000Z-00ff00ff was never published: failed"
PRUNING = Pruning(
    lake="/data/lake",
    dry_run=True,
    grace_hours=72,
    removed=(
        Doomed(".work/nsde-0123456789ab/.process", 8, "left by a process that is gone", "nsde"),
        Doomed(".work/nsde-0123456789ab/", 0, "left by a process that is gone", "nsde"),
        Doomed(f"bronze/nsde/run={FAILED_RUN}/part-00000.parquet", 1_200_000, NOTHING_NEEDS, "nsde", FAILED_RUN),
    ),
    young=(Doomed(f"silver/cder/version=2026-07-24/run={FAILED_RUN}/part-00000.parquet", 500, NOTHING_NEEDS, "cder"),),
    versions=(
        Pruned(
            dataset="nsde",
            run_id=OLD_RUN,
            version="2026-07-09",
            pruned_at="2026-07-24T13:00:00Z",
            reason="beyond the newest 2, and not current for 31 days",
            bytes=1_100_000,
        ),
    ),
)
DATASET = api.DatasetView(
    dataset="nsde",
    organization="fda",
    description="NDC SPL data elements: every NDC with its billing unit and marketing dates",
    path="/data/datasets/fda/nsde",
    tables=("nsde",),
    cadence="daily",
    source_url=URL,
    config_sha256="c" * 64,
    code_sha256="d" * 64,
)
CONFIG = {
    "dataset": "nsde",
    "source_url": URL,
    "description": "NDC SPL data elements",
    "cadence": "daily",
    "worker_type": "G.1X",
    "number_of_workers": 2,
    "data_quality": {"critical_null_threshold": 0.1, "required_columns": ["item_code", "ndc11"]},
    "tables": [
        {
            "name": "nsde",
            "member": "*.csv",
            "format": "csv",
            "optional": False,
            "key": ["item_code"],
            "quality": [
                {
                    "rule": "ColumnValues",
                    "column": "ndc11",
                    "columns": [],
                    "matches": "[0-9]{11}",
                    "values": [],
                    "between": None,
                    "where": "code_type = 'NDC'",
                    "threshold": 0.99,
                    "severity": "warn",
                    "on_fail": "count",
                },
                {"rule": "IsUnique", "columns": ["item_code", "ndc11"], "threshold": 1.0, "severity": "fail"},
            ],
            "columns": [
                {"name": "item_code", "source": "Item Code", "aliases": [], "type": "string", "format": None},
                {
                    "name": "application_number",
                    "source": "Application Number or Monograph ID",
                    "aliases": ["Application Number or Citation"],
                    "type": "string",
                },
                {
                    "name": "marketing_start_date",
                    "source": "Marketing Start Date",
                    "type": "date",
                    "format": "yyyyMMdd",
                },
                {"name": "code_type", "type": "string", "derived": {"function": "code_type", "source": "item_code"}},
            ],
        }
    ],
}
VALIDATIONS = (
    api.Validation("datasets/fda/nsde/config/dataset.json", ()),
    api.Validation(
        "datasets/fda/cder/config/dataset.json",
        (
            Problem("datasets/fda/cder/config/dataset.json", 3, 5, "datset is no known key", "did you mean dataset?"),
            Problem("datasets/fda/cder/config/dataset.json", 14, 32, "critical_null_threshold must be below 1"),
        ),
    ),
)
FINDINGS = (
    Finding(f"{SILVER}/part-00000.parquet", "missing", "error", "`pharmaetl manifest rollback nsde` goes back"),
    Finding("manifests/nsde.json", "stale", "warning", "rewritten with the next publish"),
)
DIAGNOSES = (
    Diagnosis("python", "ok", "3.11.9", ""),
    Diagnosis(
        "java",
        "warn",
        "no Java on the PATH and no JAVA_HOME",
        "pip install 'pharmaetl[java]' for --engine spark",
    ),
    Diagnosis("lake", "fail", "/data/lake is read-only", "choose a lake that can be written with --lake"),
)


def _lineage() -> api.LineageView:
    node = api.LineageNode
    silver = node("silver", "nsde", SILVER, 44_580, "3 exact duplicates left out", ())
    refused = node("quarantine", "nsde", f"quarantine/nsde/run={RUN}", 6, "field_count: 4, ndc11_agrees: 2", ())
    bronze = node("bronze", "nsde", f"bronze/nsde/run={RUN}", 44_589, "rows read", (silver, refused))
    raw = node("raw", f"sha256 {SHA256}", f"raw/nsde/sha256={SHA256}", None, "nsde.csv (40,000,000 bytes)", (bronze,))
    url = node("url", URL, None, None, "7,654,321 bytes, fetched 2026-07-23T12:00:01Z", (raw,))
    root = node("run", RUN, f"runs/nsde/{RUN}.json", None, "published", (url,))
    return api.LineageView("nsde", RUN, root, ({"eventType": "START"}, {"eventType": "COMPLETE"}))


LINEAGE = _lineage()
