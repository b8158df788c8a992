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
from pharmaetl.config.cadence import USUAL, Cadence
from pharmaetl.config.column import Column, ColumnType, Derivation, Derived, Fraction, Model, SnakeName
from pharmaetl.config.dialect import Dialect
from pharmaetl.config.gold import GoldColumn, GoldTable
from pharmaetl.config.mistakes import Loc, Mistake, refuse, repeated, unknown
from pharmaetl.config.rule import Rule, Severity
from pharmaetl.config.table import Contract, Table
from pharmaetl.errors import RefusedError, UsageError

__all__ = [
    "Cadence", "Column", "ColumnType", "Contract", "DataQuality", "DatasetConfig", "DatasetName", "Derivation",
    "Derived", "Dialect", "Fraction", "GoldColumn", "GoldTable", "Model", "Retention", "Rule", "Severity",
    "SnakeName", "Table",
]  # fmt: skip

DatasetName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


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


class Retention(Model):
    """Which published versions keep their files: the newest ones, and every one that was current not long ago."""

    versions: Annotated[int, Field(ge=1)] = Field(
        default=2, description="how many of the newest versions always keep their files"
    )
    days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        default=30, description="for how many days any other version keeps them once it is no longer current"
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
    title: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,40}$")] | None = Field(
        default=None, description="the dataset's name in names of AWS stacks; left out: the name in capitals"
    )
    description: str = Field(default="", description="one sentence for people")
    license: str = Field(default="", description="terms of use of the data, with the attribution they ask for")
    cadence: Cadence = Field(default=USUAL, description="how often the source changes; decides what counts as stale")
    source_url: str = Field(
        description="https, http or file URL, or a path; ${NAME} stands for a secret from the environment"
    )
    editions: dict[SnakeName, str] = Field(
        default_factory=dict, description="other source URLs of the same files, chosen with --edition"
    )
    release_date: ReleaseDate | None = Field(default=None, description="the source's own date, in the name of a member")
    source_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="the only bytes that are accepted, but for editions: others are refused",
    )
    max_bytes: Annotated[int, Field(gt=0)] = Field(
        default=4 * 1024**3, description="largest source file that is accepted"
    )
    retention: Retention | None = Field(
        default=None, description="what `pharmaetl prune` may remove of published versions; left out: nothing, ever"
    )
    allow_private_hosts: bool = Field(
        default=False,
        description="redirects of the source's site may lead into private networks; the source_url itself always may",
    )
    bronze_job_name: str | None = Field(default=None, description="AWS Glue job of the bronze layer")
    silver_job_name: str | None = Field(default=None, description="AWS Glue job of the silver layer")
    gold_job_name: str | None = Field(default=None, description="AWS Glue job of the gold layer")
    bronze_crawler_name: str | None = Field(default=None, description="AWS Glue crawler over the bronze layer")
    database_name: str | None = Field(default=None, description="AWS Glue database")
    glue_version: Literal["4.0", "5.0", "5.1"] = Field(default="5.1", description="AWS Glue version of all jobs")
    worker_type: Literal["G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X"] = Field(
        default="G.1X", description="AWS Glue worker type of all jobs"
    )
    number_of_workers: Annotated[int, Field(ge=2, le=299)] = Field(
        default=10, description="AWS Glue workers of each job"
    )
    data_quality: DataQuality = Field(default=DataQuality(), description="limits of the gate")
    tables: Annotated[tuple[Table, ...], Field(min_length=1)] = Field(description="the files inside the source")
    gold: tuple[GoldTable, ...] = Field(
        default=(), description="tables made from these by functions of transforms.py, published in the same version"
    )

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

    @property
    def title_for_stacks(self) -> str:
        """What names of stacks call the dataset."""
        return self.title or self.dataset.upper().replace("_", "-")

    def url_of(self, edition: str | None) -> str:
        """Where an edition comes from; None is the usual one. UsageError where the config has no such edition."""
        if edition is None:
            return self.source_url
        if edition not in self.editions:
            known = ", ".join(self.editions) or "none"
            raise UsageError(f"{self.dataset} has no edition {edition!r}", hint=f"editions in its config: {known}")
        return self.editions[edition]

    def refuse_other_bytes(self, sha256: str, edition: str | None) -> None:
        """RefusedError where the config pins the source to a hash, and this is another one."""
        if edition is None and self.source_sha256 not in {None, sha256}:
            raise RefusedError(
                f"the source's sha256 is {sha256}, and the config pins {self.source_sha256}",
                hint=f"if the new bytes are meant, change or drop source_sha256 in the config of {self.dataset}",
            )

    @model_validator(mode="after")
    def _tables_agree(self) -> Self:
        refuse(
            [
                *self._table_mistakes(),
                *self._gold_mistakes(),
                *self._required_mistakes(),
                *self._reference_mistakes(),
            ]
        )
        return self

    def _table_mistakes(self) -> Iterator[Mistake]:
        for mistake in repeated([table.name for table in self.tables], "table", ("tables",)):
            yield Mistake(mistake.message, (*mistake.loc, "name"))
        for index, table in enumerate(self.tables):
            if len(self.tables) > 1 and table.member is None:
                place: Loc = ("tables", index, "member")
                yield Mistake(f"table {table.name} needs `member`: the dataset has several tables", place)

    def _gold_mistakes(self) -> Iterator[Mistake]:
        for mistake in repeated([table.name for table in self.gold], "gold table", ("gold",)):
            yield Mistake(mistake.message, (*mistake.loc, "name"))
        taken = {table.name: number for number, table in enumerate(self.tables)}
        for index, gold in enumerate(self.gold):
            if gold.name in taken:
                depends: tuple[Loc, ...] = (("tables", taken[gold.name], "name"),)
                yield Mistake(f"{gold.name} is a silver table already", ("gold", index, "name"), depends=depends)

    def _required_mistakes(self) -> Iterator[Mistake]:
        known: dict[Loc, str] = {}
        for number, table in enumerate(self.tables):
            known |= {("tables", number, "columns", i, "name"): column.name for i, column in enumerate(table.columns)}
        for number, gold in enumerate(self.gold):
            known |= {("gold", number, "columns", i, "name"): column.name for i, column in enumerate(gold.columns)}
        for index, name in enumerate(self.data_quality.required_columns):
            if name not in known.values():
                yield unknown(name, known, "any table", ("data_quality", "required_columns", index))

    def _reference_mistakes(self) -> Iterator[Mistake]:
        """Silver's rules are about silver; those of gold tables may refer to any table."""
        tables: dict[str, tuple[Loc, rulefit.Columns]] = {
            table.name: (("tables", index), rulefit.columns_of(table.columns))
            for index, table in enumerate(self.tables)
        }
        both = tables | {table.name: (("gold", index), table.rule_columns()) for index, table in enumerate(self.gold)}
        every: tuple[Table | GoldTable, ...] = (*self.tables, *self.gold)
        for table in every:
            parents = tables if isinstance(table, Table) else both
            place, columns = parents[table.name]
            for number, rule in enumerate(table.quality):
                for mistake in rulefit.reference_mistakes(rule, columns, parents):
                    yield replace(mistake, loc=(*place, "quality", number, *mistake.loc))

    def table_level(self, table: Table) -> str | None:
        """The folder level of a table in lake paths: None where the dataset has just one."""
        return table.name if len(self.tables) > 1 else None

    def data_settings(self) -> dict[str, Any]:
        """What of the config decides the data; the names and sizes of AWS resources don't."""
        gold = {"gold"} if self.gold else set()
        return self.model_dump(mode="json", include={"dataset", "tables", "data_quality", *gold})
