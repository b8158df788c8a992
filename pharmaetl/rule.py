"""One quality rule of a config, by the name that AWS Glue's DQDL gives it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from pharmaetl.column import ColumnType, Fraction, Model, SnakeName
from pharmaetl.mistakes import Mistake, refuse, repeated

Severity = Literal["warn", "fail"]
RuleName = Literal[
    "IsComplete", "Completeness", "IsUnique", "Uniqueness", "ColumnValues", "ColumnLength", "ColumnOrder", "RowCount"
]
Bound = str | int | float

TODAY = re.compile(r"today(?:([+-])([0-9]{1,3}y|[0-9]{1,5}d))?")
"""`today`, or so many years or days from it: at most 999 years, so that the result is always a date."""

# What each rule reads beside rule, severity and threshold. Anything else would be ignored in silence.
_TAKES: dict[RuleName, frozenset[str]] = {
    "IsComplete": frozenset({"column", "where", "on_fail"}),
    "Completeness": frozenset({"column", "where"}),
    "IsUnique": frozenset({"column", "columns"}),
    "Uniqueness": frozenset({"column", "columns"}),
    "ColumnValues": frozenset({"column", "values", "matches", "between", "where", "on_fail"}),
    "ColumnLength": frozenset({"column", "between", "where", "on_fail"}),
    "ColumnOrder": frozenset({"columns", "where", "on_fail"}),
    "RowCount": frozenset({"between"}),
}
_LARGEST = {"integer": 2**63 - 1, "decimal": 10**20 - 1}


class Rule(Model):
    """One quality rule on a table."""

    rule: RuleName = Field(description="what must hold")
    column: SnakeName | None = Field(
        default=None, description="the column it is about; not for ColumnOrder and RowCount"
    )
    columns: tuple[SnakeName, ...] = Field(
        default=(), description="IsUnique, Uniqueness: the key; ColumnOrder: earlier, later"
    )
    values: tuple[str, ...] = Field(default=(), description="ColumnValues: the allowed ones")
    matches: str | None = Field(default=None, description="ColumnValues: a regular expression for the whole value")
    between: tuple[Bound, Bound] | None = Field(
        default=None,
        description="lowest and highest allowed value (dates as yyyy-MM-dd, `today+5y` allowed), length or count",
    )
    where: str | None = Field(
        default=None, description="SQL condition on silver columns: the rows that the rule is about"
    )
    threshold: Fraction = Field(default=1.0, description="share of rows that must comply")
    severity: Severity = Field(default="warn", description="fail: a broken rule keeps the version unpublished")
    on_fail: Literal["count", "quarantine"] = Field(
        default="count", description="quarantine: rows that break the rule are refused"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse([*self._ignored(), *self._subject_mistakes(), *self._test_mistakes()])
        return self

    def _ignored(self) -> Iterator[Mistake]:
        takes = _TAKES[self.rule]
        for key in ("column", "columns", "values", "matches", "between", "where", "on_fail"):
            given = getattr(self, key)
            if key in takes or not given or given == "count":
                continue
            if key == "on_fail":
                yield Mistake(f"{self.rule} is about the table, so it can't send rows to quarantine", ("on_fail",))
            else:
                yield Mistake(f"{self.rule} takes no `{key}`", (key,), depends=(("rule",),))

    def _subject_mistakes(self) -> Iterator[Mistake]:
        takes = _TAKES[self.rule]
        if self.rule == "ColumnOrder" and len(self.columns) != 2:
            yield Mistake("ColumnOrder needs two `columns`: the earlier and the later", ("columns",))
        elif {"column", "columns"} <= takes and bool(self.columns) == bool(self.column):
            yield Mistake(f"{self.rule} needs `column` or `columns`, one of them", ("rule",))
        elif "columns" not in takes and "column" in takes and self.column is None:
            yield Mistake(f"{self.rule} needs `column`", ("column",))
        yield from repeated(self.columns, "column", ("columns",))

    def _test_mistakes(self) -> Iterator[Mistake]:
        tests = [key for key in ("values", "matches", "between") if getattr(self, key)]
        if self.rule == "ColumnValues" and len(tests) != 1:
            found = f", not {' and '.join(tests)}: write a rule for each" if tests else ""
            yield Mistake(f"ColumnValues needs `values`, `matches` or `between`, one of them{found}", ("rule",))
        if self.rule in {"ColumnLength", "RowCount"}:
            yield from self._count_mistakes()
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                yield Mistake(f"not a regular expression: {error}", ("matches",))

    def _count_mistakes(self) -> Iterator[Mistake]:
        if self.between is None:
            yield Mistake(f"{self.rule} needs `between`, the lowest and the highest", ("between",))
            return
        for index, bound in enumerate(self.between):
            if not isinstance(bound, int) or not 0 <= bound < 2**63:
                yield Mistake(
                    f"{self.rule} counts: expected a whole number, 0 or more, not {bound!r}", ("between", index)
                )
        yield from self._empty_range()

    def range_mistakes(self, kind: ColumnType) -> Iterator[Mistake]:
        """What is wrong with `between` where it limits the values of a column of this type."""
        if self.rule != "ColumnValues" or self.between is None:
            return
        if kind == "boolean":
            yield Mistake("a boolean has no range: use `values`", ("between",))
            return
        expected = _EXPECTED_BOUND[kind]
        wrong = [index for index, bound in enumerate(self.between) if not _fits(bound, kind)]
        for index in wrong:
            yield Mistake(
                f"{self.column} is a {kind}: expected {expected}, not {self.between[index]!r}", ("between", index)
            )
        if not wrong:
            yield from self._empty_range()

    def _empty_range(self) -> Iterator[Mistake]:
        low, high = self.between or (0, 0)
        if isinstance(low, str) != isinstance(high, str) or "today" in f"{low}{high}":
            return
        as_text = isinstance(low, str) and isinstance(high, str)
        if (str(low) > str(high)) if as_text else (float(low) > float(high)):
            yield Mistake(f"nothing lies between {low!r} and {high!r}: the lower one comes first", ("between",))


_EXPECTED_BOUND: dict[ColumnType, str] = {
    "string": "a text",
    "ndc11": "a text",
    "date": "a date as yyyy-MM-dd, today, or like today+5y or today-30d",
    "integer": "a whole number of at most 64 bits",
    "decimal": "a number of at most 20 digits before the point",
}


def _fits(bound: Bound, kind: ColumnType) -> bool:
    if kind == "date":
        return isinstance(bound, str) and (TODAY.fullmatch(bound) is not None or _is_date(bound))
    if kind in _LARGEST:
        return isinstance(bound, int if kind == "integer" else int | float) and abs(bound) <= _LARGEST[kind]
    return isinstance(bound, str)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
