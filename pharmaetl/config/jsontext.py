"""Where each value of a JSON text stands, and what of the text its readers don't agree on."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from dataclasses import dataclass, field

MAX_DEPTH = 64
"""Objects and arrays inside each other; JSON readers give up at depths of their own."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)

Path = tuple[int | str, ...]


@dataclass
class Outline:
    """The places of a JSON text, as offsets into it."""

    text: str
    values: dict[Path, int] = field(default_factory=dict)
    keys: dict[Path, int] = field(default_factory=dict)
    doubtful: list[tuple[int, str]] = field(default_factory=list)
    """Offset and description of what one reader refuses and another takes: NaN, half a surrogate pair, too deep."""
    repeated: list[tuple[int, str]] = field(default_factory=list)
    """Offset and name of every key that its object has already."""

    def __post_init__(self) -> None:
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both 1-based, the column in characters."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def place(self, path: Path, *, of_key: bool = False) -> tuple[int, int]:
        """Line and column of a value (or its key); what isn't there is placed at the nearest thing around it."""
        if of_key and path in self.keys:
            return self.position(self.keys[path])
        while path and path not in self.values:
            path = path[:-1]
        return self.position(self.values.get(path, 0))


@dataclass
class _Open:
    """An object or array that has begun; `key` is the member whose value is being read."""

    path: Path
    is_object: bool
    key: int | str | None


def outline(text: str) -> Outline:
    """The places of a text that `json.loads` takes, or that is nested too deeply for it."""
    found = Outline(text)
    stack: list[_Open] = []
    for token in _TOKEN.finditer(text):
        word, top = token[0], stack[-1] if stack else None
        if word in {"}", "]"}:
            del stack[-1:]
        elif word == ",":
            _next_member(top)
        elif word.startswith('"') and top is not None and top.key is None:
            top.key = _key(found, top, word, token.start())
        elif word != ":":
            path: Path = () if top is None or top.key is None else (*top.path, top.key)
            found.values.setdefault(path, token.start())
            _doubt(found, word, token.start())
            if word in {"{", "["}:
                stack.append(_Open(path, word == "{", None if word == "{" else 0))
                if len(stack) > MAX_DEPTH:
                    found.doubtful.append((token.start(), f"nested more than {MAX_DEPTH} levels deep"))
                    break
    return found


def _next_member(top: _Open | None) -> None:
    if top is not None:
        top.key = None if top.is_object else int(top.key or 0) + 1


def _key(found: Outline, top: _Open, word: str, offset: int) -> str:
    _doubt(found, word, offset)
    name = str(json.loads(word))
    path = (*top.path, name)
    if path in found.keys:
        found.repeated.append((offset, name))
    found.keys.setdefault(path, offset)
    return name


def _doubt(found: Outline, word: str, offset: int) -> None:
    """Note a number that isn't finite, and text that can't be written as UTF-8."""
    if word.startswith('"'):
        if any("\ud800" <= letter <= "\udfff" for letter in json.loads(word)):
            found.doubtful.append((offset, "half of a surrogate pair: no character"))
    elif word.lstrip("-")[:1] in {"N", "I", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} and not math.isfinite(
        float(word)
    ):
        shown = word if len(word) <= 20 else f"{word[:17]}..."
        found.doubtful.append((offset, f"{shown} is no number that JSON can hold"))
