"""One delimited file of a source, as a config describes it, and the silver table that it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pharmaetl.config import rulefit
from pharmaetl.config.column import Column, Model, SnakeName, folded
from pharmaetl.config.dialect import DIALECTS, Dialect
from pharmaetl.config.mistakes import Loc, Mistake, refuse, repeated, unknown
from pharmaetl.config.rule import Rule


class Contract(Model):
    """What of a source may change without anybody's say."""

    columns: Literal["evolve", "freeze"] = Field(
        default="evolve",
        description="a header that the config doesn't know: carried through as text with a warning, "
        "or the file refused",
    )


class Table(Model):
    """One delimited file of the source, and the silver table it becomes."""

    name: SnakeName = Field(description="name of the table in the lake")
    member: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, description="path pattern of the member inside the zip, such as rrf/RXNCONSO.RRF"
    )
    optional: bool = Field(default=False, description="the release may lack this member")
    format: Literal["csv", "tsv", "rrf"] = Field(
        default="csv", description="csv: comma, quotes, header row; tsv: tab, header row; rrf: | after every value"
    )
    encoding: Literal["utf-8", "cp1252", "latin-1", "utf-16"] | None = Field(
        default=None, description="left out: UTF-8, rows damaged in places refused; where the text is none, cp1252"
    )
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = Field(
        default=None, description="what stands between values, where it is another than the format's"
    )
    quote: Annotated[str, StringConstraints(max_length=1)] | None = Field(
        default=None, description='"" means no quoting: a quote mark is data'
    )
    header: bool | None = Field(default=None, description="does the first line name the columns?")
    trailing_delimiter: bool | None = Field(default=None, description="every row ends with the delimiter, as in RRF")
    columns: Annotated[tuple[Column, ...], Field(min_length=1)] = Field(
        description="the silver columns, in order; without a header row also the file's"
    )
    contract: Contract = Field(default=Contract(), description="what of the source may change")
    key: tuple[SnakeName, ...] = Field(default=(), description="columns that name a row")
    quality: tuple[Rule, ...] = Field(default=(), description="what must hold for the table")

    @property
    def dialect(self) -> Dialect:
        """How the file is written, with the defaults of its format filled in."""
        base = DIALECTS[self.format]
        return Dialect(
            delimiter=base.delimiter if self.delimiter is None else self.delimiter,
            quote=base.quote if self.quote is None else self.quote,
            header=base.header if self.header is None else self.header,
            trailing_delimiter=base.trailing_delimiter if self.trailing_delimiter is None else self.trailing_delimiter,
        )

    @property
    def source_columns(self) -> tuple[Column, ...]:
        """The columns that are read from the file, in the file's usual order."""
        return tuple(column for column in self.columns if column.derived is None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse(
            [
                *self._dialect_mistakes(),
                *self._header_mistakes(),
                *self._name_mistakes(),
                *self._rule_mistakes(),
            ]
        )
        return self

    def _dialect_mistakes(self) -> Iterator[Mistake]:
        dialect = self.dialect
        if dialect.delimiter in "\r\n\0":
            yield Mistake(f"{dialect.delimiter!r} can't stand between values", ("delimiter",))
        if dialect.quote and dialect.quote in "\r\n\0":
            yield Mistake(f"{dialect.quote!r} can't quote values", ("quote",))
        if dialect.delimiter == dialect.quote:
            yield Mistake(f"{dialect.quote!r} can't be both delimiter and quote", ("delimiter",), depends=(("quote",),))

    def _header_mistakes(self) -> Iterator[Mistake]:
        claimed: dict[str, str] = {}
        for index, column in enumerate(self.columns):
            place: Loc = ("columns", index)
            if column.derived is not None:
                continue
            if self.dialect.header and column.source is None:
                yield Mistake(
                    f"column {column.name} needs `source`: the file has a header row",
                    (*place, "source"),
                    depends=(("header",), ("format",), (*place, "derived")),
                )
            for number, header in enumerate(column.headers):
                if (other := claimed.setdefault(folded(header), column.name)) != column.name:
                    where: Loc = ("source",) if number == 0 else ("aliases", number - 1)
                    message = f"header {header!r} is claimed by both {other} and {column.name}"
                    yield Mistake(message, (*place, *where), depends=((*place, "name"),))

    def _name_mistakes(self) -> Iterator[Mistake]:
        names: dict[Loc, str] = {("columns", index, "name"): column.name for index, column in enumerate(self.columns)}
        for mistake in repeated(names.values(), "column", ("columns",)):
            yield Mistake(mistake.message, (*mistake.loc, "name"))
        yield from repeated(self.key, "key column", ("key",))
        for name, loc in self._mentioned():
            if name not in names.values():
                yield unknown(name, names, f"table {self.name}", loc)
        computed = {column.name for column in self.columns if column.derived is not None}
        for name, loc in self._computed_from():
            if name in computed:
                yield Mistake(f"{name} is itself computed: only a column of the file can be read here", loc)

    def _mentioned(self) -> Iterator[tuple[str, Loc]]:
        """Every mention of a column by its name, and where."""
        yield from ((name, ("key", index)) for index, name in enumerate(self.key))
        for number, rule in enumerate(self.quality):
            if rule.column:
                yield rule.column, ("quality", number, "column")
            yield from ((name, ("quality", number, "columns", index)) for index, name in enumerate(rule.columns))
        yield from self._computed_from()

    def _computed_from(self) -> Iterator[tuple[str, Loc]]:
        for index, column in enumerate(self.columns):
            if column.derived is not None:
                yield column.derived.source, ("columns", index, "derived", "source")
                for number, name in enumerate(column.derived.aligned_with):
                    yield name, ("columns", index, "derived", "aligned_with", number)
            if column.code_column is not None:
                yield column.code_column, ("columns", index, "code_column")

    def _rule_mistakes(self) -> Iterator[Mistake]:
        known = rulefit.columns_of(self.columns)
        for number, rule in enumerate(self.quality):
            for mistake in rulefit.mistakes(rule, known):
                yield replace(mistake, loc=("quality", number, *mistake.loc))
