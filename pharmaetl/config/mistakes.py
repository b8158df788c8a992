"""What is wrong in a config where each value by itself is possible: several mistakes at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Loc = tuple[int | str, ...]
"""Keys and indexes that lead to a value, such as ("tables", 0, "key", 1)."""


@dataclass(frozen=True)
class Mistake:
    """One contradiction; `loc` is relative to the part of the config that was checked."""

    message: str
    loc: Loc = ()
    hint: str = ""
    depends: tuple[Loc, ...] = ()
    """Other values that it rests on: where one of those is wrong itself, this is perhaps no mistake."""
    of_key: bool = False
    """Is it the key itself that is wrong, not its value?"""


class MistakesError(ValueError):
    """Everything that a check of one part of the config has found."""

    def __init__(self, found: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(mistake.message for mistake in found))
        self.found = found


def refuse(found: Iterable[Mistake]) -> None:
    """Raise what was found, all of it at once; nothing where all is well."""
    mistakes = tuple(found)
    if mistakes:
        raise MistakesError(mistakes)


def unknown(name: str, known: Mapping[Loc, str], where: str, loc: Loc) -> Mistake:
    """A name that no column has, with the nearest one that some column has; `known` says where each name stands."""
    names = list(dict.fromkeys(known.values()))
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names)}"
    return Mistake(f"there is no column {name!r} in {where}", loc, hint, depends=tuple(known))


def repeated(names: Iterable[str], what: str, loc: Loc) -> Iterable[Mistake]:
    """One mistake for each name that an array holds for the second time."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Mistake(f"{what} {name!r} is there twice", (*loc, index))
        seen.add(name)
