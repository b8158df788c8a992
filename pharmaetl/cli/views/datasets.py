"""Dataset configs as screens: which there are, what one says, what is wrong in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pharmaetl.cli.output import json_text
from pharmaetl.cli.screen import Column, Facts, Lines, Part, Screen, Table, Value

if TYPE_CHECKING:
    from pharmaetl.api import DatasetView, Validation


def listed(views: Sequence[DatasetView]) -> Screen:
    """The datasets that can be run."""
    columns = (
        Column("dataset"),
        Column("organization"),
        Column("cadence"),
        Column("tables", wrap=True, drop=2),
        Column("description", wrap=True, drop=1),
    )
    rows = tuple(
        (view.dataset, view.organization, view.cadence, ", ".join(view.tables), view.description) for view in views
    )
    follow_up = f"run {views[0].dataset}" if views else ""
    return Screen({"datasets": [asdict(view) for view in views]}, (Table(columns, rows, "no datasets"),), follow_up)


def shown(config: Mapping[str, Any]) -> Screen:
    """One dataset's config with its defaults filled in."""
    parts: list[Part] = [Facts(tuple(_scalars(config)))]
    for table in config.get("tables", ()):
        parts.append(Facts(tuple((f"table.{name}", value) for name, value in _scalars(table))))
        parts.append(_columns(table))
        parts += [_rules(table)] if table.get("quality") else []
    return Screen(config, tuple(parts))


def _scalars(settings: Mapping[str, Any]) -> list[tuple[str, Value]]:
    """The settings that fit on a line, nested ones under dotted names; unset ones are left out."""
    pairs: list[tuple[str, Value]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            pairs += [(f"{name}.{inner}", text) for inner, text in _scalars(value)]
        elif isinstance(value, (list, tuple)):
            if value and all(isinstance(item, str) for item in value):
                pairs.append((name, ", ".join(value)))
        elif value not in (None, ""):
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return pairs


def _columns(table: Mapping[str, Any]) -> Table:
    columns = (Column("column"), Column("type"), Column("from", wrap=True), Column("format", drop=1))
    rows = tuple(
        (column["name"], column.get("type"), _origin(column), column.get("format"))
        for column in table.get("columns", ())
    )
    return Table(columns, rows, "no columns")


def _rules(table: Mapping[str, Any]) -> Table:
    columns = (
        Column("rule"),
        Column("about", wrap=True),
        Column("demands", wrap=True),
        Column("share", right=True, drop=1),
        Column("otherwise"),
    )
    rows = tuple(
        (
            rule["rule"],
            rule.get("column") or ", ".join(rule.get("columns") or ()),
            _demand(rule),
            str(rule.get("threshold", "")),
            rule["on_fail"] if rule.get("on_fail") == "quarantine" else rule.get("severity"),
        )
        for rule in table["quality"]
    )
    return Table(columns, rows)


def _demand(rule: Mapping[str, Any]) -> str:
    """What the values must be, as far as the rule's name doesn't say it."""
    between = " to ".join(str(limit) for limit in rule.get("between") or ())
    where = f"where {rule['where']}" if rule.get("where") else ""
    return " ".join(
        text for text in (rule.get("matches") or "", ", ".join(rule.get("values") or ()), between, where) if text
    )


def _origin(column: Mapping[str, Any]) -> str | None:
    if derived := column.get("derived"):
        return f"{derived['function']} of {derived['source']}"
    return " | ".join(text for text in (column.get("source"), *column.get("aliases", ())) if text) or None


def validated(validations: Sequence[Validation]) -> Screen:
    """Every problem of every config, as file:line:column: message."""
    files = [
        {
            "path": validation.path,
            "ok": not validation.problems,
            "problems": [asdict(problem) for problem in validation.problems],
        }
        for validation in validations
    ]
    lines = [
        line
        for validation in validations
        for line in (map(str, validation.problems) if validation.problems else (f"{validation.path}: ok",))
    ]
    return Screen({"ok": all(file["ok"] for file in files), "files": files}, (Lines(tuple(lines)),))


def schema(document: Mapping[str, Any]) -> Screen:
    """The JSON Schema of a config, as JSON also for people: it is for editors."""
    return Screen(document, (Lines(tuple(json_text(document).splitlines())),))
