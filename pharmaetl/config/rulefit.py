"""Does a quality rule fit the columns it is about? What it expects of their types, and of the table it refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from pharmaetl.config.column import Column, ColumnType
from pharmaetl.config.mistakes import Loc, Mistake, unknown
from pharmaetl.config.rule import TODAY, Bound, References, Rule

Columns = Mapping[str, tuple[int, Column]]
"""A table's columns by name, each with its index."""
_TEXTS = frozenset({"string", "ndc11"})
_LARGEST = {"integer": 2**63 - 1, "decimal": 10**20 - 1}
_EXPECTED_BOUND: dict[ColumnType, str] = {
    "string": "a text",
    "ndc11": "a text",
    "date": "a date as yyyy-MM-dd, today, or like today+5y or today-30d",
    "integer": "a whole number of at most 64 bits",
    "decimal": "a number of at most 20 digits before the point",
}
_VALUES = {
    "integer": re.compile(r"[+-]?[0-9]{1,18}"),
    "decimal": re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,8})?"),
    "boolean": re.compile(r"true|false"),
}


def columns_of(columns: Sequence[Column]) -> Columns:
    """The columns of a table in the form that is asked for here."""
    return {column.name: (index, column) for index, column in enumerate(columns)}


def mistakes(rule: Rule, columns: Columns) -> Iterator[Mistake]:
    """What is wrong with a rule, given the types of its columns; unknown columns are told elsewhere."""
    subject = [columns[name] for name in rule.subject if name in columns]
    if len(subject) != len(rule.subject):
        return
    yield from _list_mistakes(rule, subject)
    kinds = {column.type for _, column in subject}
    depends: tuple[Loc, ...] = tuple(("columns", index, "type") for index, _ in subject)
    for mistake in _type_mistakes(rule, kinds):
        yield Mistake(mistake.message, mistake.loc, mistake.hint, (*mistake.depends, *depends))


def _list_mistakes(rule: Rule, subject: Sequence[tuple[int, Column]]) -> Iterator[Mistake]:
    if rule.rule in {"IsComplete", "Completeness", "NullShareChange", "CustomSql"}:
        return
    for index, column in subject:
        if column.derived is not None and column.derived.function == "list":
            message = f"{column.name} is a list: only whether it is there can be checked, or a CustomSql condition"
            yield Mistake(message, ("rule",), depends=(("columns", index, "derived", "function"),))


def _type_mistakes(rule: Rule, kinds: set[ColumnType]) -> Iterator[Mistake]:
    kind: ColumnType = next(iter(kinds), "string")
    if rule.rule == "ColumnOrder" and len({"text" if kind in _TEXTS else kind for kind in kinds}) > 1:
        yield Mistake(f"the two columns have different types: {', '.join(sorted(kinds))}", ("columns",))
    if rule.rule == "DataFreshness" and rule.column and kind != "date":
        yield Mistake(f"{rule.column} has type {kind}: DataFreshness is about dates", ("column",))
    if kind not in _TEXTS and (rule.matches is not None or rule.rule == "ColumnLength"):
        what = "a pattern" if rule.matches is not None else "a length"
        yield Mistake(f"{rule.column} has type {kind}: only text has {what}", ("rule",))
    if rule.rule == "ColumnValues":
        yield from _value_mistakes(rule, kind)
        yield from _range_mistakes(rule, kind)


def _value_mistakes(rule: Rule, kind: ColumnType) -> Iterator[Mistake]:
    for index, value in enumerate(rule.values):
        pattern = _VALUES.get(kind)
        if (pattern and not pattern.fullmatch(value)) or (kind == "date" and not _is_date(value)):
            expected = "true or false" if kind == "boolean" else _EXPECTED_BOUND[kind].split(",")[0]
            yield Mistake(
                f"{rule.column} has type {kind}: expected {expected}, in quotes, not {value!r}", ("values", index)
            )


def _range_mistakes(rule: Rule, kind: ColumnType) -> Iterator[Mistake]:
    """What is wrong with `between` where it limits the values of a column of this type."""
    if rule.between is None:
        return
    if kind == "boolean":
        yield Mistake("a boolean has no range: use `values`", ("between",))
        return
    wrong = [index for index, bound in enumerate(rule.between) if not _fits(bound, kind)]
    for index in wrong:
        yield Mistake(
            f"{rule.column} has type {kind}: expected {_EXPECTED_BOUND[kind]}, not {rule.between[index]!r}",
            ("between", index),
        )
    if not wrong:
        yield from rule.empty_range()


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


def reference_mistakes(rule: Rule, columns: Columns, tables: Mapping[str, tuple[Loc, Columns]]) -> Iterator[Mistake]:
    """What is wrong with a ReferentialIntegrity rule, given its own table's columns and all tables, by name.

    Of each table, where in the config it stands, and its columns.

    A mistake's place is relative to the rule, what it depends on to the whole config.
    """
    wanted = rule.references
    if wanted is None:
        return
    if wanted.table not in tables:
        hint = f"known: {', '.join(tables)}"
        names: tuple[Loc, ...] = tuple((*place, "name") for place, _ in tables.values())
        yield Mistake(f"there is no table {wanted.table!r}", ("references", "table"), hint, names)
    elif len(wanted.columns) != len(rule.subject):
        message = f"{len(rule.subject)} columns can't refer to {len(wanted.columns)}: each needs its own"
        yield Mistake(message, ("references", "columns"))
    else:
        yield from _pair_mistakes(rule, columns, wanted, *tables[wanted.table])


def _pair_mistakes(rule: Rule, columns: Columns, wanted: References, table: Loc, parents: Columns) -> Iterator[Mistake]:
    known: dict[Loc, str] = {(*table, "columns", index, "name"): name for name, (index, _) in parents.items()}
    for number, (name, parent) in enumerate(zip(rule.subject, wanted.columns, strict=True)):
        place: Loc = ("references", "columns", number)
        if parent not in parents:
            yield unknown(parent, known, f"table {wanted.table}", place)
        elif name in columns and not _alike(columns[name][1].type, parents[parent][1].type):
            message = f"{name} has type {columns[name][1].type}, but {parent} has type {parents[parent][1].type}"
            yield Mistake(message, place, depends=((*table, "columns", parents[parent][0], "type"),))


def _alike(one: ColumnType, two: ColumnType) -> bool:
    return one == two or {one, two} <= _TEXTS
