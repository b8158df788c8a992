"""What a command has to say, before anyone decides how it looks: data for machines and parts for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["plain", "good", "warn", "bad", "dim"]


@dataclass(frozen=True)
class Toned:
    """A text or count that a terminal may colour."""

    text: str | int
    tone: Tone = "plain"


Value = str | int | Toned | None
"""An int is a count: a terminal groups its digits, a pipe gets them bare. None shows as a dash."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    title: str
    right: bool = False
    drop: int = 0
    """0 stays; otherwise the column goes when the terminal is too narrow, the highest number first."""
    wrap: bool = False
    """May be folded over several lines on a terminal."""


@dataclass(frozen=True)
class Table:
    """Rows under a header; `empty` stands in its place when there are none."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    empty: str = "nothing yet"


@dataclass(frozen=True)
class Facts:
    """Names with their values, one pair a line."""

    pairs: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Tree:
    """A text with branches below it."""

    label: Toned
    children: tuple[Tree, ...] = ()


@dataclass(frozen=True)
class Lines:
    """Texts that other programs read: one a line, never wrapped, never coloured."""

    lines: tuple[str, ...]


Part = Table | Facts | Tree | Lines


@dataclass(frozen=True)
class Screen:
    """The answer of one command."""

    data: Mapping[str, Any]
    """What `--json` prints: made of dicts, lists, strings, numbers, booleans and None only."""
    parts: tuple[Part, ...]
    follow_up: str = ""
    """The words of the command that one would want next, without the program's name."""


TONES: Mapping[str, Tone] = {
    "published": "good",
    "pass": "good",
    "ok": "good",
    "done": "good",
    "running": "warn",
    "warn": "warn",
    "warning": "warn",
    "failed": "bad",
    "fail": "bad",
    "error": "bad",
    "interrupted": "bad",
    "skipped": "dim",
    "skip": "dim",
    "planned": "dim",
}


def toned(word: str | None) -> Toned | None:
    """An outcome or verdict in the tone that it always has."""
    return None if word is None else Toned(word, TONES.get(word, "plain"))
