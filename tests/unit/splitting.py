"""Splitting for tests: a text in, its records and refused records out as Python values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.text import delimited
from pharmaetl.text.delimited import Split

CSV = Dialect(delimiter=",", quote='"', header=False, trailing_delimiter=False)
TSV = Dialect(delimiter="\t", quote="", header=False, trailing_delimiter=False)
RRF = Dialect(delimiter="|", quote="", header=False, trailing_delimiter=True)


@dataclass(frozen=True)
class Result:
    """What came of a text."""

    rows: list[Any]
    """Line and values of each record, line breaks inside values as in the source."""
    rejects: list[tuple[int, str, str]]
    """Line, rule and shown text of each refused record."""
    split: Split

    @property
    def values(self) -> list[tuple[str, ...]]:
        return [row[1:] for row in self.rows]

    @property
    def refused(self) -> list[tuple[int, str]]:
        return [(line, rule) for line, rule, _ in self.rejects]


def splitting(folder: Path, text: str | bytes, dialect: Dialect, fields: int, **options: Any) -> Result:
    """Split a text; checks on the way that the accounts agree with the files."""
    source = folder / "text"
    source.write_bytes(text.encode() if isinstance(text, str) else text)
    split = delimited.split(source, dialect, fields, folder, **options)
    rows = [(int(line), *map(_unmarked, values)) for line, *values in _lines(split.records)]
    rejects = [(int(line), rule, shown) for line, rule, shown in _lines(split.rejects)]
    assert split.rows_read == len(rows) + len(rejects)
    assert split.rows_rejected == len(rejects) == sum(split.rules.values())
    assert all(len(row) == fields + 1 for row in rows)
    marked = any("\x1d" in line or "\x1e" in line for line in split.records.read_text().split("\n"))
    assert split.line_breaks == marked
    return Result(rows, rejects, split)


def _lines(path: Path) -> list[list[str]]:
    text = path.read_bytes().decode()
    assert text == "" or text.endswith("\n")
    return [line.split("\x1f") for line in text.split("\n")[:-1]]


def _unmarked(value: str) -> str:
    return value.replace("\x1d", "\r").replace("\x1e", "\n")
