"""Dataset configs as screens: which there are, what one says, what is wrong in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pharmaetl.cli.output import json_text
from pharmaetl.cli.screen import Column, Facts, Lines, Part, Screen, Table, Value

if TYPE_CHECKING:
    from pharmaetl.api import DatasetView, Validation
    from pharmaetl.onboarding.new_dataset import NewDataset
    from pharmaetl.onboarding.scaffold_readme import TableNotes


def listed(views: Sequence[DatasetView]) -> Screen:
    """The datasets that can be run."""
    has_gold = any(view.gold for view in views)
    columns = (
        Column("dataset"),
        Column("organization"),
        Column("cadence"),
        Column("tables", wrap=True, drop=2),
        *([Column("gold tables", wrap=True, drop=3)] if has_gold else []),
        Column("description", wrap=True, drop=1),
        Column("path", wrap=True, drop=4),
    )
    rows = tuple(
        (
            view.dataset,
            view.organization,
            view.cadence,
            ", ".join(view.tables),
            *([", ".join(view.gold)] if has_gold else []),
            view.description,
            view.path,
        )
        for view in views
    )
    follow_up = f"run {views[0].dataset}" if views else ""
    return Screen({"datasets": [asdict(view) for view in views]}, (Table(columns, rows, "no datasets"),), follow_up)


def created(new: NewDataset) -> Screen:
    """What `dataset new` made: where it is, what it took each column for, and what a person should check."""
    made = " (made just now: there was none up from here)" if new.made_folder else ""
    facts: list[tuple[str, Value]] = [
        ("dataset", new.dataset),
        ("datasets folder", f"{new.folder.parent.parent}{made}"),
        *(("wrote", str(path)) for path in new.files),
        *(("check", remark) for remark in new.checks),
    ]
    data = {
        "dataset": new.dataset,
        "organization": new.organization,
        "path": str(new.folder),
        "made_datasets_folder": new.made_folder,
        "files": [str(path) for path in new.files],
        "tables": [_guessed(table) for table in new.tables],
        "checks": list(new.checks),
    }
    parts = [part for table in new.tables for part in _guess_parts(table)]
    return Screen(data, (Facts(tuple(facts)), *parts), f"run {new.dataset}")


def _guess_parts(table: TableNotes) -> tuple[Part, Part]:
    seen = _guessed(table)
    facts = tuple(
        (f"{table.name}.{name}", str(value)) for name, value in seen.items() if name not in {"name", "columns"}
    )
    columns = (Column("column"), Column("type"), Column("format"), Column("why", wrap=True, drop=1))
    rows = tuple((column["name"], column["type"], column["format"], column["why"]) for column in seen["columns"])
    return Facts(facts), Table(columns, rows)


def _guessed(table: TableNotes) -> dict[str, Any]:
    dialect, guess = table.survey.sniffed.dialect, table.guess
    return {
        "name": table.name,
        "member": table.member,
        "records_looked_at": len(table.survey.records) + table.survey.malformed,
        "all_records": table.survey.whole,
        "encoding": table.encoding,
        "delimiter": dialect.delimiter,
        "quote": dialect.quote,
        "header": dialect.header,
        "trailing_delimiter": dialect.trailing_delimiter,
        "key": list(guess.key),
        "columns": [
            {
                "name": column.name,
                "source": column.settings.get("source"),
                "type": column.settings.get("type", "string"),
                "format": column.settings.get("format"),
                "why": column.why,
                "check": column.check,
            }
            for column in guess.columns
        ],
    }


def shown(config: Mapping[str, Any]) -> Screen:
    """One dataset's config with its defaults filled in."""
    parts: list[Part] = [Facts(tuple(_scalars(config)))]
    for table in config.get("tables", ()):
        parts.append(Facts(tuple((f"table.{name}", value) for name, value in _scalars(table))))
        parts.append(_columns(table))
        parts += [_rules(table)] if table.get("quality") else []
    for table in config.get("gold", ()):
        parts.append(Facts(tuple((f"gold.{name}", value) for name, value in _scalars(table))))
        parts.append(_gold_columns(table))
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


def _gold_columns(table: Mapping[str, Any]) -> Table:
    columns = (Column("column"), Column("type"), Column("meaning", wrap=True))
    rows = tuple((column["name"], column.get("type"), column.get("description")) for column in table["columns"])
    return Table(columns, rows)


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
