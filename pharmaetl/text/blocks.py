"""Many records at once: whole blocks of lines with nothing out of the ordinary, several times faster than one by one.

Each check is exact: where it passes, reading record by record (`text.records`) gives the same; where it doesn't,
or can't tell, the answer is None, and the block has to be read that way.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import Self

from pharmaetl.text.records import Shape

_US = b"\x1f"
_HELD, _BETWEEN = b"\x1c", b"\x1d"
"""Stand for a delimiter inside a quoted value, and for the end of one quoted value and the start of the next."""
_DENSE = 25
"""Bytes per quote below which it pays to look for quoted values side by side."""
HARMLESS = bytes(byte for byte in range(256) if byte >= 0x20 or byte == 0x09)
"""What a value may hold: no control character but the tab."""
_FIRST, _LAST = itemgetter(0), itemgetter(-1)
_TAILS = [b"%03d\x1f" % number for number in range(1000)]


@dataclass(frozen=True)
class Pattern:
    """A shape made ready for bytes."""

    delimiter: bytes
    quote: bytes
    fields: int
    trailing: bool
    separate: bytes
    """Translation table: what separates values becomes U+001F, a delimiter held back becomes one again."""

    @classmethod
    def of(cls, shape: Shape) -> Self | None:
        """None where the delimiter takes more than one byte in UTF-8: then there is no fast path."""
        delimiter = shape.delimiter.encode()
        if len(delimiter) != 1:
            return None
        table = bytes.maketrans(delimiter + _HELD + _BETWEEN, _US + delimiter + _US)
        return cls(delimiter, shape.quote.encode(), shape.fields, shape.trailing, table)


@dataclass(frozen=True)
class Block:
    """Records that were read at once, each from one line."""

    text: bytes
    """Values separated by U+001F, a line end behind each record."""
    count: int
    end: bytes = b"\n"
    """LF or CRLF."""

    def first(self, count: int) -> Block:
        """No more than so many of them."""
        if count >= self.count:
            return self
        return Block(b"".join(line + self.end for line in self.text.split(self.end)[:count]), count, self.end)

    def numbered(self, first: int) -> bytes:
        """Each record behind its line number: `first` for the first, one more for each next."""
        woven = [b"\n"] * (2 * self.count + 1)
        woven[0:-1:2] = _labels(first, self.count)
        woven[1::2] = self.text.split(self.end)[:-1]
        woven[0] = woven[0][1:]
        return b"".join(woven)


def records_of(block: bytes, pattern: Pattern) -> Block | None:
    """The records of a block, one a line.

    `block` starts where a record starts and ends with LF. A block with a record over two lines is None too.
    """
    if _US in block or _HELD in block or _BETWEEN in block or not is_utf8(block):
        return None
    end = b"\r\n" if block.endswith(b"\r\n") else b"\n"
    if not pattern.quote or pattern.quote not in block:
        return _lines(block.translate(pattern.separate), end, pattern)
    bare = _unquoted(block, pattern)
    return None if bare is None else _lines(bare.translate(pattern.separate), end, pattern)


def is_utf8(block: bytes) -> bool:
    """Is it UTF-8, from its first byte to its last?"""
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _labels(first: int, count: int) -> list[bytes]:
    """LF, number, U+001F for each number; by thousands, because formatting each number alone takes twice as long."""
    labels: list[bytes] = []
    while count > 0:
        thousands, rest = divmod(first, 1000)
        taken = min(count, 1000 - rest)
        if thousands:
            head = b"\n%d" % thousands
            labels += [head + tail for tail in _TAILS[rest : rest + taken]]
        else:
            labels += [b"\n%d\x1f" % number for number in range(first, first + taken)]
        first, count = first + taken, count - taken
    return labels


def _lines(text: bytes, end: bytes, pattern: Pattern) -> Block | None:
    """The lines of a text without quotes, U+001F for each delimiter; None if one has too few of them or too many."""
    marks = _US * pattern.fields if pattern.trailing else _US * (pattern.fields - 1)
    behind = _US + end if pattern.trailing else end
    count = text.count(behind)
    # all that separates values and lines, in its order; a lone CR and a line that ends otherwise are among it
    if text.translate(None, HARMLESS) != (marks + end) * count:
        return None
    if not marks and (text.startswith(end) or end + end in text):
        return None
    return Block(text.replace(behind, end) if pattern.trailing else text, count, end)


def _unquoted(block: bytes, pattern: Pattern) -> bytes | None:
    """The block without its quotes, delimiters inside quoted values held back; None if the quoting isn't exact.

    Text between quotes is outside and inside values by turns; an empty piece outside, between two quotes, is a doubled
    quote inside a value. Every other piece outside must touch quotes with a delimiter or a line end only.
    """
    quote, delimiter = pattern.quote, pattern.delimiter
    if block.count(quote) * _DENSE > len(block):
        # many values are quoted: most quotes stand in `","`. That takes out two at once, so inside stays inside; where
        # it was no end and start of values, the mark comes to lie outside
        block = block.replace(quote + delimiter + quote, _BETWEEN)
    pieces = block.split(quote)
    if len(pieces) % 2 == 0:
        return None
    outside, inside = pieces[0::2], quote.join(pieces[1::2])
    around = quote.join(outside)
    if b"\n" in inside or b"\r" in inside or _BETWEEN in around:
        return None
    if not set(map(_FIRST, filter(None, outside[1:]))) <= {*delimiter, *b"\r\n"}:
        return None
    if not set(map(_LAST, filter(None, outside[:-1]))) <= {*delimiter, *b"\n"}:
        return None
    if delimiter in inside and delimiter in around:
        pieces[1::2] = inside.replace(delimiter, _HELD).split(quote)
    if b"" in outside[1:-1]:
        pieces[2:-1:2] = [piece or quote for piece in outside[1:-1]]
    bare = b"".join(pieces)
    return bare if delimiter in around else bare.replace(delimiter, _HELD)
