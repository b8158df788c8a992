"""A config without its wrong parts, so that what stands between the sound ones can be checked all the same."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, get_args

from pharmaetl.config.column import ColumnType
from pharmaetl.config.mistakes import Loc

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def without(data: dict[str, Any], wrong: Sequence[Loc]) -> dict[str, Any]:
    """A copy in which what is wrong is left out, or replaced by something harmless where it can't be missing."""
    mended: dict[str, Any] = json.loads(json.dumps(data))
    for loc in wrong:
        match loc:
            case ("tables", int(table), "columns", int(index), *rest):
                columns = mended["tables"][table]["columns"]
                columns[index] = _column(_less(columns[index], *rest[:1]), index)
            case ("tables", int(table), "quality", int(index), *rest):
                rules = mended["tables"][table]["quality"]
                rules[index] = _rule(_less(rules[index], *rest[:1]))
            case ("tables", int(table), str(key), *_):
                mended["tables"][table] = {"name": f"table_{table}"} | _less(mended["tables"][table], key)
            case ("data_quality", str(key), *_):
                mended["data_quality"] = _less(mended["data_quality"], key)
            case (str(key), *_) if key != "tables":
                mended = _less(mended, key)
    return {"dataset": "x", "source_url": "x"} | mended


def _less(part: Any, *keys: int | str) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in keys} if isinstance(part, dict) else {}


def _column(given: dict[str, Any], index: int) -> dict[str, Any]:
    """A sound column that is mentioned by the same name and found by the same header."""
    stand_in = {"name": f"column_{index}", "source": f"stand-in {index}"}
    if _is_name(given.get("name")):
        stand_in["name"] = given["name"]
    if given.get("type") in get_args(ColumnType):
        stand_in["type"] = given["type"]
    if isinstance(given.get("source"), str) and given["source"].strip() and "derived" not in given:
        stand_in["source"] = given["source"]
    return stand_in


def _rule(given: dict[str, Any]) -> dict[str, Any]:
    """A sound rule that mentions the same columns."""
    columns = given.get("columns")
    if _is_name(given.get("column")):
        return {"rule": "IsComplete", "column": given["column"]}
    if isinstance(columns, list) and columns and all(_is_name(name) for name in columns):
        return {"rule": "IsUnique", "columns": list(dict.fromkeys(columns))}
    return {"rule": "RowCount", "between": [0, 1]}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None
