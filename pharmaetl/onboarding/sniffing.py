"""How a delimited text is written, as far as its lines show it: delimiter, quoting, trailing delimiter, header row.

Every delimiter that could be meant is tried by splitting the lines as a run would (`text.records`); the one wins
that gives nearly all lines the same number of fields, and many. Why not a library: docs/decisions/0007-sniffing.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.onboarding.column_types import tidy
from pharmaetl.onboarding.header_guess import DATA, is_header
from pharmaetl.text.records import MAX_RECORD_LINES, Rule, Shape, cells_of

TRIED = 1000
"""Lines that a delimiter is tried on."""
_USUAL = frozenset("\t,;|~^") | {chr(code) for code in (1, 2, 3, 4, 5, 6, 7, 20, 28, 29, 30, 31)}
_UNLIKELY = frozenset(" -/:._()[]{}<>")
"""Characters of dates, codes and texts: taken only where nothing else divides the lines."""
_QUOTES = ('"', "'")
_QUOTED_BY_HABIT = frozenset(",;")
_NUMBER = re.compile(r"[+-]?[0-9]*[.,]?[0-9]+")
_BARELY, _ENOUGH, _SURE, _NEARLY_ALL = 0.5, 0.7, 0.95, 0.99
_SOME, _MOSTLY, _FEW = 0.3, 0.8, 3

Cells = list[str]


@dataclass(frozen=True)
class Sniffed:
    """A dialect, and what it rests on."""

    dialect: Dialect
    fields: int
    share: float
    """How many of the lines that were tried have that many fields."""
    reasons: dict[str, str]
    """Why, by the dialect's setting."""


@dataclass(frozen=True)
class _Trial:
    delimiter: str
    quote: str
    rows: tuple[Cells | None, ...]
    fields: int
    share: float
    plain: float
    """How many of the cells look like one value: no other usual delimiter in them, no quote left open."""

    @property
    def score(self) -> float:
        """High where the lines agree, on many fields, of whole values."""
        first = self.rows[0]
        headed = first is not None and self.fields - 1 <= len(first) <= self.fields
        return self.share**2 * (1 - 1 / self.fields) * (0.5 + self.plain / 2) * (1.0 if headed else 0.5)


def sniff(lines: Sequence[str], quoted: Sequence[str] = ()) -> Sniffed | None:
    """The dialect of a text from its first lines; None where no character divides them into fields.

    `quoted` are more lines, from anywhere in the text, that hold a quote mark. Lines come without their ends.
    """
    tried = [line for line in lines if line.strip()][:TRIED]
    if len(tried) < 2:
        return None
    best = _best_delimiter(tried)
    if best is None:
        return _single_column(tried)
    quote, why_quote = _quoting(best, tried, quoted)
    rows = best.rows if quote == best.quote else tuple(_split(tried, best.delimiter, quote))
    return _described(_trial(best.delimiter, quote, rows) or best, why_quote)


def _described(trial: _Trial, why_quote: str) -> Sniffed | None:
    rows = [row for row in trial.rows if row is not None]
    trailing, why_trailing = _trailing(rows, trial.fields)
    fields = trial.fields - trailing
    cut = [row[:fields] for row in rows if len(row) in {trial.fields, fields}]
    if fields < (1 if trial.delimiter in _USUAL else 2) or len(cut) < 2:
        return None
    header, why_header = is_header([tidy(cell) for cell in cut[0]], cut[1:])
    dialect = Dialect(delimiter=trial.delimiter, quote=trial.quote, header=header, trailing_delimiter=trailing)
    why = f"{trial.fields} fields in {trial.share:.1%} of the first {len(trial.rows):,} lines"
    reasons = {"delimiter": why, "quote": why_quote, "trailing_delimiter": why_trailing, "header": why_header}
    return Sniffed(dialect, fields, trial.share, reasons)


def _best_delimiter(lines: Sequence[str]) -> _Trial | None:
    """The most convincing trial, of the usual delimiters before the others."""
    marks = [char for char in Counter("".join(lines)) if not char.isalnum() and char not in {"\ufffd", *_QUOTES}]
    usual = _best(lines, [char for char in marks if char in _USUAL])
    if usual is not None and usual.share >= _ENOUGH:
        return usual
    single = sum(DATA.fullmatch(tidy(line)) is not None for line in lines) >= _MOSTLY * len(lines)
    tiers = (set(marks) - _USUAL - _UNLIKELY, set(marks) & _UNLIKELY)
    for tier in () if single or len(lines) < _FEW else tiers:
        best = _best(lines, sorted(tier))
        if best is not None and best.share >= _SURE:
            return best
    return usual if usual is not None and usual.share >= _BARELY else None


def _best(lines: Sequence[str], delimiters: Sequence[str]) -> _Trial | None:
    trials = (_tried(lines, delimiter, quote) for delimiter in delimiters for quote in ("", *_QUOTES))
    return max((trial for trial in trials if trial), key=lambda trial: trial.score, default=None)


def _tried(lines: Sequence[str], delimiter: str, quote: str) -> _Trial | None:
    opened = sum(line.startswith(quote) or delimiter + quote in line for line in lines) if quote else 0
    if quote and opened < (_SOME * len(lines) if quote == "'" else 1):
        return None
    return _trial(delimiter, quote, tuple(_split(lines, delimiter, quote)))


