r"""Regular expressions in a form that every engine reads alike.

Sail's `\d`, `\w` and `\s` take any Unicode digit, letter and blank, Java's ASCII only; Java's `.` stops at more line
ends than others'; Java's `$` also matches before a last line break. So classes are written out, and `\z` ends a value.
"""

from __future__ import annotations

import re

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r" \t\n\x0b\f\r"}


def whole(pattern: str) -> str:
    """A pattern for values that fit as a whole."""
    return rf"\A(?:{portable(pattern)})\z"


def portable(pattern: str) -> str:
    """The same pattern with `\\d`, `\\w`, `\\s` and `.` written out as characters."""
    written = []
    inside = False
    for piece in re.findall(r"\\.|.", pattern, re.DOTALL):
        written.append(_written_out(piece, inside))
        inside = piece != "]" if inside else piece == "["
    return "".join(written)


def _written_out(piece: str, inside: bool) -> str:
    if piece == "." and not inside:
        return r"[^\n]"
    letter = piece[1:]
    if letter in _CLASSES:
        return _CLASSES[letter] if inside else f"[{_CLASSES[letter]}]"
    if letter.lower() in _CLASSES and not inside:
        return f"[^{_CLASSES[letter.lower()]}]"
    return piece
