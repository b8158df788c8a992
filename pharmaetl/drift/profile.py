"""What a table's file looks like, by its first line and its bytes: the facts that drift is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pharmaetl.config.column import folded
from pharmaetl.config.dataset_config import Dialect, Table
from pharmaetl.errors import SourceFormatError
from pharmaetl.lake.documents import LogEntry
from pharmaetl.lake.schema import TableProfile
from pharmaetl.text import delimited
from pharmaetl.text.header import MAX_COLUMNS
from pharmaetl.text.unpack import Text

DELIMITERS = (",", "\t", "|", ";", "~", "^")
"""What a file that isn't split by its configured delimiter may be split by instead."""
_LAKE_S_OWN = frozenset({"record_hash", "meta_run_id"})
_CHUNK = 1024 * 1024
_SHOWN = 200
"""Characters of a header that are kept: a longer one is some damage, and not worth a megabyte in every record."""


def of_text(table: Table, text: Text) -> TableProfile:
    """The profile of an unpacked member, whether its header satisfies the contract or not."""
    line = _first_line(text.path, table)
    readable = table.dialect.header and 0 < len(line.cells) <= MAX_COLUMNS
    header = tuple(cell[:_SHOWN] for cell in line.cells) if readable else None
    names = _names(header, table)
    return TableProfile(
        table=table.name,
        member=text.member,
        header=header,
        names=names,
        missing=tuple(c.name for c in table.source_columns if not c.optional and c.name not in names),
        fields=len(line.cells) or None,
        encoding=_encoding(text),
        delimiter=line.delimiter,
        trailing_delimiter=line.trailing,
    )


def published(entry: LogEntry) -> tuple[TableProfile, ...]:
    """The profiles of a published version; of a version from before there were profiles, what its schema tells."""
    return tuple(
        table.profile or TableProfile(table=table.name, types=business_types(table.schema_)) for table in entry.tables
    )


def business_types(schema: dict[str, str]) -> dict[str, str]:
    """A silver schema without the lake's own columns."""
    return {name: kind for name, kind in schema.items() if name not in _LAKE_S_OWN}


@dataclass(frozen=True)
class _FirstLine:
    """The cells of a file's first line, and the delimiter that it was written with."""

    cells: tuple[str, ...]
    delimiter: str
    trailing: bool


def _first_line(path: Path, table: Table) -> _FirstLine:
    """By the configured delimiter, or, where that splits nothing, by the one that makes the most of the line."""
    dialect = table.dialect
    best = _split(path, dialect, dialect.delimiter)
    if len(best.cells) <= 1 < len(table.source_columns):
        others = (_split(path, dialect, delimiter) for delimiter in DELIMITERS)
        best = max(best, *others, key=lambda line: len(line.cells))
    return best


def _split(path: Path, dialect: Dialect, delimiter: str) -> _FirstLine:
    plain = dialect.model_copy(update={"delimiter": delimiter, "trailing_delimiter": False})
    try:
        cells = delimited.read_header(path, plain)
    except SourceFormatError:
        return _FirstLine((), delimiter, False)
    trailing = len(cells) > 1 and not cells[-1] and (dialect.trailing_delimiter or dialect.header)
    return _FirstLine(cells[:-1] if trailing else cells, delimiter, trailing)


def _names(header: tuple[str, ...] | None, table: Table) -> tuple[str | None, ...]:
    """The config's column of each field; without a header row they are the config's, in order."""
    if header is None:
        return () if table.dialect.header else tuple(column.name for column in table.source_columns)
    known = {folded(text): column.name for column in table.source_columns for text in column.headers}
    return tuple(known.get(folded(text)) for text in header)


def _encoding(text: Text) -> str:
    """What the member was read as; a text of ASCII alone says nothing of the encoding that its source writes."""
    if text.encoding == "utf-16":
        return text.encoding
    with text.path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if not chunk.isascii():
                return text.encoding
    return "ascii"
