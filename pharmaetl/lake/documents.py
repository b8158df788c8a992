"""The JSON documents that a lake holds beside its data: log entries and run records, as typed models.

Unknown keys are ignored, so that an older pharmaetl reads what a newer one of the same format wrote.
All times are UTC, ISO 8601 with a trailing Z; all paths are relative to the lake's root.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pharmaetl.lake.document import FORMAT, Document
from pharmaetl.lake.schema import Drift, TableProfile

Verdict = Literal["pass", "warn", "fail"]
Outcome = Literal["running", "published", "skipped", "failed", "planned"]


class Member(Document):
    """One file inside the source, or the source itself where it is no archive."""

    name: str
    bytes: int
    sha256: str
    crc32: int | None = None


class Source(Document):
    """Which bytes a run read, and from where. Secrets in the URL are redacted before it gets here."""

    url: str
    sha256: str | None = None
    bytes: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    fetched_at: str | None = None
    edition: str | None = None
    """Which of the config's editions, where it isn't the usual one."""
    release_date: str | None = None
    members_sha256: str | None = None
    members: tuple[Member, ...] = ()


class DataFile(Document):
    """One published Parquet file."""

    path: str
    bytes: int
    sha256: str
    rows: int


class Figures(Document):
    """What was measured of one published column; an older version, or another type, may not tell all of it."""

    nulls: int
    distinct: int | None = None
    """Distinct values, where a rule asks for them."""
    min: str | None = None
    max: str | None = None
    """Lowest and highest value of a date or number, as text."""


class TableVersion(Document):
    """One table of a published version: the complete list of its files."""

    name: str
    path: str
    rows: int
    files: tuple[DataFile, ...]
    schema_: dict[str, str] = Field(default={}, alias="schema")
    """Column name to Spark type, in order."""
    digest: str = ""
    """Content digest over business columns: free of row order, of file layout and of the engine."""
    profile: TableProfile | None = None
    """What was served; None in entries of versions before there were profiles."""
    figures: dict[str, Figures] = Field(default={})
    """Column name to what was measured of it; empty in entries of versions before there were figures."""


class Check(Document):
    """What one quality rule found."""

    name: str
    table: str = ""
    column: str | None = None
    outcome: Literal["pass", "warn", "fail", "error"]
    value: float | int | str | None = None
    threshold: float | int | str | None = None
    rows: int | None = None
    """How many rows break the rule."""
    sample: tuple[str, ...] = ()
    """Up to five of them, by key."""
    reason: str = ""


class Quality(Document):
    """The gate's verdict: the worst of its checks."""

    verdict: Verdict
    checks: tuple[Check, ...] = ()


class LogEntry(Document):
    """One entry of the publish log. Creating it is the commit."""

    format: int = FORMAT
    dataset: str
    sequence: int
    commit_id: str
    parent: str | None
    """commit_id of the entry before; None for the first."""
    parent_sha256: str | None = None
    """Hash of the entry before as it is stored, so that none can change unseen; None for the first, and in old logs."""
    action: Literal["publish", "rollback"]
    run_id: str
    version: str
    published_at: str
    source: Source
    config_sha256: str
    code_sha256: str
    engine: str = ""
    tables: tuple[TableVersion, ...]
    gold: tuple[TableVersion, ...] = ()
    """The gold tables made from these; none in entries of versions before there were any."""
    quality: Quality
    reason: str = ""
    """Why: for a rollback, or a gate that was told to let something pass."""

    @property
    def all_tables(self) -> tuple[TableVersion, ...]:
        """Every table of the version, silver's first."""
        return (*self.tables, *self.gold)


class TableResult(Document):
    """Row accounting of one table: rows_read = rows_published + rows_quarantined + rows_duplicate."""

    name: str
    rows_read: int
    rows_published: int
    rows_quarantined: int
    rows_duplicate: int
    path: str
    rules: dict[str, int] = Field(default={})
    """Refused rows by rule."""


class GoldResult(Document):
    """What a run has written of one gold table."""

    name: str
    rows: int
    path: str


class StepResult(Document):
    """How one step of a run ended."""

    name: str
    outcome: Literal["done", "skipped", "failed", "planned"]
    seconds: float = 0.0
    detail: str = ""


class ErrorInfo(Document):
    """Why a run failed."""

    code: str
    reason: str
    hint: str = ""
    exit_code: int


class RunRecord(Document):
    """What one run did; published, skipped, failed and interrupted runs all have one."""

    format: int = FORMAT
    dataset: str
    run_id: str
    outcome: Outcome
    reason: str = ""
    version: str | None = None
    source: Source
    tables: tuple[TableResult, ...] = ()
    gold: tuple[GoldResult, ...] = ()
    quality: Quality | None = None
    steps: tuple[StepResult, ...] = ()
    seconds: float = 0.0
    started_at: str
    ended_at: str | None = None
    engine: str | None = None
    config_sha256: str = ""
    code_sha256: str = ""
    process: str = ""
    """host:pid of the runner, to tell a running from a dead run."""
    profiles: tuple[TableProfile, ...] = ()
    """What the source's tables looked like, as far as the run came."""
    drift: tuple[Drift, ...] = ()
    """What is not as in the version published last."""
    drift_against: str | None = None
    """The run that published the version that drift is measured against."""
    error: ErrorInfo | None = None

    def summary(self) -> dict[str, Any]:
        """The shape that `pharmaetl run --json` prints."""
        return self.model_dump(
            mode="json",
            include={
                "dataset",
                "run_id",
                "outcome",
                "reason",
                "version",
                "source",
                "tables",
                "gold",
                "quality",
                "steps",
                "seconds",
                "error",
                "drift",
            },
        )
