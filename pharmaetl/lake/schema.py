"""What a source's tables look like, how that has changed, and which change was accepted: as documents of the lake."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pharmaetl.lake.document import FORMAT, Document

DriftKind = Literal[
    "added", "removed", "renamed", "reordered", "duplicated", "case_changed", "type_changed", "length_grown",
    "encoding_changed", "field_count_changed", "delimiter_changed", "table_added", "table_removed", "member_renamed",
]  # fmt: skip


class TableProfile(Document):
    """What one table looked like as it was served, and what silver made of it; a fact that isn't known is empty."""

    table: str
    member: str = ""
    header: tuple[str, ...] | None = None
    """Header texts in the file's order; None for a file without a header row."""
    names: tuple[str | None, ...] = ()
    """The config's column for each field, in the same order; None for a header that the config doesn't know."""
    missing: tuple[str, ...] = ()
    """Required columns of the config that the header lacks: such a file is refused."""
    fields: int | None = None
    """Fields of the first line, the empty one after a trailing delimiter not counted."""
    encoding: str = ""
    """What the bytes were read as; `ascii` where they would be the same in any of the encodings."""
    delimiter: str = ""
    trailing_delimiter: bool | None = None
    rows: int | None = None
    """Data records, the malformed ones included."""
    malformed: int | None = None
    blank_lines: int | None = None
    line_breaks: bool | None = None
    """Does a value hold a line break?"""
    types: dict[str, str] = Field(default={})
    """Silver column to Spark type, business columns only, in order."""
    lengths: dict[str, int] = Field(default={})
    """Text column of silver to the characters of its longest value; without the columns that are null throughout."""


class Drift(Document):
    """One way in which a source is not as the version published last."""

    kind: DriftKind
    table: str
    column: str | None = None
    """The header text; for type_changed and length_grown the silver column."""
    before: str | int | bool | None = None
    after: str | int | bool | None = None
    severity: Literal["info", "warn", "fail"] = "warn"
    """info: known or accepted; fail: the file is refused for it."""
    detail: str = ""
    score: float | None = None
    """How alike the two headers of a rename are, 0 to 1."""


class AcceptedHeader(Document):
    """The header that a table may have although the config says otherwise, its texts in order."""

    table: str
    header: tuple[str, ...]


class Acceptance(Document):
    """A deliberate change of what a dataset's source looks like; the newest one holds for every table it names."""

    format: int = FORMAT
    dataset: str
    sequence: int
    accepted_at: str
    accepted_by: str
    reason: str
    run_id: str
    """The run that met the headers."""
    columns: tuple[str, ...] = ()
    """The headers that were named; empty where all of what the run met was accepted."""
    tables: tuple[AcceptedHeader, ...]
