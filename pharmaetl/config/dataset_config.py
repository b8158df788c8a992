"""What a dataset's `config/dataset.json` may say.

The keys of the first design keep their names (`source_url`, `bronze_job_name`, `data_quality`, …); `tables` describes
the files inside the source. `pharmaetl.config.configfile` reads the file and says where in it an error is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from pharmaetl.config import dates, rulefit, sourceurl
from pharmaetl.config.column import Column, ColumnType, Derivation, Derived, Fraction, Model, SnakeName, folded
from pharmaetl.config.dialect import DIALECTS, Dialect
from pharmaetl.config.mistakes import Loc, Mistake, refuse, repeated, unknown
from pharmaetl.config.rule import Rule, Severity
from pharmaetl.errors import UsageError

__all__ = [
    "Cadence", "Column", "ColumnType", "Contract", "DataQuality", "DatasetConfig", "DatasetName", "Derivation",
    "Derived", "Dialect", "Fraction", "Model", "Rule", "Severity", "SnakeName", "Table",
]  # fmt: skip

DatasetName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Cadence = Literal["daily", "weekly", "monthly"]


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
        default=None, description="left out: UTF-8 where the bytes are valid, otherwise cp1252"
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


class DataQuality(Model):
    """Limits of the gate that hold for every table of the dataset."""

    critical_null_threshold: Fraction = Field(default=0.1, description="share of nulls allowed in a required column")
    required_columns: tuple[SnakeName, ...] = Field(
        default=(), description="columns that must hardly ever be null, in every table that has them"
    )
    max_quarantine_fraction: Fraction = Field(
        default=0.05, description="share of rows that may be refused before the run is"
    )
    min_rows_fraction: Fraction = Field(
        default=0.8, description="shrink guard: rows as a share of those last published"
    )


class ReleaseDate(Model):
    """Where a source carries its own date: in the name of one of its members."""

    matches: str = Field(description="regular expression over member names, whose first group is the date")
    format: str = Field(default="yyyyMMdd", description="how the date is written there")

    @field_validator("matches")
    @classmethod
    def _usable_pattern(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if groups < 1:
            raise ValueError("needs a group (…) around the date")
        return value

    @field_validator("format")
    @classmethod
    def _usable_format(cls, value: str) -> str:
        if dates.parse_pattern(value).month_names:
            raise ValueError("months are numbers here")
        return value


class DatasetConfig(Model):
    """One dataset: where it comes from, what its files hold, and how it is deployed."""

    dataset: DatasetName = Field(description="the dataset's name, which is its folder's")
    description: str = Field(default="", description="one sentence for people")
    license: str = Field(default="", description="terms of use of the data, with the attribution they ask for")
    cadence: Cadence = Field(default="daily", description="how often the source changes; decides what counts as stale")
    source_url: str = Field(
        description="https, http or file URL, or a path; ${NAME} stands for a secret from the environment"
    )
    editions: dict[SnakeName, str] = Field(
        default_factory=dict, description="other source URLs of the same files, chosen with --edition"
    )
    release_date: ReleaseDate | None = Field(default=None, description="the source's own date, in the name of a member")
    max_bytes: Annotated[int, Field(gt=0)] = Field(
        default=4 * 1024**3, description="largest source file that is accepted"
    )
    bronze_job_name: str | None = Field(default=None, description="AWS Glue job of the bronze layer")
    silver_job_name: str | None = Field(default=None, description="AWS Glue job of the silver layer")
    bronze_crawler_name: str | None = Field(default=None, description="AWS Glue crawler over the bronze layer")
    database_name: str | None = Field(default=None, description="AWS Glue database")
    glue_version: Literal["4.0", "5.0", "5.1"] = Field(default="5.1", description="AWS Glue version of both jobs")
    worker_type: Literal["G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X"] = Field(
        default="G.1X", description="AWS Glue worker type of both jobs"
    )
    number_of_workers: Annotated[int, Field(ge=2, le=299)] = Field(
        default=10, description="AWS Glue workers of each job"
    )
    data_quality: DataQuality = Field(default=DataQuality(), description="limits of the gate")
    tables: Annotated[tuple[Table, ...], Field(min_length=1)] = Field(description="the files inside the source")

    @field_validator("source_url")
    @classmethod
    def _usable_url(cls, value: str) -> str:
        refuse(sourceurl.mistakes(value))
        return value

    @field_validator("editions")
    @classmethod
    def _usable_editions(cls, value: dict[str, str]) -> dict[str, str]:
        refuse(replace(found, loc=(name,)) for name, url in value.items() for found in sourceurl.mistakes(url))
        return value

    def url_of(self, edition: str | None) -> str:
        """Where an edition comes from; None is the usual one. UsageError where the config has no such edition."""
        if edition is None:
            return self.source_url
        if edition not in self.editions:
            known = ", ".join(self.editions) or "none"
            raise UsageError(f"{self.dataset} has no edition {edition!r}", hint=f"editions in its config: {known}")
        return self.editions[edition]

    @model_validator(mode="after")
    def _tables_agree(self) -> Self:
        refuse([*self._table_mistakes(), *self._required_mistakes(), *self._reference_mistakes()])
        return self

    def _table_mistakes(self) -> Iterator[Mistake]:
        for mistake in repeated([table.name for table in self.tables], "table", ("tables",)):
            yield Mistake(mistake.message, (*mistake.loc, "name"))
        for index, table in enumerate(self.tables):
            if len(self.tables) > 1 and table.member is None:
                place: Loc = ("tables", index, "member")
                yield Mistake(f"table {table.name} needs `member`: the dataset has several tables", place)

    def _required_mistakes(self) -> Iterator[Mistake]:
        known: dict[Loc, str] = {
            ("tables", number, "columns", index, "name"): column.name
            for number, table in enumerate(self.tables)
            for index, column in enumerate(table.columns)
        }
        for index, name in enumerate(self.data_quality.required_columns):
            if name not in known.values():
                yield unknown(name, known, "any table", ("data_quality", "required_columns", index))

    def _reference_mistakes(self) -> Iterator[Mistake]:
        tables = {table.name: (index, rulefit.columns_of(table.columns)) for index, table in enumerate(self.tables)}
        for index, table in enumerate(self.tables):
            for number, rule in enumerate(table.quality):
                for mistake in rulefit.reference_mistakes(rule, rulefit.columns_of(table.columns), tables):
                    yield replace(mistake, loc=("tables", index, "quality", number, *mistake.loc))

    def table_level(self, table: Table) -> str | None:
        """The folder level of a table in lake paths: None where the dataset has just one."""
        return table.name if len(self.tables) > 1 else None

    def data_settings(self) -> dict[str, Any]:
        """What of the config decides the data; the names and sizes of AWS resources don't."""
        return self.model_dump(mode="json", include={"dataset", "tables", "data_quality"})
