"""What pydantic finds in a config, in the words of somebody who writes one."""

from __future__ import annotations

import difflib
import json
import re
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.config.mistakes import Loc, Mistake
from pharmaetl.secret import redact

_UNION_PARTS = frozenset({"str", "int", "float"})
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "an array [ … ]",
    "model_type": "an object { … }",
    "too_short": "at least one item",
}


def dotted(loc: Loc) -> str:
    """A place as one reads it: tables.0.columns.3.name."""
    return ".".join(str(part) for part in loc) or "the config"


def mistake(item: Any) -> Mistake:
    """One of pydantic's errors: place, what is wrong, what was expected, the nearest right word."""
    kind, loc = item["type"], item["loc"]
    if kind == "missing":
        field = _field_at(loc)
        return Mistake(f"{dotted(loc)} is missing", loc, (field.description if field else None) or "")
    if kind == "value_error":
        return Mistake(f"{dotted(loc)}: {item['ctx']['error']}", loc)
    if kind == "extra_forbidden":
        hint = _nearest(str(loc[-1]), _keys_at(loc[:-1]))
        return Mistake(f"{dotted(loc)} is no known key", loc, hint, of_key=True)
    if loc[-1:] and loc[-1] in _UNION_PARTS and len(loc) > 1 and isinstance(loc[-2], int):
        return Mistake(f"{dotted(loc[:-1])}: expected a text or a number, not {_found(item)}", loc[:-1])
    return Mistake(f"{dotted(loc)}: expected {_expected(item)}, not {_found(item)}", loc, _hint(item))


def syntax_hint(error: json.JSONDecodeError) -> str:
    """What usually stands where JSON's grammar is broken."""
    if not error.doc.strip():
        return "the file is empty"
    before, after = error.doc[: error.pos].rstrip(), error.doc[error.pos :]
    if after.startswith(("//", "/*", "#")):
        return "JSON has no comments"
    if after.startswith("'"):
        return "JSON quotes with double quotes"
    if before.endswith(",") and after.startswith(("}", "]")):
        return "no comma after the last item"
    return ""


def _expected(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"]).replace("'", '"')
    if kind == "string_pattern_mismatch":
        letters = int(re.findall(r"\d+", context["pattern"])[-1]) + 1
        return f"lower-case letters, digits and _, a letter first, at most {letters} characters"
    if kind in {"string_too_short", "string_too_long"}:
        return {"member": "a path pattern", "quote": "one character or none"}.get(item["loc"][-1], "one character")
    if kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return _range(item["loc"])
    if kind == "too_long":
        return f"{context['max_length']} items"
    text = str(item["msg"])
    return _KINDS.get(kind) or f"{text[:1].lower()}{text[1:]}".removeprefix("input should be ")


def _range(loc: Loc) -> str:
    field = _field_at(loc)
    limits: dict[str, Any] = {}
    for rule in field.metadata if field else ():
        limits |= {key: getattr(rule, key) for key in ("ge", "gt", "le") if hasattr(rule, key)}
    if "ge" in limits and "le" in limits:
        return f"a number from {limits['ge']} to {limits['le']}"
    if "ge" in limits:
        return f"a number, at least {limits['ge']}"
    return f"a number above {limits['gt']}" if "gt" in limits else "a number in range"


def _found(item: Any) -> str:
    text = redact(json.dumps(item["input"], ensure_ascii=False, default=str))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _hint(item: Any) -> str:
    if item["type"] == "literal_error" and isinstance(item["input"], str):
        near = difflib.get_close_matches(item["input"], re.findall(r"'([^']*)'", item["ctx"]["expected"]), n=1)
        return f"did you mean {near[0]}?" if near else ""
    if item["type"] in {"less_than_equal", "greater_than_equal"} and dotted(item["loc"]).endswith(
        ("threshold", "fraction")
    ):
        return "a fraction: 0.1 means 10 %"
    return ""


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def _keys_at(loc: Loc) -> list[str]:
    """The keys that are known at a place of the config."""
    return list(_model_at(loc).model_fields)


def _field_at(loc: Loc) -> FieldInfo | None:
    """The description of the field at a place of the config."""
    return _model_at(loc[:-1]).model_fields.get(str(loc[-1])) if loc else None


def _model_at(loc: Loc) -> type[BaseModel]:
    model: type[BaseModel] = DatasetConfig
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := _model_in(argument)) is not None:
            return found
    return None
