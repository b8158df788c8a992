"""Which blocks of a text hold records with nothing out of the ordinary, told by their separators alone.

The check is exact: where it passes, reading record by record (`text.records`) finds the same values, and so does any
reader of CSV. It needs numpy, which what runs on Lambda hasn't got; there `text.blocks` reads blocks.
"""

from __future__ import annotations

import numpy as np

from pharmaetl.text.blocks import HARMLESS, is_utf8
from pharmaetl.text.records import Shape

BLOCK_BYTES = 1024 * 1024
"""What is looked at at once."""
_LF, _CR = b"\n", b"\r"


class Ordinary:
    """Knows the ordinary blocks of texts of one shape, whose delimiter and quote are one byte each."""

    def __init__(self, shape: Shape) -> None:
        self._delimiter, self._quote = shape.delimiter.encode(), shape.quote.encode()
        separators = self._delimiter + self._quote
        self._harmless = bytes(byte for byte in HARMLESS if byte not in separators)
        self._trailing = shape.trailing
        self._line = self._delimiter * (shape.fields if shape.trailing else shape.fields - 1)
        self._opens = _table(self._delimiter + _LF + self._quote)
        self._closes = _table(self._delimiter + _LF + _CR + self._quote)

    def records(self, block: bytes) -> int | None:
        """How many records the block holds, each on one line; None where one is malformed, or can't be told.

        `block` starts where a record starts and ends with LF.
        """
        end = b"\r\n" if block.endswith(b"\r\n") else _LF
        # all that isn't harmless, in its order
        marks = block.translate(None, self._harmless)
        count = marks.count(_LF)
        is_quoted = bool(self._quote) and self._quote in marks
        outside = self._outside_quotes(marks, end, count) if is_quoted else marks
        if outside != (self._line + end) * count or (is_quoted and not self._quotes_are_exact(block)):
            return None
        # what is harmless may stand between marks: not before a LF that has a CR, nor behind the last delimiter
        if self._trailing and block.count(self._delimiter + end) != count:
            return None
        if end != _LF and _line_ends(block) != count:
            return None
        if not self._line and (block.startswith(end) or _LF + end in block):
            return None
        return count if is_utf8(block) else None

    def _outside_quotes(self, marks: bytes, end: bytes, count: int) -> bytes | None:
        """The marks outside quotes; None where inside are others than delimiters.

        A line end inside is one too few outside, as is the quote that isn't closed.
        """
        if marks.translate(None, self._delimiter + self._quote + end) or marks.count(_CR) != count * (len(end) - 1):
            return None
        each = np.frombuffer(marks, np.uint8)
        quotes = each == self._quote[0]
        inside = np.cumsum(quotes, dtype=np.uint8) & 1
        return bytes(each[(inside | quotes) == 0])

    def _quotes_are_exact(self, block: bytes) -> bool:
        """Does each quote that opens a value start it, and each that closes one end it?

        Quotes open and close by turns; one that closes right before one that opens is a quote inside a value.
        """
        each = np.frombuffer(block, np.uint8)
        quotes = np.flatnonzero(each == self._quote[0])
        # the first record has the end of the block before it: a line end, too
        return bool(self._opens[each[quotes[0::2] - 1]].all() and self._closes[each[quotes[1::2] + 1]].all())


def _line_ends(block: bytes) -> int:
    """How many CRLF there are; numpy counts them seven times faster than bytes do."""
    each = np.frombuffer(block, np.uint8)
    return int(np.count_nonzero((each[:-1] == _CR[0]) & (each[1:] == _LF[0])))


def _table(of: bytes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    found = np.zeros(256, np.bool_)
    found[list(of)] = True
    return found
