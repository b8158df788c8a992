"""Does the first line of a delimited text name the columns, or is it a record like the others?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pharmaetl.config.column import folded
from pharmaetl.onboarding.column_types import tidy

DATA = re.compile(
    r"[+-]?[0-9][0-9.,%]*|[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}.*|[A-Za-z]{3,9} [0-9]{1,2},? [0-9]{4}"
    r"|[0-9]{1,2}[- ][A-Za-z]{3,9}[- ][0-9]{2,4}|[0-9*]{4,6}-[0-9*]{3,4}(?:-[0-9*]{1,2})?",
    re.DOTALL,
)
"""Numbers, dates, NDCs: what stands in records and hardly ever names a column."""
_NAME = re.compile(r"[^\W\d][^\r\n]{0,79}|[#%$][^\r\n]{0,79}")
_MOSTLY = 0.8


def is_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> tuple[bool, str]:
    """Whether the first line (tidied) names the columns of the records after it, and why."""
    columns = [[tidy(row[index]) for row in rest if index < len(row)] for index in range(len(first))]
    votes = [_vote(cell, [value for value in column if value]) for cell, column in zip(first, columns, strict=True)]
    unlike, like = votes.count(1), votes.count(-1)
    if unlike > like:
        return True, f"the first line is unlike the records in {unlike} of {len(first)} columns"
    if like > unlike:
        return False, f"the first line is like the records in {like} of {len(first)} columns"
    names = [folded(cell) for cell in first]
    if "" not in names and len(set(names)) == len(names) and all(_NAME.fullmatch(cell) for cell in first):
        return True, "the first line could name the columns, and none of its values comes again"
    return False, "the first line has empty, repeated or numeric values"


def _vote(cell: str, column: Sequence[str]) -> int:
    """1: this cell isn't one of the column's values; -1: it is; 0: can't be told."""
    if not cell or DATA.fullmatch(cell) or cell in column:
        return -1 if column or not cell else 0
    data = sum(DATA.fullmatch(value) is not None for value in column)
    if data and data >= _MOSTLY * len(column):
        return 1
    shapes = {_shape(value) for value in column}
    if len(column) > 2 and len(shapes) == 1:
        return 1 if _shape(cell) not in shapes else -1 if any(letter.isdigit() for letter in cell) else 0
    return 0


def _shape(text: str) -> str:
    """The text with a 9 for each digit and an A for each letter."""
    return "".join("9" if letter.isdigit() else "A" if letter.isalpha() else letter for letter in text)
