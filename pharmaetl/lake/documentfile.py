"""How the lake's JSON documents are written, and read back with an error that says what is wrong with them."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from pharmaetl.errors import CorruptLogError
from pharmaetl.lake.document import FORMAT, Document

AnyDocument = TypeVar("AnyDocument", bound=Document)

_HINT = (
    "`pharmaetl manifest verify DATASET` lists what is wrong; `pharmaetl doctor --repair` rebuilds what is derived, "
    "anything else has to come back from a backup"
)


def encode(document: Document) -> bytes:
    """The document as indented JSON in UTF-8."""
    return document.model_dump_json(indent=2, by_alias=True).encode() + b"\n"


def decode(model: type[AnyDocument], path: str, data: bytes) -> AnyDocument:
    """The document in a file of the lake. Raises CorruptLogError that names the file and what is wrong in it."""
    value = _json_object(path, data)
    _refuse_newer(path, value.get("format", FORMAT))
    try:
        # strict: a number in quotes, or true for 1, is damage, not a way of writing
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise corrupt(path, f"{_printable(where)}: {first['msg']}") from error


def corrupt(path: str, problem: str, *, hint: str = _HINT) -> CorruptLogError:
    """The error for a document of the lake that can't be relied on."""
    return CorruptLogError(f"{path}: {problem}", hint=hint)


def _json_object(path: str, data: bytes) -> dict[str, Any]:
    if not data.strip():
        raise corrupt(path, "the file is empty")
    try:
        value = json.loads(data, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        truncated = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
        problem = "truncated" if truncated else "not JSON"
        raise corrupt(path, f"{problem} (line {error.lineno}, column {error.colno}: {error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise corrupt(path, f"not JSON ({error})") from error
    if not isinstance(value, dict):
        raise corrupt(path, "not a JSON object")
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {_printable(twice)!r} is there twice")
    return found


def _printable(text: str) -> str:
    """A text on one line, whatever a damaged file holds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _refuse_newer(path: str, found: object) -> None:
    if type(found) is not int or found < 1:
        raise corrupt(path, f"format {str(found)[:40]!r} is no number of a format")
    if found > FORMAT:
        raise corrupt(
            path,
            f"written in format {found}; this pharmaetl reads formats up to {FORMAT}",
            hint="install a newer pharmaetl",
        )
