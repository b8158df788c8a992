"""What one run on this machine knows, handed on from step to step."""

from __future__ import annotations

import errno
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pharmaetl import engine, hashing, runid
from pharmaetl.catalog import Dataset
from pharmaetl.config.dataset_config import Table
from pharmaetl.download.transfer import Fetched
from pharmaetl.errors import LocalIOError, PharmaetlError
from pharmaetl.lake import layout
from pharmaetl.lake.documents import LogEntry, Member, Quality, Source, StepResult, TableResult
from pharmaetl.lake.process import process_name
from pharmaetl.lake.schema import Drift, TableProfile
from pharmaetl.lake.storage import Storage
from pharmaetl.local.ahead import Ahead
from pharmaetl.quality.gate import TableFacts
from pharmaetl.run_options import RunOptions
from pharmaetl.secret import redact
from pharmaetl.text.delimited import Split
from pharmaetl.text.header import HeaderMatch
from pharmaetl.text.unpack import Text
from pharmaetl.watch import Watch

if TYPE_CHECKING:
    from pharmaetl.spark.spec import TableSpec


ENGINE_OF_EXECUTIONS = "glue"
"""What runs on AWS call their engine."""


@dataclass(frozen=True)
class Stop:
    """The run ends here without publishing, and that is no failure."""

    reason: str


@dataclass
class Part:
    """One table of the source on its way through the layers."""

    table: Table
    text: Text
    header: HeaderMatch
    split: Split
    warnings: tuple[str, ...] = ()
    facts: TableFacts | None = None
    schema: dict[str, str] = field(default_factory=dict)

    @property
    def rows_bronze(self) -> int:
        """Well-formed records."""
        return self.split.rows_read - self.split.rows_rejected


