"""Read a config file; every error at once, each with file:line:column, what was expected and the nearest right key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pharmaetl.config import standin, wording
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.config.jsontext import Outline, outline
from pharmaetl.config.mistakes import Loc, Mistake, MistakesError
from pharmaetl.errors import ConfigError

MAX_CONFIG_BYTES = 4 * 1024**2
_SHOWN = 50
"""Problems that an error message lists."""
_MOST = 1000
"""Problems that are looked into: a file with more of them is another kind of file."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a config file, with its place (1-based)."""

    path: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """One line, whatever the file's keys and values hold."""
        text = f"{self.path}:{self.line}:{self.column}: {self.message}"
        return _one_line(f"{text} ({self.hint})" if self.hint else text)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class InvalidConfigError(ConfigError):
    """A config file that can't be used, with all its problems."""

    code = "config_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = [str(problem) for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            lines.append(f"… and {len(problems) - _SHOWN} more")
        super().__init__("\n".join(lines), hint="mend the file, then: pharmaetl dataset validate")
        self.problems = tuple(problems)


def read(path: Path, *, folder: str | None = None) -> DatasetConfig:
    """The config in a file; InvalidConfigError with every problem in it. `folder` is the name that it must give."""
    return parse(_text_of(path), str(path), folder=folder)


def parse(text: str, name: str, *, folder: str | None = None) -> DatasetConfig:
    """The config in a text; `name` is what error messages call the file."""
    found = outline_of(text, name)
    data = json.loads(text)
    if not isinstance(data, dict):
        raise InvalidConfigError([Problem(name, 1, 1, "expected an object { … } with the dataset's settings")])
    problems = [
        Problem(name, *found.position(offset), f"key {key!r} is there twice in one object")
        for offset, key in found.repeated
    ]
    config, mistakes = _validated(data)
    if folder is not None and config is not None and config.dataset != folder:
        wrong = f"dataset is {config.dataset!r}, but its folder is {folder!r}: they must be the same"
        mistakes.append(Mistake(wrong, ("dataset",)))
    for mistake in mistakes:
        place = found.place(mistake.loc, of_key=mistake.of_key)
        problems.append(Problem(name, *place, mistake.message, mistake.hint))
    if problems or config is None:
        ordered = sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column))
        raise InvalidConfigError(ordered)
    return config


def outline_of(text: str, name: str) -> Outline:
    """Where the values of a JSON text stand; InvalidConfigError where it isn't JSON that every reader takes."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        problem = Problem(name, error.lineno, error.colno, f"not JSON: {error.msg}", wording.syntax_hint(error))
        raise InvalidConfigError([problem]) from None
    except (ValueError, RecursionError):
        pass  # a number of thousands of digits, or too deep: the outline says where
    found = outline(text)
    if found.doubtful:
        raise InvalidConfigError(
            [Problem(name, *found.position(offset), f"not JSON: {what}") for offset, what in found.doubtful]
        )
    return found


def _validated(data: dict[str, Any]) -> tuple[DatasetConfig | None, list[Mistake]]:
    """The config, or all that is wrong with it.

    What stands between parts is checked only where every part is sound by itself. So we look again without what is
    known to be wrong, and keep what doesn't follow from having left that out, until nothing new comes.
    """
    mistakes: list[Mistake] = []
    while True:
        known = [mistake.loc for mistake in mistakes]
        try:
            config = DatasetConfig.model_validate_json(json.dumps(standin.without(data, known) if known else data))
        except ValidationError as error:
            found = _mistakes_in(error, checks_only=bool(known))
            new = [mistake for mistake in found if not _follows(mistake, known)]
        else:
            return (None if known else config), mistakes
        if not new:
            return None, mistakes
        mistakes += new


def _mistakes_in(error: ValidationError, *, checks_only: bool = False) -> Iterator[Mistake]:
    items = error.errors(include_url=False)[:_MOST]
    for item in items:
        if item["type"] == "too_short" and any(_inside(other["loc"], item["loc"]) for other in items):
            continue
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, MistakesError):
            for found in cause.found:
                loc = (*item["loc"], *found.loc)
                depends = tuple((*item["loc"], *other) for other in found.depends)
                yield Mistake(f"{wording.dotted(loc)}: {found.message}", loc, found.hint, depends)
        elif not checks_only:
            yield wording.mistake(item)


def _inside(loc: Loc, outer: Loc) -> bool:
    return len(loc) > len(outer) and loc[: len(outer)] == outer


def _follows(mistake: Mistake, known: Sequence[Loc]) -> bool:
    """Does a mistake stand at or around one that is known, or rest on it?"""
    places = (mistake.loc, *mistake.depends)
    return any(loc == place or _inside(loc, place) or _inside(place, loc) for loc in known for place in places)


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise InvalidConfigError([Problem(str(path), 1, 1, f"can't be read: {error.strerror}")]) from error
    if len(data) > MAX_CONFIG_BYTES:
        raise InvalidConfigError([Problem(str(path), 1, 1, f"larger than {MAX_CONFIG_BYTES} bytes: no config file")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        problem = Problem(
            str(path), line, column, f"not UTF-8: byte 0x{error.object[error.start]:02x}", "save the file as UTF-8"
        )
        raise InvalidConfigError([problem]) from None
