"""A lake's published state as screens: status, publish log, files, lineage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from pharmaetl.cli import quantities
from pharmaetl.cli.screen import Column, Facts, Lines, Part, Screen, Table, Toned, Tree, Value, toned
from pharmaetl.cli.views.runs import verdict

if TYPE_CHECKING:
    from pharmaetl.api import DatasetStatus, LakeStatus, LineageNode, LineageView, ManifestView
    from pharmaetl.lake.documents import LogEntry, TableVersion
    from pharmaetl.lake.finding import Finding
    from pharmaetl.lake.pruned import Pruned


_TABLES = ("bronze", "silver", "quarantine", "gold")
"""Kinds of lineage nodes whose path says more than their label."""


def status(lake: LakeStatus) -> Screen:
    """Per dataset: what is published, how old it is, how the last run ended."""
    columns = (
        Column("dataset"),
        Column("version"),
        Column("rows", right=True),
        Column("quality"),
        Column("age"),
        Column("size", right=True, drop=1),
        Column("last run"),
        Column("run", drop=2),
    )
    rows = tuple(
        (
            dataset.dataset,
            dataset.version or Toned("not published", "dim"),
            dataset.rows,
            toned(dataset.quality),
            _age(dataset),
            quantities.size(dataset.bytes),
            toned(dataset.last_run.outcome if dataset.last_run else None),
            dataset.last_run.run_id if dataset.last_run else None,
        )
        for dataset in lake.datasets
    )
    unpublished = [dataset.dataset for dataset in lake.datasets if dataset.published_run_id is None]
    follow_up = f"run {unpublished[0]}" if unpublished else ""
    facts: tuple[tuple[str, Value], ...] = (("lake", lake.lake),)
    if lake.bytes is not None:
        facts += (("size", quantities.size(lake.bytes)),)
    return Screen(asdict(lake), (Facts(facts), Table(columns, rows, "no datasets")), follow_up)


def _age(dataset: DatasetStatus) -> Value:
    age = quantities.age(dataset.age_hours)
    return Toned(f"{age}, stale", "warn") if age and dataset.stale else age


def manifest(view: ManifestView) -> Screen:
    """The version that is current, table by table."""
    entry = view.current
    data = {"dataset": view.dataset, "current": None if entry is None else entry_data(entry), "entries": view.entries}
    if entry is None:
        return Screen(data, (Facts((("dataset", view.dataset), ("current", None))),), f"run {view.dataset}")
    parts: list[Part] = [_entry_facts(entry, view.entries), _table_files("table", entry.tables)]
    parts += [_table_files("gold table", entry.gold)] if entry.gold else []
    return Screen(data, tuple(parts), f"manifest verify {view.dataset}")


def _table_files(title: str, tables: Sequence[TableVersion]) -> Table:
    columns = (
        Column(title),
        Column("rows", right=True),
        Column("files", right=True),
        Column("size", right=True),
        Column("path", wrap=True),
    )
    rows = tuple(
        (table.name, table.rows, len(table.files), quantities.size(sum(file.bytes for file in table.files)), table.path)
        for table in tables
    )
    return Table(columns, rows)


def entry_data(entry: LogEntry) -> dict[str, Any]:
    """A log entry as JSON has it."""
    return entry.model_dump(mode="json", by_alias=True)


def _entry_facts(entry: LogEntry, entries: int) -> Facts:
    pairs: list[tuple[str, Value]] = [
        ("dataset", entry.dataset),
        ("entry", f"{entry.sequence} of {entries} ({entry.action})"),
        ("run", entry.run_id),
        ("version", entry.version),
        ("published", quantities.moment(entry.published_at)),
        ("source", entry.source.url),
        ("sha256", entry.source.sha256),
        ("released", entry.source.release_date),
        ("quality", verdict(entry.quality)),
        ("reason", entry.reason),
    ]
    return Facts(tuple((name, value) for name, value in pairs if value))


def history(dataset: str, entries: Sequence[LogEntry], pruned: Mapping[str, Pruned]) -> Screen:
    """The publish log of a dataset, and which of its versions have no files any more."""
    columns = (
        Column("entry", right=True),
        Column("action"),
        Column("run"),
        Column("published at", drop=2),
        Column("rows", right=True),
        Column("quality", drop=1),
        *([Column("files")] if pruned else []),
        Column("reason", wrap=True, drop=3),
    )
    rows = tuple(
        (
            entry.sequence,
            entry.action,
            entry.run_id,
            quantities.moment(entry.published_at),
            sum(table.rows for table in entry.tables),
            toned(entry.quality.verdict),
            *([Toned("pruned", "dim") if entry.run_id in pruned else "there"] if pruned else []),
            entry.reason,
        )
        for entry in entries
    )
    given_up = {run_id: found.pruned_at for run_id, found in pruned.items()}
    listed = [entry_data(entry) | {"pruned_at": given_up.get(entry.run_id)} for entry in entries]
    data = {"dataset": dataset, "entries": listed}
    return Screen(data, (Table(columns, rows, f"nothing published of {dataset} yet"),))


def verified(dataset: str, findings: Sequence[Finding]) -> Screen:
    """What is wrong with a dataset's log and files, if anything."""
    data = {"dataset": dataset, "ok": is_sound(findings), "findings": [asdict(finding) for finding in findings]}
    columns = (Column("severity"), Column("path", wrap=True), Column("problem", wrap=True), Column("repair", wrap=True))
    rows = tuple((toned(finding.severity), finding.path, finding.problem, finding.repair) for finding in findings)
    return Screen(data, (Table(columns, rows, f"{dataset}: log and files agree"),))


