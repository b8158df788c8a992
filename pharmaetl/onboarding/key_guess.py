"""Which columns name a row, as far as the records that were looked at show it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from pharmaetl.config.dataset_config import ColumnType

_IN_PAIRS = 12
"""Columns that are tried in pairs: their number grows with the square."""


def suggest_key(kinds: Sequence[ColumnType], rows: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """The smallest complete, unique column or pair, by position; nothing where there is none.

    `rows` are tidied; equal ones count once, since silver holds each row once. Codes go before texts with blanks, and
    among them the leftmost. A date, a number with a point or a flag names no row by itself.
    """
    distinct = list(dict.fromkeys(tuple(row) for row in rows))
    complete = [index for index in range(len(kinds)) if all(row[index] for row in distinct)]
    ordered = sorted(complete, key=lambda index: (any(" " in row[index] for row in distinct), index))
    for index in ordered:
        if kinds[index] in {"string", "integer", "ndc11"} and _unique(distinct, (index,)):
            return (index,)
    for pair in combinations(ordered[:_IN_PAIRS], 2):
        if _unique(distinct, pair):
            return tuple(sorted(pair))
    return ()


def _unique(rows: Sequence[tuple[str, ...]], columns: tuple[int, ...]) -> bool:
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        key = tuple(row[index] for index in columns)
        if key in seen:
            return False
        seen.add(key)
    return True
