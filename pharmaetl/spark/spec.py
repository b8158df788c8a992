"""What a job must know of one table, as plain data that passes through a job argument as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class DateSpec:
    """How a date is written: a regular expression for the whole value and which of its groups is which."""

    regex: str
    year: int
    month: int
    day: int
    month_names: bool = False
    compact: bool = False
    """Eight digits, year first: cut by position instead of by expression, three times as fast."""


@dataclass(frozen=True)
class ColumnSpec:
    """One silver column: where its value comes from and what type it has."""

    name: str
    type: str = "string"
    date: DateSpec | None = None
    derived: str | None = None
    source: str | None = None
    """For a derived column, the column it is computed from."""
    separator: str = ""
    ends_with: str = ""
    aligned_with: tuple[str, ...] = ()
    """For a list, the columns that must hold as many values."""
    code_column: str | None = None
    refuse: bool = False
    """A value that can't be read refuses its row, instead of becoming null."""
    extra: bool = False
    """The source has the column and the config doesn't know it: carried through as text."""


@dataclass(frozen=True)
class RuleSpec:
    """One quality rule; `between` holds text, numbers or dates as yyyy-MM-dd, for DataFreshness nothing and the day."""

    rule: str
    column: str | None = None
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    matches: str | None = None
    between: tuple[Any, Any] | None = None
    where: str | None = None
    condition: str | None = None
    """CustomSql: what must hold for a row."""
    parent: str | None = None
    """ReferentialIntegrity: the table that has the values of `columns` (or `column`) in its `parent_columns`."""
    parent_columns: tuple[str, ...] = ()
    quarantine: bool = False

    @property
    def subject(self) -> tuple[str, ...]:
        """The columns that it is about, however they were named."""
        return self.columns or ((self.column,) if self.column else ())


@dataclass(frozen=True)
class TableSpec:
    """One table: its columns in silver order, its key, its rules."""

    name: str
    columns: tuple[ColumnSpec, ...]
    key: tuple[str, ...] = ()
    rules: tuple[RuleSpec, ...] = ()
    samples_by: tuple[str, ...] = field(default=())
    """Columns that name a row in a message: the key, or the first column."""

    @property
    def hashed(self) -> tuple[str, ...]:
        """The columns that record_hash covers: lists are left out, since they repeat what another column says."""
        return tuple(column.name for column in self.columns if column.derived != "list")

    @property
    def names(self) -> tuple[str, ...]:
        """The business columns, in order."""
        return tuple(column.name for column in self.columns)

    def kept(self, names: Sequence[str]) -> TableSpec:
        """The table less the columns unknown to the config that a dataset's own transform has not passed on."""
        return replace(self, columns=tuple(c for c in self.columns if not c.extra or c.name in names))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TableSpec:
        """A spec from its JSON form."""
        columns = tuple(_column(column) for column in data["columns"])
        rules = tuple(_rule(rule) for rule in data["rules"])
        return cls(data["name"], columns, tuple(data["key"]), rules, tuple(data["samples_by"]))


def _column(data: dict[str, Any]) -> ColumnSpec:
    date = DateSpec(**data["date"]) if data.get("date") else None
    return ColumnSpec(**{**data, "date": date, "aligned_with": tuple(data.get("aligned_with", ()))})


def _rule(data: dict[str, Any]) -> RuleSpec:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return RuleSpec(**values)