def _trial(delimiter: str, quote: str, rows: tuple[Cells | None, ...]) -> _Trial | None:
    counts = Counter(len(row) for row in rows if row is not None and len(row) > 1)
    if not counts:
        return None
    fields, times = max(counts.items(), key=lambda item: (item[1], item[0]))
    cells = [cell for row in rows[:200] if row is not None and len(row) == fields for cell in row]
    plain = sum(_is_plain(cell, quote) for cell in cells) / len(cells) if cells else 0.0
    return _Trial(delimiter, quote, rows, fields, times / len(rows), plain)


def _is_plain(cell: str, quote: str) -> bool:
    """Could the cell be one value? Text around a delimiter is two; a quote left at one end was cut through."""
    if not cell or _NUMBER.fullmatch(cell):
        return True
    if not quote and (cell[:1] in _QUOTES or cell[-1:] in _QUOTES):
        return False
    return bool(quote) or _USUAL.isdisjoint(cell)


def _split(lines: Sequence[str], delimiter: str, quote: str) -> Iterator[Cells | None]:
    """The cells of each record; None for one that can't be split so. A quoted value may span lines."""
    yield from (cells for cells, _ in _records(lines, delimiter, quote))


def _records(lines: Sequence[str], delimiter: str, quote: str) -> Iterator[tuple[Cells | None, int]]:
    """The cells of each record, and how many lines it takes."""
    shape, at = Shape(delimiter, quote, 0), 0
    while at < len(lines):
        cells = cells_of(lines[at], shape)
        end = at + 1
        while cells is Rule.UNCLOSED_QUOTE and end < min(len(lines), at + MAX_RECORD_LINES):
            end += 1
            cells = cells_of("\n".join(lines[at:end]), shape)
        taken = end - at if isinstance(cells, list) else 1
        yield (cells if isinstance(cells, list) else None), taken
        at += taken


def _single_column(lines: Sequence[str]) -> Sniffed | None:
    """One value a line, where no line holds two words: a list of codes, say, and no prose."""
    values = [tidy(line) for line in lines]
    if any(len(value.split()) > 1 for value in values):
        return None
    header, why = is_header(values[:1], [[value] for value in values[1:]])
    dialect = Dialect(delimiter=",", quote='"', header=header, trailing_delimiter=False)
    reasons = {"delimiter": "no character divides the lines: one column", "quote": "", "trailing_delimiter": ""}
    return Sniffed(dialect, 1, 1.0, {**reasons, "header": why})


def _trailing(rows: Sequence[Cells], fields: int) -> tuple[bool, str]:
    """Does the delimiter end every record, as in RRF, instead of standing before a last value?"""
    data = [row for row in rows[1:] if len(row) == fields]
    empty = sum(not row[-1] for row in data)
    named = len(rows[0]) == fields and bool(rows[0][-1].strip())
    if not data or named or empty < _NEARLY_ALL * len(data):
        return False, ""
    return True, f"nothing stands behind the last delimiter of {empty:,} records"


def _quoting(best: _Trial, lines: Sequence[str], more: Sequence[str]) -> tuple[str, str]:
    """The quote character, "" where quote marks are data; and why."""
    if best.quote == "'" and _evidence(best, "'", lines):
        return "'", "values stand in single quotes"
    marked = [*(line for line in lines if '"' in line), *more]
    habit = '"' if best.delimiter in _QUOTED_BY_HABIT else ""
    if not marked:
        return habit, "no quote mark was seen: " + ("quoted where one comes, as CSV does" if habit else "one is data")
    quoted = _trial(best.delimiter, '"', tuple(_split(marked, best.delimiter, '"')))
    records = _records(marked, best.delimiter, '"')
    with_quotes = sum(taken for row, taken in records if row is not None and len(row) == best.fields)
    without = sum(line.count(best.delimiter) == best.fields - 1 for line in marked)
    if quoted is not None and with_quotes >= without and _evidence(quoted, '"', lines):
        return '"', "values stand in quote marks"
    if with_quotes == without:
        return habit, f"a quote mark is taken for {'quoting' if habit else 'data'}: the file doesn't tell"
    if with_quotes > without:
        return '"', "values stand in quote marks"
    return "", "a quote mark stands inside values: it is data"


def _evidence(trial: _Trial, quote: str, lines: Sequence[str]) -> bool:
    """Do quotes do what they are for: hold a delimiter or a line break, or stand around a whole column?"""
    rows = [row for row in trial.rows if row is not None and len(row) == trial.fields]
    if any(trial.delimiter in cell or "\n" in cell for row in rows for cell in row):
        return True
    raw = [line.split(trial.delimiter) for line in lines]
    columns = zip(*[row for row in raw if len(row) == trial.fields], strict=True)
    return any(_wrapped(column, quote) for column in columns)


def _wrapped(column: Sequence[str], quote: str) -> bool:
    filled = [cell for cell in column if cell]
    wrapped = sum(len(cell) > 1 and cell[0] == quote == cell[-1] for cell in filled)
    return len(filled) > 1 and wrapped >= 0.9 * len(filled)
