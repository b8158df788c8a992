"""From a look at a delimited text to the settings of a table: column names, types, derived NDC columns, a key."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pharmaetl import ndc
from pharmaetl.onboarding.column_types import Guess, guess, tidy
from pharmaetl.onboarding.key_guess import suggest_key
from pharmaetl.onboarding.survey import Survey
from pharmaetl.text.header import snake_case

_LONGEST = 60
_ELEVEN = re.compile(r"[0-9]{11}")
_NEARLY_ALL = 0.99
_EXAMPLES = 3


@dataclass(frozen=True)
class ColumnGuess:
    """One column of the config that is proposed, and why."""

    settings: dict[str, Any]
    """As in dataset.json."""
    why: str
    check: str = ""
    """What a person should look at; empty where nothing is in doubt."""
    filled: int = 0
    examples: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in bronze and silver."""
        return str(self.settings["name"])


@dataclass(frozen=True)
class TableGuess:
    """What is proposed for the columns of one table."""

    columns: tuple[ColumnGuess, ...]
    key: tuple[str, ...]
    complete: frozenset[str]
    """Columns of the file that had a value in every record."""


def guess_table(survey: Survey) -> TableGuess:
    """Columns and key of a table, from the records that were looked at."""
    rows = [tuple(map(tidy, record.values)) for record in survey.records]
    headers = survey.header or ("",) * survey.sniffed.fields
    names = column_names(headers)
    values = [Counter(value for value in column if value) for column in zip(*rows, strict=True)]
    guesses = [guess(found, name) for found, name in zip(values, names, strict=True)]
    codes = _NdcColumns(names, guesses, rows)
    columns: list[ColumnGuess] = []
    for index, header in enumerate(headers):
        columns.append(_column(names[index], header, codes.guess_of(index), values[index]))
        columns += codes.derived(index)
    kinds = [codes.guess_of(index).type for index in range(len(names))]
    complete = frozenset(name for name, found in zip(names, values, strict=True) if found.total() == len(rows))
    return TableGuess(tuple(columns), tuple(names[index] for index in suggest_key(kinds, rows)), complete)


def column_names(headers: Sequence[str]) -> list[str]:
    """A name for each header: ASCII snake_case, unique, none of the lake's own; column_1 and so on without headers."""
    names: list[str] = []
    for number, header in enumerate(headers, start=1):
        name = snake_case(ascii_of(header))[:_LONGEST] if header else f"column_{number}"
        if name == "record_hash" or name.startswith("meta_"):
            name = f"source_{name}"[:_LONGEST]
        names.append(_free(name, names))
    return names


def ascii_of(text: str) -> str:
    """The text in ASCII: letters without their accents, percent and number signs as words."""
    spelt = text.replace("%", " percent ").replace("#", " number ").replace("ß", "ss").replace("µ", "u")
    return unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()


def _free(name: str, taken: Sequence[str]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _column(name: str, header: str, found: Guess, values: Counter[str]) -> ColumnGuess:
    settings: dict[str, Any] = {"name": name}
    if header:
        settings["source"] = header
    if found.type != "string":
        settings["type"] = found.type
    if found.format is not None:
        settings["format"] = found.format
    if found.code_column is not None:
        settings["code_column"] = found.code_column
    if header and not values:
        settings["optional"] = True
    return ColumnGuess(settings, found.why, found.check, values.total(), tuple(list(values)[:_EXAMPLES]))


class _NdcColumns:
    """The columns that hold package NDCs: what is computed from them, and under which names."""

    def __init__(self, names: Sequence[str], guesses: Sequence[Guess], rows: Sequence[tuple[str, ...]]) -> None:
        self._names, self._guesses = names, guesses
        self._codes = [index for index, found in enumerate(guesses) if found.ndc]
        self._digits = {
            index for index in self._codes if all(_ELEVEN.fullmatch(row[index]) for row in rows if row[index])
        }
        self._served = {
            code: digits
            for digits in self._digits
            for code in self._codes
            if code not in self._digits and _agree(rows, code, digits)
        }

    def guess_of(self, index: int) -> Guess:
        """The guess for a column; one with the eleven digits of another's codes is checked against them."""
        found = self._guesses[index]
        code = next((code for code, digits in self._served.items() if digits == index), None)
        if code is not None:
            why = f"the eleven digits of {self._names[code]}: a run computes them and holds both together"
            return Guess("ndc11", why, code_column=self._names[code])
        if index in self._digits and self._names[index] == "ndc11":
            return Guess("ndc11", "eleven digits: checked to be an NDC", check=found.check)
        return found

    def derived(self, index: int) -> Iterator[ColumnGuess]:
        """The columns computed from this one: ndc11 and code_type, under free names."""
        if index not in self._codes or self.guess_of(index).type == "ndc11":
            return
        source = self._names[index]
        wanted = ("code_type",) if index in self._served else ("ndc11", "code_type")
        plain = index == next(code for code in self._codes if self.guess_of(code).type != "ndc11")
        for function in wanted:
            name = function if plain and function not in self._names else f"{source[:40]}_{function}"
            settings = {"name": _free(name, self._names), "derived": {"function": function, "source": source}}
            why = "eleven digits, as others join on them" if function == "ndc11" else "NDC, NHRIC, ISBT or unknown"
            yield ColumnGuess(settings, f"computed from {source}: {why}")


def _agree(rows: Sequence[tuple[str, ...]], code: int, digits: int) -> bool:
    """Are the eleven digits in one column those of the codes in the other?"""
    both = [(row[code], row[digits]) for row in rows if row[code] and row[digits]]
    same = sum(ndc.ndc11(served) == eleven for served, eleven in both)
    return bool(both) and same >= _NEARLY_ALL * len(both)
