"""One column of a silver table, as a config describes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pharmaetl.config import dates
from pharmaetl.config.mistakes import Mistake, refuse

SnakeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]

ColumnType = Literal["string", "date", "integer", "decimal", "boolean", "ndc11"]
Derivation = Literal["ndc11", "ndc9", "code_type", "before", "after", "list"]
DEFAULT_DATE_FORMAT = "yyyyMMdd"


class Model(BaseModel):
    """A part of the config: unknown keys are errors, values are not coerced, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Derived(Model):
    """A column computed from another column of the same row."""

    function: Derivation = Field(
        description="ndc11, ndc9, code_type: of an NDC as served; "
        "before, after: the part of the text on that side of `separator`; "
        "list: the values of a multi-valued column, as an array"
    )
    source: SnakeName = Field(description="name of the column it is computed from")
    separator: str = Field(
        default="",
        description="before and after: the text to cut at (its first occurrence); list: what stands between values",
    )
    ends_with: str = Field(
        default="", description="list: what every value ends with, as in `Insulin [CS], Insulin [EPC]`"
    )
    aligned_with: tuple[SnakeName, ...] = Field(
        default=(),
        description="list: columns with as many values; where the counts differ the arrays are null, and counted",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        cuts = self.function in {"before", "after", "list"}
        if cuts and not self.separator:
            yield Mistake(f"{self.function} needs `separator`, the text to cut at", ("separator",))
        if self.separator and not cuts:
            yield Mistake(f"{self.function} takes no `separator`", ("separator",))
        for key, given in (("ends_with", self.ends_with), ("aligned_with", self.aligned_with)):
            if given and self.function != "list":
                yield Mistake(f"{self.function} takes no `{key}`", (key,))


class Column(Model):
    """One column of a silver table, and where its values come from."""

    name: SnakeName = Field(description="snake_case name in bronze and silver")
    source: str | None = Field(
        default=None, description="header text in the file; for a file without a header, leave it out"
    )
    aliases: tuple[str, ...] = Field(default=(), description="other header texts that mean the same column")
    type: ColumnType = Field(default="string", description="what the text is read as")
    format: str | None = Field(
        default=None,
        description="dates only: letters y M d and literals, such as yyyyMMdd (the default) or MM/dd/yyyy",
    )
    optional: bool = Field(default=False, description="older or newer releases may lack the column")
    derived: Derived | None = Field(default=None, description="computed, not read from the file")
    code_column: SnakeName | None = Field(
        default=None,
        description="ndc11 only: the column with the code as served, which the eleven digits must agree with",
    )
    on_error: Literal["null", "quarantine"] = Field(
        default="null",
        description="a value that can't be read as its type: publish null and count it, or refuse the row",
    )

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header text that means this column, the usual one first."""
        return (self.source or self.name, *self.aliases)

    @property
    def date_format(self) -> str:
        """The pattern of a date column."""
        return DEFAULT_DATE_FORMAT if self.format is None else self.format

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse([*self._name_mistakes(), *self._type_mistakes(), *self._derived_mistakes()])
        return self

    def _name_mistakes(self) -> Iterator[Mistake]:
        if self.name == "record_hash" or self.name.startswith("meta_"):
            yield Mistake(f"{self.name}: record_hash and names that begin with meta_ are the lake's own", ("name",))
        if self.source is not None and not self.source.strip():
            yield Mistake("a header text can't be blank", ("source",))
        for index, alias in enumerate(self.aliases):
            if not alias.strip():
                yield Mistake("a header text can't be blank", ("aliases", index))

    def _type_mistakes(self) -> Iterator[Mistake]:
        if self.type == "date":
            try:
                dates.parse_pattern(self.date_format)
            except ValueError as error:
                yield Mistake(str(error), ("format",))
        elif self.format is not None:
            yield Mistake(f"format is for dates; {self.name} has type {self.type}", ("format",), depends=(("type",),))
        if self.code_column and self.type != "ndc11":
            yield Mistake(
                f"code_column is for ndc11 columns; {self.name} has type {self.type}",
                ("code_column",),
                depends=(("type",),),
            )

    def _derived_mistakes(self) -> Iterator[Mistake]:
        if self.derived is None:
            return
        for key, given in (("source", self.source), ("aliases", self.aliases)):
            if given:
                yield Mistake(f"{self.name} is computed (`derived`), so it has no header: leave {key} out", (key,))
        if self.type not in {"string", "ndc11"}:
            yield Mistake(f"{self.name} is computed (`derived`), so it is text and no {self.type}", ("type",))
        if self.code_column:
            yield Mistake(f"{self.name} is computed (`derived`): leave code_column out", ("code_column",))


def folded(header: str) -> str:
    """A header text as headers are compared: without a byte order mark, free of case and of blanks."""
    return " ".join(header.replace("\ufeff", "").casefold().split())
