"""One quality rule of a config, by the name that AWS Glue's DQDL gives it where it has one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from pharmaetl.config.column import Fraction, Model, SnakeName
from pharmaetl.config.mistakes import Mistake, refuse, repeated

Severity = Literal["warn", "fail"]
RowRule = Literal["IsComplete", "Completeness", "ColumnValues", "ColumnLength", "ColumnOrder", "CustomSql"]
KeyRule = Literal["IsUnique", "Uniqueness"]
CountRule = Literal["RowCount", "ColumnCount", "DistinctValuesCount"]
ChangeRule = Literal["RowCountChange", "NullShareChange", "DistinctCountChange"]
RuleName = Literal[
    RowRule, KeyRule, CountRule, "ReferentialIntegrity", "DataFreshness", "SchemaMatch", ChangeRule
]  # fmt: skip
Bound = str | int | float

TODAY = re.compile(r"today(?:([+-])([0-9]{1,3}y|[0-9]{1,5}d))?")
"""`today`, or so many years or days from it: at most 999 years, so that the result is always a date."""
_NOT_EVERYWHERE = re.compile(r"\\[1-9]|\(\?(?:[=!>]|<[=!]|P)|[*+?}]\+")

_SHARE = frozenset({"where", "threshold", "fail_below"})
# What each rule reads beside rule and severity. Anything else would be ignored in silence.
_TAKES: dict[RuleName, frozenset[str]] = {
    "IsComplete": _SHARE | {"column", "on_fail"},
    "Completeness": _SHARE | {"column"},
    "IsUnique": _SHARE | {"column", "columns"},
    "Uniqueness": _SHARE | {"column", "columns"},
    "ColumnValues": _SHARE | {"column", "values", "matches", "between", "on_fail"},
    "ColumnLength": _SHARE | {"column", "between", "on_fail"},
    "ColumnOrder": _SHARE | {"columns", "on_fail"},
    "CustomSql": _SHARE | {"column", "condition", "on_fail"},
    "ReferentialIntegrity": _SHARE | {"column", "columns", "references"},
    "RowCount": frozenset({"between"}),
    "ColumnCount": frozenset({"between"}),
    "DistinctValuesCount": frozenset({"column", "where", "between"}),
    "DataFreshness": frozenset({"column", "where", "max_age_days"}),
    "SchemaMatch": frozenset(),
    "RowCountChange": frozenset({"max_change"}),
    "NullShareChange": frozenset({"column", "max_change"}),
    "DistinctCountChange": frozenset({"column", "max_change"}),
}
_MAY_LACK_COLUMN = frozenset({"CustomSql", "DataFreshness"})


class References(Model):
    """The table of the same dataset that a rule's columns refer to."""

    table: SnakeName = Field(description="name of the table")
    columns: Annotated[tuple[SnakeName, ...], Field(min_length=1)] = Field(
        description="its columns, in the order of the rule's own"
    )