def is_sound(findings: Sequence[Finding]) -> bool:
    """Is nothing wrong that readers or a rollback would notice?"""
    return not any(finding.severity == "error" for finding in findings)


def rolled_back(entry: LogEntry, before: LogEntry | None) -> Screen:
    """The entry that made an older version current, and how to undo it."""
    undo = f"manifest rollback {entry.dataset} --to {before.run_id}" if before else ""
    data = {"dataset": entry.dataset, "current": entry_data(entry), "entries": entry.sequence}
    return Screen(data, (_entry_facts(entry, entry.sequence),), undo)


def paths(dataset: str, layer: str, found: Sequence[str]) -> Screen:
    """Where the current files of a layer are, one folder a line."""
    return Screen({"dataset": dataset, "layer": layer, "paths": list(found)}, (Lines(tuple(found)),))


def lineage(view: LineageView, form: Literal["tree", "mermaid", "openlineage"]) -> Screen:
    """Where a version came from, in one of three forms; as JSON always the whole."""
    data = asdict(view)
    match form:
        case "tree":
            return Screen(data, (_tree(view.root),))
        case "mermaid":
            return Screen(data, (Lines(("flowchart LR", *_mermaid(view.root))),))
        case "openlineage":
            return Screen(data, (Lines(tuple(json.dumps(event) for event in view.events)),))


def _tree(node: LineageNode) -> Tree:
    return Tree(Toned("  ".join(_words(node))), tuple(_tree(child) for child in node.children))


def _words(node: LineageNode) -> list[str]:
    rows = "" if node.rows is None else f"{node.rows:,} rows"
    path = node.path if node.kind in _TABLES else ""
    return [word for word in (node.kind, node.label, rows, node.detail.removeprefix("rows "), path) if word]


def _mermaid(root: LineageNode) -> Iterator[str]:
    """Nodes and the arrows to them: to a gold table from every silver one; a quote is what a label can't hold."""
    named = list(_named(root, "n", ""))
    silver = [name for name, node, _ in named if node.kind == "silver"]
    for name, node, above in named:
        label = "<br/>".join(word.replace('"', "#quot;") for word in _words(node)[:4])
        yield f'  {name}["{label}"]'
        for source in silver if node.kind == "gold" else [above] if above else []:
            yield f"  {source} --> {name}"


def _named(node: LineageNode, name: str, above: str) -> Iterator[tuple[str, LineageNode, str]]:
    """Every node under a name of its own, with the name of the one above it."""
    yield name, node, above
    for index, child in enumerate(node.children):
        yield from _named(child, f"{name}_{index}", name)
