"""What is known of a run's tables before they are published, and of what was published before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from pharmaetl.config.dataset_config import Table
from pharmaetl.lake.documents import Figures, LogEntry, TableVersion
from pharmaetl.text.header import HeaderMatch

Outcome = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class FileFacts:
    """What is known of the file that a table was read from."""

    header: HeaderMatch
    rows_read: int
    rows_malformed: int = 0
    malformed_rules: dict[str, int] = field(default_factory=dict)
    replacements: int = 0
    """Bytes that the encoding doesn't define, read as U+FFFD."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableFacts:
    """What is known of one table before it is published."""

    table: Table
    measures: dict[str, Any]
    """As `pharmaetl.spark.jobs.silver` counts them, or `pharmaetl.spark.gold.gold`; `references`, once all tables are
    written: rule index to counts.
    """
    file: FileFacts | None = None
    """None for a gold table, which was made from others."""
    samples: dict[int, list[str]] = field(default_factory=dict)
    """Rule index to rows that break it, for the rules that fail."""

    @property
    def rows_refused(self) -> int:
        """Rows in quarantine: malformed records and refused values. A gold table has none."""
        return self.file.rows_malformed + int(self.measures["rows_refused"]) if self.file else 0

    @property
    def rows(self) -> int:
        """Rows of the written table."""
        return int(self.measures["rows"])

    def figures(self) -> dict[str, Figures]:
        """What was measured of each column, as the publish log keeps it."""
        found = {name: dict(profile) for name, profile in self.measures["columns"].items()}
        for index, rule in enumerate(self.table.quality):
            key = self.measures["keys"].get(str(index))
            if key is not None and len(rule.subject) == 1 and rule.where is None:
                found[rule.subject[0]]["distinct"] = key["distinct"]
        return {name: Figures.model_validate(profile) for name, profile in found.items()}


@dataclass(frozen=True)
class Background:
    """What a run's figures are compared to."""

    as_of: date
    """The day of the run."""
    released: date | None = None
    """The release's own date, or the day on which the site last changed the file; None where neither is known."""
    current: LogEntry | None = None
    """The published version that the run would replace."""
    past: Mapping[str, tuple[TableVersion, ...]] = field(default_factory=dict)
    """Each table as it was published before, oldest first, no version twice."""
    sampled: bool = False
    """Only the first rows were read: sums, references and changes mean nothing."""

    def before(self, table: str) -> TableVersion | None:
        """A table as it is published now."""
        known = self.current.all_tables if self.current else ()
        return next((version for version in known if version.name == table), None)
