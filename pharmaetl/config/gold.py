"""A gold table, as a config describes it: made from a dataset's silver tables by a function of its transforms.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from pharmaetl.config import rulefit
from pharmaetl.config.column import Column, ColumnType, Model, SnakeName
from pharmaetl.config.mistakes import Loc, Mistake, refuse, repeated, unknown
from pharmaetl.config.rule import Rule
from pharmaetl.config.table import Table


class GoldColumn(Model):
    """One column of a gold table."""

    name: SnakeName = Field(description="snake_case name")
    type: ColumnType = Field(default="string", description="what the function gives")
    description: str = Field(default="", description="what it means, for people")


class GoldTable(Model):
    """A table for use, made from silver by the function `gold_<name>` of the dataset's transforms.py."""

    name: Annotated[SnakeName, StringConstraints(max_length=50)] = Field(
        description="name of the table in the lake, below gold/; no other dataset has one of this name"
    )
    description: str = Field(default="", description="one sentence for people")
    columns: Annotated[tuple[GoldColumn, ...], Field(min_length=1)] = Field(
        description="the columns, in order: the function must give exactly these"
    )
    key: tuple[SnakeName, ...] = Field(default=(), description="columns that name a row")
    quality: tuple[Rule, ...] = Field(default=(), description="what must hold for the table")

    def as_table(self) -> Table:
        """The same as a table of a file, for what measures and judges tables, wherever their rows came from."""
        columns = tuple(Column(name=column.name, type=column.type) for column in self.columns)
        return Table(name=self.name, format="rrf", columns=columns, key=self.key, quality=self.quality)

    def rule_columns(self) -> rulefit.Columns:
        """The columns as rules are checked against them."""
        return rulefit.columns_of([Column.model_construct(name=c.name, type=c.type) for c in self.columns])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse([*self._name_mistakes(), *self._rule_mistakes()])
        return self

    def _name_mistakes(self) -> Iterator[Mistake]:
        names: dict[Loc, str] = {("columns", index, "name"): column.name for index, column in enumerate(self.columns)}
        for mistake in repeated(names.values(), "column", ("columns",)):
            yield Mistake(mistake.message, (*mistake.loc, "name"))
        for place, name in names.items():
            if name == "record_hash" or name.startswith("meta_"):
                yield Mistake(f"{name}: record_hash and names that begin with meta_ are the lake's own", place)
        yield from repeated(self.key, "key column", ("key",))
        for name, loc in self._mentioned():
            if name not in names.values():
                yield unknown(name, names, f"gold table {self.name}", loc)

    def _mentioned(self) -> Iterator[tuple[str, Loc]]:
        """Every mention of a column by its name, and where."""
        yield from ((name, ("key", index)) for index, name in enumerate(self.key))
        for number, rule in enumerate(self.quality):
            if rule.column:
                yield rule.column, ("quality", number, "column")
            yield from ((name, ("quality", number, "columns", index)) for index, name in enumerate(rule.columns))

    def _rule_mistakes(self) -> Iterator[Mistake]:
        known = self.rule_columns()
        for number, rule in enumerate(self.quality):
            if rule.on_fail == "quarantine":
                message = "a gold table has no quarantine: refuse the rows where they are read, in silver"
                yield Mistake(message, ("quality", number, "on_fail"))
            for mistake in rulefit.mistakes(rule, known):
                yield replace(mistake, loc=("quality", number, *mistake.loc))