class Rule(Model):
    """One quality rule on a table."""

    rule: RuleName = Field(description="what must hold")
    column: SnakeName | None = Field(default=None, description="the column it is about, where it is about one")
    columns: tuple[SnakeName, ...] = Field(
        default=(),
        description="IsUnique, Uniqueness: the key; ColumnOrder: earlier, later; ReferentialIntegrity: what refers",
    )
    values: tuple[str, ...] = Field(default=(), description="ColumnValues: the allowed ones")
    matches: str | None = Field(default=None, description="ColumnValues: a regular expression for the whole value")
    between: tuple[Bound, Bound] | None = Field(
        default=None,
        description="lowest and highest allowed value (dates as yyyy-MM-dd, `today+5y` allowed), length or count",
    )
    condition: str | None = Field(
        default=None, description="CustomSql: SQL condition on silver columns that every row must meet; null complies"
    )
    references: References | None = Field(default=None, description="ReferentialIntegrity: where the values must be")
    max_age_days: Annotated[int, Field(ge=0, le=36500)] | None = Field(
        default=None,
        description="DataFreshness: age of the newest date at the day of the run, of `column` (dates after that day "
        "don't count) or, without it, of the release: its own date, or the site's Last-Modified",
    )
    max_change: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        default=None,
        description="RowCountChange, NullShareChange, DistinctCountChange: the largest change since the current "
        "version, as a share of what was (0.2 means 20 %)",
    )
    where: str | None = Field(
        default=None, description="SQL condition on silver columns: the rows that the rule is about"
    )
    threshold: Fraction = Field(default=1.0, description="share of rows that must comply")
    fail_below: Fraction | None = Field(
        default=None, description="for a rule that warns: a share of complying rows below this fails"
    )
    severity: Severity = Field(default="warn", description="fail: a broken rule keeps the version unpublished")
    on_fail: Literal["count", "quarantine"] = Field(
        default="count", description="quarantine: rows that break the rule are refused"
    )

    @property
    def subject(self) -> tuple[str, ...]:
        """The columns that it is about, however they were named."""
        return self.columns or ((self.column,) if self.column else ())

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse([*self._ignored(), *self._subject_mistakes(), *self._test_mistakes(), *self._threshold_mistakes()])
        return self

    def _ignored(self) -> Iterator[Mistake]:
        for key, field in type(self).model_fields.items():
            if key in _TAKES[self.rule] | {"rule", "severity"} or getattr(self, key) == field.default:
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
            if self.rule not in _MAY_LACK_COLUMN:
                yield Mistake(f"{self.rule} needs `column`", ("column",))
            elif self.rule == "DataFreshness" and self.where:
                yield Mistake("without `column` it is about the release, and takes no `where`", ("where",))
        yield from repeated(self.columns, "column", ("columns",))

    def _test_mistakes(self) -> Iterator[Mistake]:
        tests = [key for key in ("values", "matches", "between") if getattr(self, key)]
        if self.rule == "ColumnValues" and len(tests) != 1:
            found = f", not {' and '.join(tests)}: write a rule for each" if tests else ""
            yield Mistake(f"ColumnValues needs `values`, `matches` or `between`, one of them{found}", ("rule",))
        if self.rule in {"ColumnLength", *get_args(CountRule)}:
            yield from self._count_mistakes()
        for key in ("condition", "references", "max_age_days", "max_change"):
            if key in _TAKES[self.rule] and getattr(self, key) is None:
                yield Mistake(f"{self.rule} needs `{key}`", (key,))
        for key in ("condition", "where"):
            if (sql := getattr(self, key)) is not None and not sql.strip():
                yield Mistake("a condition can't be blank", (key,))
        if self.matches is not None:
            yield from _pattern_mistakes(self.matches)

    def _threshold_mistakes(self) -> Iterator[Mistake]:
        if self.fail_below is None:
            return
        if self.severity == "fail":
            yield Mistake("the rule fails below its `threshold` already: leave `fail_below` out", ("fail_below",))
        elif self.fail_below >= self.threshold:
            message = f"fail_below must be below the threshold, {self.threshold}: between the two it warns"
            yield Mistake(message, ("fail_below",), depends=(("threshold",),))

    def _count_mistakes(self) -> Iterator[Mistake]:
        if self.between is None:
            yield Mistake(f"{self.rule} needs `between`, the lowest and the highest", ("between",))
            return
        for index, bound in enumerate(self.between):
            if not isinstance(bound, int) or not 0 <= bound < 2**63:
                yield Mistake(
                    f"{self.rule} counts: expected a whole number, 0 or more, not {bound!r}", ("between", index)
                )
        yield from self.empty_range()

    def empty_range(self) -> Iterator[Mistake]:
        """The mistake of a range in which nothing lies."""
        low, high = self.between or (0, 0)
        if isinstance(low, str) != isinstance(high, str) or "today" in f"{low}{high}":
            return
        as_text = isinstance(low, str) and isinstance(high, str)
        if (str(low) > str(high)) if as_text else (float(low) > float(high)):
            yield Mistake(f"nothing lies between {low!r} and {high!r}: the lower one comes first", ("between",))


def _pattern_mistakes(pattern: str) -> Iterator[Mistake]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield Mistake(f"not a regular expression: {error}", ("matches",))
        return
    if found := _NOT_EVERYWHERE.search(pattern):
        yield Mistake(
            f"{found.group()!r} is not known to every engine",
            ("matches",),
            "no lookahead, lookbehind, backreferences, named groups or possessive quantifiers",
        )
