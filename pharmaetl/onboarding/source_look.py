"""The delimited texts in a source file, each with what a look at it has shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pharmaetl.download.transfer import Fetched
from pharmaetl.errors import SourceFormatError
from pharmaetl.onboarding.sample_file import Packaging
from pharmaetl.onboarding.scaffold_readme import TableNotes
from pharmaetl.onboarding.survey import survey
from pharmaetl.onboarding.table_guess import ascii_of, guess_table
from pharmaetl.text import unpack
from pharmaetl.text.header import snake_case
from pharmaetl.text.inflate import GZIP
from pharmaetl.text.sniff import HEAD_BYTES, not_data

_NO_TABLE = re.compile(
    r"(?i)(^|/)(readme|licen[cs]e|changes|notice)[^/]*$|\.(pdf|html?|xml|json|docx?|xlsx?|zip|gz|md)$"
)
_DATED = re.compile(r"[0-9]{4}[-_.][0-9]{2}[-_.][0-9]{2}|[0-9]{6,}")
_MOST_TABLES = 50
_NOTHING = "no delimited text: no character divides its lines into the same number of fields, or there is only one line"


@dataclass(frozen=True)
class Found:
    """One table of the source: `pattern` is its `member` in the config, None where the source is no zip."""

    notes: TableNotes
    pattern: str | None


def look(fetched: Fetched, work: Path, name: str) -> tuple[Packaging, list[Found], list[str]]:
    """How the source is packed, every delimited text in it, and what was left out.

    `work` is a folder for the text that is being looked at, `name` the dataset's. Raises SourceFormatError where the
    container is no good, or nothing in it is delimited text.
    """
    members = unpack.members(fetched.path, fetched.file_name)
    tables: list[Found] = []
    left_out: list[str] = []
    for member in members:
        try:
            table = _table(fetched, member, members, work, name if len(members) == 1 else "")
        except SourceFormatError as error:
            if len(members) == 1:
                raise
            left_out.append(f"{member.name} was left out: {error.reason}")
            continue
        if table is None:
            left_out += [f"{member.name} was left out: no delimited text"] if len(members) > 1 else []
        else:
            tables.append(table)
    if not tables or len(tables) > _MOST_TABLES:
        reason = f"{len(tables)} delimited files, more than {_MOST_TABLES}" if tables else _NOTHING
        raise SourceFormatError(
            f"{fetched.file_name}: {'; '.join([reason, *left_out[:5]])}",
            hint="`pharmaetl dataset schema` says what a config written by hand may hold",
        )
    return _packaging(fetched.path, members), _named(tables, name), left_out


def _packaging(path: Path, members: Sequence[unpack.Found]) -> Packaging:
    with path.open("rb") as file:
        start = file.read(len(GZIP))
    return "zip" if members[0].crc32 is not None else "gzip" if start == GZIP else "plain"


def _table(
    fetched: Fetched, member: unpack.Found, members: Sequence[unpack.Found], work: Path, name: str
) -> Found | None:
    if len(members) > 1 and _NO_TABLE.search(member.name):
        return None
    text = unpack.unpack(fetched.path, member, work / "text")
    with text.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    looked = None if not_data(head) or b"\0" in head else survey(text.path, member.name)
    if looked is None:
        return None
    marked = text.encoding == "utf-8" and text.bytes == text.path.stat().st_size + 3
    pattern = _pattern(member, members) if member.crc32 is not None else None
    table = name or snake_case(ascii_of(_DATED.sub("_", Path(member.name).stem)))
    notes = TableNotes(table, member.name, "utf-8-sig" if marked else text.encoding, looked, guess_table(looked))
    return Found(notes, pattern)


def _pattern(member: unpack.Found, members: Sequence[unpack.Found]) -> str:
    """The member's path, with * for a date in it where that means no other member."""
    escaped = re.sub(r"([*?[])", r"[\1]", member.name)
    wild = _DATED.sub("*", escaped)
    try:
        chosen = unpack.select(members, [("", wild, True)], "")
    except SourceFormatError:
        return escaped
    return wild if chosen.get("") == member else escaped


def _named(tables: Sequence[Found], name: str) -> list[Found]:
    """The tables with unique names; the only one has the dataset's."""
    named: list[Found] = []
    for table in tables:
        base = name if len(tables) == 1 else table.notes.name
        taken = {other.notes.name for other in named}
        names = (base if number == 1 else f"{base}_{number}" for number in range(1, len(tables) + 1))
        free = next(text for text in names if text not in taken)
        named.append(replace(table, notes=replace(table.notes, name=free)))
    return named
