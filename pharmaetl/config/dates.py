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
_OPEN_ENDED, _NAMES = frozenset({"M", "d"}), frozenset({"MMM", "MMMM"})
_PIECE = re.compile(r"y+|M+|d+|'[^']*'|[^A-Za-z']+|[A-Za-z]+|'")


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
    pieces = _PIECE.findall(pattern)
    _refuse_ambiguous(pieces, pattern)
    order = tuple(piece[0] for piece in pieces if piece in _FIELDS)
    if sorted(order) != ["M", "d", "y"]:
        raise ValueError(f"date format {pattern!r} needs a year (yyyy), a month and a day, each once")
    regex = "".join(_FIELDS.get(piece) or re.escape(_literal(piece)) for piece in pieces)
    return DatePattern(f"^{regex}$", order, bool(_NAMES & set(pieces)))


def _refuse_ambiguous(pieces: list[str], pattern: str) -> None:
    for piece in pieces:
        if piece not in _FIELDS and re.match("[A-Za-z]", piece):
            raise ValueError(f"{piece!r} in date format {pattern!r}: only yyyy, M, MM, MMM, MMMM, d and dd are known")
        if piece == "'":
            raise ValueError(f"date format {pattern!r} has a quote without an end")
    for piece, following in pairwise(pieces):
        if piece in _OPEN_ENDED and following in _FIELDS and following not in _NAMES:
            raise ValueError(
                f"date format {pattern!r} is ambiguous: something must stand between {piece} and {following}"
            )


def _literal(piece: str) -> str:
    return "'" if piece == "''" else piece.strip("'") if piece.startswith("'") else piece
