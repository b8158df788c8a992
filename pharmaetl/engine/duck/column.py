"""Columns as SQL texts, with PySpark's operators and Spark's meaning of them (ANSI mode off)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

_ATOM = re.compile(r"(\[0-9\]|[A-Za-z0-9-])(?:\{([0-9]{1,2})\})?")
_PLAIN = re.compile(f"(?:{_ATOM.pattern})+")
_WHOLE = re.compile(r"(?:\^|\\A)(?:\(\?:(?P<some>[^()]*)\)|(?P<one>[^()|]*))\\z")
_FEW = 4
_TYPES = {"string": "VARCHAR", "bigint": "BIGINT", "int": "INTEGER", "date": "DATE", "boolean": "BOOLEAN"}


@dataclass(frozen=True, eq=False)
class Column:  # noqa: PLW1641  (== makes a column, as in PySpark: columns are never compared)
    """An expression; `name` is what a select calls it."""

    sql: str
    name: str = ""
    is_filled: bool = False
    """Is it never null? False where that isn't known."""

    def alias(self, name: str) -> Column:
        """The same under another name."""
        return Column(self.sql, name)

    def cast(self, kind: str) -> Column:
        """As another type; null where that is not possible."""
        return Column(f"TRY_CAST({self.sql} AS {duckdb_type(kind)})", self.name)

    def when(self, condition: Column, value: Any) -> Column:
        """One more case of a `CASE` that has no ELSE yet."""
        return Column(f"{self.sql.removesuffix(' END')} WHEN {condition.sql} THEN {literal(value)} END")

    def otherwise(self, value: Any) -> Column:
        """The ELSE of a `CASE`."""
        return Column(f"{self.sql.removesuffix(' END')} ELSE {literal(value)} END")

    def rlike(self, pattern: str) -> Column:
        """Does the regular expression match somewhere?"""
        globs = _globs(pattern)
        if globs:
            return Column("(" + " OR ".join(f"{self.sql} GLOB {literal(glob)}" for glob in globs) + ")")
        return Column(f"regexp_matches({self.sql}, {literal(pattern)})")

    def like(self, pattern: str) -> Column:
        """Does the pattern fit the whole text? Without escapes."""
        return Column(f"({self.sql} LIKE {literal(pattern)})")

    def contains(self, text: Any) -> Column:
        """Is the text in there?"""
        return Column(f"contains({self.sql}, {literal(text)})")

    def isin(self, *values: Any) -> Column:
        """Is it one of these?"""
        return Column(f"({self.sql} IN ({', '.join(map(literal, values))}))")

    def between(self, low: Any, high: Any) -> Column:
        """Is it in the range, ends included?"""
        return Column(f"({self.sql} BETWEEN {literal(low)} AND {literal(high)})")

    def substr(self, start: Any, length: Any) -> Column:
        """Characters from `start`, counted from 1."""
        return Column(f"substring({self.sql}, {literal(start)}, {literal(length)})")

    def isNull(self) -> Column:
        """Is it null?"""
        return Column(f"({self.sql} IS NULL)")

    def isNotNull(self) -> Column:
        """Is it filled?"""
        return Column(f"({self.sql} IS NOT NULL)")

    def over(self, window: Any) -> Column:
        """A window function over a window."""
        return Column(f"{self.sql} OVER ({window.sql})")

    def __getitem__(self, index: int) -> Column:
        """An element of a list, counted from 0; null behind its end."""
        return Column(f"{self.sql}[{index + 1}]")

    def _with(self, operator: str, other: Any) -> Column:
        return Column(f"({self.sql} {operator} {literal(other)})")

    def __eq__(self, other: object) -> Column:  # type: ignore[override]
        return self._with("=", other)

    def __ne__(self, other: object) -> Column:  # type: ignore[override]
        return self._with("<>", other)

    def __lt__(self, other: Any) -> Column:
        return self._with("<", other)

    def __le__(self, other: Any) -> Column:
        return self._with("<=", other)

    def __gt__(self, other: Any) -> Column:
        return self._with(">", other)

    def __ge__(self, other: Any) -> Column:
        return self._with(">=", other)

    def __add__(self, other: Any) -> Column:
        return self._with("+", other)

    def __mul__(self, other: Any) -> Column:
        return self._with("*", other)

    def __and__(self, other: Any) -> Column:
        return self._with("AND", other)

    def __or__(self, other: Any) -> Column:
        return self._with("OR", other)

    def __invert__(self) -> Column:
        return Column(f"(NOT {self.sql})")


def _globs(pattern: str) -> list[str]:
    """What a regular expression for a few whole texts of digits and letters is to GLOB, which takes half its time."""
    found = _WHOLE.fullmatch(pattern)
    parts = (found["some"] or found["one"] or "").split("|") if found else []
    if len(parts) > _FEW or not all(map(_PLAIN.fullmatch, parts)):
        return []
    return ["".join(atom * int(count or 1) for atom, count in _ATOM.findall(part)) for part in parts]


def literal(value: Any) -> str:
    """A value as SQL; a column is its own."""
    if isinstance(value, Column):
        return value.sql
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    raise TypeError(f"no SQL literal for {type(value).__name__}")


def quoted(name: str) -> str:
    """A column's name as SQL; `struct.field` is a field of it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def column_of(given: Column | str) -> Column:
    """A column, or the one of this name."""
    return given if isinstance(given, Column) else Column(quoted(given), given.rpartition(".")[2])


def sqls(given: Sequence[Column | str]) -> str:
    """Several as a list in SQL."""
    return ", ".join(column_of(one).sql for one in given)


def duckdb_type(kind: str) -> str:
    """A Spark type by DuckDB's name."""
    if kind.startswith("array<"):
        return duckdb_type(kind[6:-1]) + "[]"
    return _TYPES.get(kind, kind.upper())


def spark_type(kind: str) -> str:
    """A DuckDB type by Spark's name."""
    if kind.startswith("ENUM("):
        return "string"
    if kind.endswith("[]"):
        return f"array<{spark_type(kind[:-2])}>"
    return next((spark for spark, duckdb in _TYPES.items() if duckdb == kind), kind.lower())
