"""What a job must know of one table, as plain data that passes through a job argument as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    code_column: str | None = None
    refuse: bool = False
    """A value that can't be read refuses its row, instead of becoming null."""


@dataclass(frozen=True)
class RuleSpec:
    """One quality rule; `between` holds text, numbers or dates as yyyy-MM-dd."""

    rule: str
    column: str | None = None
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    matches: str | None = None
    between: tuple[Any, Any] | None = None
    where: str | None = None
    quarantine: bool = False


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
    def names(self) -> tuple[str, ...]:
        """The business columns, in order."""
        return tuple(column.name for column in self.columns)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TableSpec:
        """A spec from its JSON form."""
        columns = tuple(_column(column) for column in data["columns"])
        rules = tuple(_rule(rule) for rule in data["rules"])
        return cls(data["name"], columns, tuple(data["key"]), rules, tuple(data["samples_by"]))


def _column(data: dict[str, Any]) -> ColumnSpec:
    date = DateSpec(**data["date"]) if data.get("date") else None
    return ColumnSpec(**{**data, "date": date})


def _rule(data: dict[str, Any]) -> RuleSpec:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return RuleSpec(**values)
