"""Which blocks of a text hold records with nothing out of the ordinary, told by their separators alone.

The check is exact: where it passes, reading record by record (`text.records`) finds the same values, and so does any
reader of CSV. It needs numpy, which what runs on Lambda hasn't got; there `text.blocks` reads blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pharmaetl.text.blocks import is_utf8
from pharmaetl.text.records import Shape

BLOCK_BYTES = 1024 * 1024
"""What is looked at at once."""
_TAB, _LF, _SPACE = b"\t\n "

Bytes = NDArray[np.uint8]
Places = NDArray[np.intp]


class Ordinary:
    """Knows the ordinary blocks of texts of one shape, whose delimiter and quote are one byte each."""

    def __init__(self, shape: Shape) -> None:
        self._delimiter, self._quote = shape.delimiter.encode(), shape.quote.encode()
        self._trailing = shape.trailing
        self._line = self._delimiter * (shape.fields if shape.trailing else shape.fields - 1)
        self._opens = _table(self._delimiter + b"\n" + self._quote)
        self._closes = _table(self._delimiter + b"\n\r" + self._quote)

    def records(self, block: bytes) -> int | None:
        """How many records the block holds, each on one line; None where one is malformed, or can't be told.

        `block` starts where a record starts and ends with LF.
        """
        end = b"\r\n" if block.endswith(b"\r\n") else b"\n"
        each = np.frombuffer(block, np.uint8)
        places = self._marked(each)
        marks = each[places]
        lines = np.flatnonzero(marks == _LF)
        quotes = np.flatnonzero(marks == self._quote[0]) if self._quote else lines[:0]
        outside = _outside(marks, quotes)
        if outside is None or outside.tobytes() != (self._line + end) * len(lines):
            return None
        # inside quotes, where no LF can be any more, there are delimiters alone
        delimiters = np.count_nonzero(marks == self._delimiter[0])
        if len(marks) != len(quotes) + delimiters + len(end) * len(lines):
            return None
        if not (self._ends_are_exact(each, places[lines], end) and self._quotes_are_exact(each, places[quotes])):
            return None
        if not self._line and (block.startswith(end) or b"\n" + end in block):
            return None
        return len(lines) if is_utf8(block) else None

    def _marked(self, each: Bytes) -> Places:
        """Where something stands that isn't harmless (`blocks.HARMLESS`): separators, and control characters."""
        marked = each < _SPACE
        if self._delimiter[0] != _TAB:
            marked &= each != _TAB
        for separator in self._delimiter + self._quote:
            marked |= each == separator
        return np.flatnonzero(marked)

    def _ends_are_exact(self, each: Bytes, lines: Places, end: bytes) -> bool:
        """Does nothing stand between a CR and its LF, or between a trailing delimiter and the end of its line?"""
        behind = self._delimiter + end if self._trailing else end
        return all((each[lines - back] == behind[-1 - back]).all() for back in range(1, len(behind)))

    def _quotes_are_exact(self, each: Bytes, quotes: Places) -> bool:
        """Does each quote that opens a value start it, and each that closes one end it?

        Quotes open and close by turns; one that closes right before one that opens is a quote inside a value.
        """
        # the first record has the end of the block before it: a line end, too
        return bool(self._opens[each[quotes[0::2] - 1]].all() and self._closes[each[quotes[1::2] + 1]].all())


def _outside(marks: Bytes, quotes: Places) -> Bytes | None:
    """The marks outside quotes, without these; None where one isn't closed."""
    if len(quotes) == 0:
        return marks
    if len(quotes) % 2:
        return None
    is_outside = np.ones(len(marks), np.bool_)
    is_outside[quotes] = False
    opening = quotes[0::2]
    held = quotes[1::2] - opening - 1
    if held.any():
        # their places: a run from behind each opening quote, so many as that pair holds
        before = np.cumsum(held) - held
        is_outside[np.repeat(opening + 1 - before, held) + np.arange(held.sum())] = False
    return marks[is_outside]


def _table(of: bytes) -> NDArray[np.bool_]:
    found = np.zeros(256, np.bool_)
    found[list(of)] = True
    return found
