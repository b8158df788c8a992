"""Do gold tables have functions, and names of their own? transforms.py is read, not run: it imports pyspark."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pharmaetl.config.configfile import Problem, outline_of
from pharmaetl.config.dataset_config import GoldTable

_EXAMPLE = "def {}(tables, as_of): …"


@dataclass
class _Names:
    """What a module binds at its top level."""

    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    """Imported or assigned: they may be functions."""
    imports_all: bool = False
    """`from … import *`: it may have any name."""


def problems(gold: Sequence[GoldTable], config: Path, transforms: Path) -> Iterator[Problem]:
    """What keeps the gold tables of a config from being made, each with its place in the config or in transforms.py."""
    if not gold:
        return
    outline = outline_of(config.read_text("utf-8-sig"), str(config))
    places = [outline.place(("gold", index, "name")) for index in range(len(gold))]
    if not transforms.is_file():
        message = f"gold.0.name: gold table {gold[0].name} is made by transforms.py, which {transforms.parent} lacks"
        hint = f"write {transforms.name} there, with {_EXAMPLE.format(f'gold_{gold[0].name}')}"
        yield Problem(str(config), *places[0], message, hint)
        return
    try:
        names = _bound(ast.parse(transforms.read_bytes()).body, _Names())
    except SyntaxError as error:
        yield Problem(str(transforms), error.lineno or 1, error.offset or 1, f"not Python: {error.msg}")
        return
    except ValueError as error:  # a NUL
        yield Problem(str(transforms), 1, 1, f"not Python: {error}")
        return
    for index, table in enumerate(gold):
        name = f"gold_{table.name}"
        function = names.functions.get(name)
        if function is not None and not _takes_two(function.args):
            message = f"{name} must take two arguments, the tables and the day"
            yield Problem(str(transforms), function.lineno, function.col_offset + 1, message, _EXAMPLE.format(name))
        elif function is None and name not in names.others and not names.imports_all:
            near = difflib.get_close_matches(name, names.functions, n=1)
            hint = f"did you mean {near[0]}?" if near else _EXAMPLE.format(name)
            message = f"gold.{index}.name: {transforms.name} has no function {name}"
            yield Problem(str(config), *places[index], message, hint)


def _bound(body: Sequence[ast.stmt], names: _Names) -> _Names:
    """The names of a module, in `if` and `try` at its top level too."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name):
                names.functions[name] = statement
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.others |= {alias.asname or alias.name for alias in aliases}
                names.imports_all = names.imports_all or any(alias.name == "*" for alias in aliases)
            case ast.Assign() | ast.AnnAssign():
                names.others |= set(_assigned(statement))
            case ast.If() | ast.Try() | ast.With():
                for inner in ("body", "orelse", "finalbody"):
                    _bound(getattr(statement, inner, []), names)
                for handler in getattr(statement, "handlers", []):
                    _bound(handler.body, names)
    return names


def _assigned(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _takes_two(arguments: ast.arguments) -> bool:
    """Can it be called with two values in order, and perhaps `released` by its name?"""
    places = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    needed = set(places[2 : len(places) - len(arguments.defaults)])
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    needed |= {argument.arg for argument, default in pairs if default is None}
    return (len(places) >= 2 or arguments.vararg is not None) and needed <= {"released"}


def claimed_twice(gold: Sequence[GoldTable], config: Path, others: Sequence[Path]) -> Iterator[Problem]:
    """Gold tables that another dataset's config names too: in the lake they would lie in one folder."""
    if not gold:
        return
    claims = {name: other for other in others for name in _gold_names(other)}
    outline = outline_of(config.read_text("utf-8-sig"), str(config))
    for index, table in enumerate(gold):
        if table.name in claims:
            message = f"gold.{index}.name: {table.name} is a gold table of another dataset too: {claims[table.name]}"
            yield Problem(str(config), *outline.place(("gold", index, "name")), message, "rename one of them")


def _gold_names(config: Path) -> tuple[str, ...]:
    """The gold tables that a config file names, whatever else is in it; none where it can't be read."""
    try:
        data = json.loads(config.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return ()
    tables = data.get("gold") if isinstance(data, dict) else None
    listed = tables if isinstance(tables, list) else []
    return tuple(str(table["name"]) for table in listed if isinstance(table, dict) and "name" in table)
