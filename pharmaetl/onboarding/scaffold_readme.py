"""The README of a new dataset: what was guessed, why, and what a person should check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pharmaetl.onboarding.survey import Survey
from pharmaetl.onboarding.table_guess import ColumnGuess, TableGuess

_LONGEST = 40
_NAMES = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "vertical bar", "~": "tilde", "^": "caret", " ": "blank"}
_ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252: its bytes aren't UTF-8",
}


@dataclass(frozen=True)
class TableNotes:
    """One table, as its README describes it."""

    name: str
    member: str
    encoding: str
    survey: Survey
    guess: TableGuess


def readme(name: str, organization: str, source: str, tables: Sequence[TableNotes], to_check: Sequence[str]) -> str:
    """The README as Markdown."""
    lines = [
        f"# {name} ({organization})",
        "",
        f"Guessed by `pharmaetl dataset new` from {_code(source, whole=True)}.",
        "The guesses stand in `config/dataset.json`; `pharmaetl dataset schema` explains its keys. After a change:",
        f"`pharmaetl dataset validate {name}`, then `pharmaetl run {name}`.",
        "",
        "## To check",
        "",
        *(f"- [ ] {item}" for item in to_check),
        "",
    ]
    for table in tables:
        lines += [*_table(table), ""]
    return "\n".join(lines)


def checks(tables: Sequence[TableNotes], remarks: Sequence[str]) -> Iterator[str]:
    """What a person should look at, one thing each."""
    yield "`description`, `license` and `cadence` are placeholders: only you know them"
    yield from remarks
    for table in tables:
        prefix = f"{table.name}: " if len(tables) > 1 else ""
        if table.survey.header is None:
            yield f"{prefix}the file has no header row, so the columns are column_1, column_2 …: give them names"
        if table.survey.malformed:
            malformed = f"{table.survey.malformed} of the records looked at"
            yield f"{prefix}{malformed} don't have {table.survey.sniffed.fields} values: a run refuses them"
        key = ", ".join(table.guess.key)
        yield f"{prefix}{_key_doubt(key)}"
        yield from (f"{prefix}{column.name}: {_cell(column.check)}" for column in table.guess.columns if column.check)


def _key_doubt(key: str) -> str:
    if key:
        return f"is ({key}) what names a row? It is complete and unique in the records looked at, which proves nothing"
    return "no complete column or pair of columns was unique: `key` is empty"


def _table(table: TableNotes) -> Iterator[str]:
    survey, dialect, reasons = table.survey, table.survey.sniffed.dialect, table.survey.sniffed.reasons
    mark = _NAMES.get(dialect.delimiter, "")
    yield f"## Table {table.name}"
    yield ""
    yield f"| | | why |\n|---|---|---|\n| file | {_cell(table.member)} | |"
    yield f"| looked at | {_extent(survey)} | |"
    encoding = _ENCODINGS.get(table.encoding, table.encoding)
    yield f"| encoding | {encoding} | `encoding` is left out: decided anew for each release |"
    yield f"| delimiter | {_code(dialect.delimiter)} {mark} | {reasons['delimiter']} |"
    yield f"| quote | {_code(dialect.quote) if dialect.quote else 'none'} | {reasons['quote']} |"
    yield f"| header row | {_yes(dialect.header)} | {reasons['header']} |"
    yield f"| trailing delimiter | {_yes(dialect.trailing_delimiter)} | {reasons['trailing_delimiter']} |"
    yield f"| key | {', '.join(table.guess.key) or 'none'} | smallest complete and unique column or pair |"
    yield ""
    yield "| column | in the file | type | filled | examples | why |\n|---|---|---|---|---|---|"
    yield from (_column(column, len(survey.records)) for column in table.guess.columns)


def _column(column: ColumnGuess, records: int) -> str:
    settings = column.settings
    derived = settings.get("derived")
    kind = f"{settings.get('type', 'string')} {_code(settings['format']) if 'format' in settings else ''}".strip()
    filled = "" if derived else f"{column.filled / records:.0%}"
    examples = ", ".join(_code(text) for text in column.examples)
    why = f"{column.why}. {column.check}" if column.check else column.why
    return f"| {column.name} | {_cell(settings.get('source', ''))} | {kind} | {filled} | {examples} | {_cell(why)} |"


def _extent(survey: Survey) -> str:
    count = len(survey.records) + survey.malformed
    return (
        f"all {count:,} records"
        if survey.whole
        else f"{count:,} records: the first ones, and some of ten places further on"
    )


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _cell(text: str) -> str:
    """A text that stays within its table cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str, *, whole: bool = False) -> str:
    """A text of the data as it is, in code marks; control characters as escapes, long ones cut."""
    kept = text if whole else text[:_LONGEST]
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in kept)
    shown = shown.replace("|", "\\|") + ("…" if kept != text else "")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"
