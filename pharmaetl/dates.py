"""Date patterns of source files: a small, strict subset of Java's letters (`yyyyMMdd`, `MM/dd/yyyy`, `MMM d, yyyy`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

_FIELDS = {
    "yyyy": "([0-9]{4})",
    "MMMM": "([A-Za-z]+)",
    "MMM": "([A-Za-z]{3})",
    "MM": "([0-9]{2})",
    "M": "([0-9]{1,2})",
    "dd": "([0-9]{2})",
    "d": "([0-9]{1,2})",
}
_OPEN_ENDED = frozenset({"M", "d", "MMMM"})
_TOKEN = re.compile(r"y+|M+|d+|'[^']*'|[^A-Za-z']+|[A-Za-z]+|'")


@dataclass(frozen=True)
class DatePattern:
    """A pattern as a regular expression for the whole value, and the order of its groups."""

    regex: str
    order: tuple[str, ...]
    """Which group is which: each of `y`, `M`, `d` once."""
    month_names: bool

    def group(self, letter: str) -> int:
        """The number of the group that holds the year, month or day."""
        return self.order.index(letter) + 1


def parse_pattern(pattern: str) -> DatePattern:
    """The regular expression of a date pattern; ValueError where it isn't one.

    Text between single quotes stands for itself, two of them for one.
    """
    tokens = _TOKEN.findall(pattern)
    _refuse_ambiguous(tokens, pattern)
    order = tuple(token[0] for token in tokens if token in _FIELDS)
    if sorted(order) != ["M", "d", "y"]:
        raise ValueError(f"date format {pattern!r} needs a year (yyyy), a month and a day, each once")
    regex = "".join(_FIELDS.get(token) or re.escape(_literal(token)) for token in tokens)
    return DatePattern(f"^{regex}$", order, bool({"MMM", "MMMM"} & set(tokens)))


def _refuse_ambiguous(tokens: list[str], pattern: str) -> None:
    for token in tokens:
        if token not in _FIELDS and re.match("[A-Za-z]", token):
            raise ValueError(f"{token!r} in date format {pattern!r}: only yyyy, M, MM, MMM, MMMM, d and dd are known")
        if token == "'":
            raise ValueError(f"date format {pattern!r} has a quote without an end")
    for token, following in pairwise(tokens):
        if token in _OPEN_ENDED and following in _FIELDS:
            raise ValueError(f"date format {pattern!r} can't be told apart: nothing stands between {token} and {following}")


def _literal(token: str) -> str:
    return "'" if token == "''" else token.strip("'") if token.startswith("'") else token