@dataclass
class GoldPart:
    """One gold table that the run has made."""

    table: Table
    """As `GoldTable.as_table()` gives it."""
    facts: TableFacts | None = None
    schema: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """One run: what was asked, what is known so far, and where its unfinished files are."""

    storage: Storage
    dataset: Dataset
    options: RunOptions
    watch: Watch
    work: Path
    started: datetime
    run_id: str = ""
    current: LogEntry | None = None
    """The published version when the run began: the only one it may publish on top of."""
    claimed_after: int = 0
    """How many log entries there were before anybody had this run's id; 0 where that is not known."""
    resumed_source: Source | None = None
    why: str = ""
    fetched: Fetched | None = None
    raw_stored: bool = False
    parts: list[Part] = field(default_factory=list)
    served: dict[str, TableProfile] = field(default_factory=dict)
    """By table, what its file looked like at first sight."""
    profiles: tuple[TableProfile, ...] = ()
    drift: tuple[Drift, ...] = ()
    results: tuple[TableResult, ...] = ()
    gold: list[GoldPart] = field(default_factory=list)
    """In the config's order, once the step has begun."""
    quality: Quality | None = None
    steps: list[StepResult] = field(default_factory=list)
    detail: str = ""
    seconds_elsewhere: float = 0.0
    """What the step in hand has taken outside of this process, in a Glue job."""
    begun: float = field(default_factory=time.monotonic)
    engines: engine.Shared = field(default_factory=engine.Shared)
    release_date: str | None = None
    """The source's own date, YYYY-MM-DD, where it carries one."""
    execution: str | None = None
    """The Step Functions execution that this run is, whose engine is Glue's; None for a run on this machine."""
    fetch_seconds: float | None = None
    """How long fetching may take, where whoever runs this is cut off some time."""
    ahead: Ahead | None = None
    """Where bronze is made while the source is being split."""
    entry: LogEntry | None = None
    """With what the run was published."""

    @property
    def url(self) -> str:
        """Where the source is asked for, placeholders unfilled."""
        return self.options.source or self.dataset.config.url_of(self.options.edition)

    @property
    def source_sha256(self) -> str:
        """Hash of the source file; empty before it is fetched."""
        return self.fetched.sha256 if self.fetched else ""

    @property
    def version(self) -> str:
        """The version this run publishes."""
        return layout.version_of(self.run_id)

    @property
    def as_of(self) -> date:
        """The day that `today` means in rules."""
        return self.started.astimezone(UTC).date()

    @property
    def engine(self) -> engine.Engine:
        """The engine, chosen at first use and started when its session is asked for."""
        source_bytes = self.fetched.bytes if self.fetched else 0
        return self.engines.get(self.options.engine, self.options.master, source_bytes, self.dataset)

    @property
    def engine_name(self) -> str | None:
        """The engine's name, once this run has used it."""
        name = ENGINE_OF_EXECUTIONS if self.execution else self.engines.name
        return name if self.parts else None

    @property
    def process(self) -> str:
        """Who runs this, as the record says it."""
        return self.execution or process_name()

    def warm_up(self, largest: int) -> None:
        """Start the engine now, where it runs beside this process or can work beside the splitter.

        `largest`: bytes of the largest text to come, by which is known whether bronze will be made ahead.
        """
        if self.execution is not None:
            return
        if self.engine.works_ahead:
            self.ahead = Ahead(self.engine.start_early, largest)
        else:
            self.engine.start_early()

    def stop_ahead(self) -> None:
        """Let nothing be made ahead any more."""
        if self.ahead is not None:
            self.ahead.close()

    def make_run_id(self) -> str:
        """The id for this start and these inputs."""
        return runid.make(
            self.started,
            dataset=self.dataset.name,
            source_sha256=self.source_sha256,
            config_sha256=self.dataset.config_sha256,
            code_sha256=self.dataset.code_sha256,
        )

    def members(self) -> tuple[Member, ...]:
        """The members that tables were read from."""
        texts = [part.text for part in self.parts]
        return tuple(Member(name=text.member, bytes=text.bytes, sha256=text.sha256, crc32=text.crc32) for text in texts)

    def members_sha256(self) -> str | None:
        """One hash for the members' names and contents, whatever wraps them; None before they are unpacked."""
        return hashing.of_members((member.name, member.sha256) for member in self.members()) if self.parts else None

    def source_document(self) -> Source:
        """The source as manifests and records name it."""
        if self.fetched is None:
            return Source(url=redact(self.url))
        return Source(
            url=self.fetched.url,
            sha256=self.fetched.sha256,
            bytes=self.fetched.bytes,
            etag=self.fetched.etag,
            last_modified=self.fetched.last_modified,
            fetched_at=self.fetched.fetched_at,
            edition=self.options.edition,
            release_date=self.release_date,
            members_sha256=self.members_sha256(),
            members=self.members(),
        )

    @property
    def made(self) -> tuple[Part | GoldPart, ...]:
        """Every table that the gate judges and the log lists, silver's first."""
        return (*self.parts, *self.gold)

    def folder_of(self, part: Part | GoldPart) -> str:
        """Where in the lake a table is written: its silver, or it as gold."""
        if isinstance(part, GoldPart):
            return layout.gold_dir(part.table.name, self.version, self.run_id)
        level = self.dataset.config.table_level(part.table)
        return layout.silver_dir(self.dataset.name, level, self.version, self.run_id)

    def spec_of(self, part: Part | GoldPart) -> TableSpec:
        """What the Spark job must know of a table."""
        from pharmaetl.config import jobspec
        from pharmaetl.spark.spec import TableSpec

        served = part.header.names if isinstance(part, Part) else ()
        return TableSpec.from_json(jobspec.table_spec(part.table, self.as_of, served))


def remove_tree(folder: Path) -> None:
    """Remove a run's own unfinished files; what can't be removed is left to `prune`."""
    shutil.rmtree(folder, ignore_errors=True)


def as_local_error(error: OSError) -> PharmaetlError:
    """An operating-system error as one with a hint."""
    where = f"{error.filename}: " if error.filename else ""
    hints = {
        errno.ENOSPC: "free some space, then run again: nothing was published",
        errno.EROFS: "the file system is read-only: choose another lake with --lake",
        errno.EACCES: "check the folder's owner and permissions, or choose another lake with --lake",
    }
    return LocalIOError(f"{where}{error.strerror or error}", hint=hints.get(error.errno or 0, ""))
