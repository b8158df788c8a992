"""Where the rows of a run came from, as a tree: URL → raw file → bronze → silver and quarantine; gold beside bronze.

A gold table is made from several silver ones, so it stands in the tree after them, below the source of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pharmaetl import lineage
from pharmaetl.lake import layout
from pharmaetl.lake.documents import RunRecord, TableResult
from pharmaetl.lake.storage import Storage


@dataclass(frozen=True)
class LineageNode:
    """One thing that rows passed through."""

    kind: Literal["url", "raw", "bronze", "silver", "quarantine", "gold", "run"]
    label: str
    path: str | None
    rows: int | None
    detail: str
    children: tuple[LineageNode, ...] = ()


@dataclass(frozen=True)
class LineageView:
    """A run's lineage, as a tree and as OpenLineage events."""

    dataset: str
    run_id: str
    root: LineageNode
    events: tuple[dict[str, Any], ...]


def view(storage: Storage, record: RunRecord) -> LineageView:
    """The lineage of a run, from its record."""
    source = record.source
    silver = ", ".join(table.name for table in record.tables if table.rows_published)
    tables = [_bronze(record, table) for table in record.tables]
    tables += [LineageNode("gold", made.name, made.path, made.rows, f"from {silver}") for made in record.gold]
    raw = LineageNode(
        "raw",
        f"sha256 {source.sha256 or 'unknown'}",
        layout.raw_dir(record.dataset, source.sha256) if source.sha256 else None,
        None,
        ", ".join(f"{member.name} ({member.bytes:,} bytes)" for member in source.members),
        tuple(tables),
    )
    fetched = f"fetched {source.fetched_at}" if source.fetched_at else ""
    url = LineageNode("url", source.url, None, None, f"{source.bytes or 0:,} bytes, {fetched}".rstrip(", "), (raw,))
    root = LineageNode(
        "run", record.run_id, layout.run_record(record.dataset, record.run_id), None, record.outcome, (url,)
    )
    return LineageView(record.dataset, record.run_id, root, tuple(lineage.events_of(storage, record)))


def _level(table: TableResult) -> str | None:
    """The table's folder level, as its silver path has it: silver/<dataset>[/<table>]/version=…"""
    return table.name if table.path.split("/")[2:3] == [table.name] else None


def _bronze(record: RunRecord, table: TableResult) -> LineageNode:
    level = _level(table)
    duplicates = f"{table.rows_duplicate:,} exact duplicates left out" if table.rows_duplicate else ""
    children = [LineageNode("silver", table.name, table.path, table.rows_published, duplicates)]
    if table.rows_quarantined:
        rules = ", ".join(f"{rule}: {rows:,}" for rule, rows in table.rules.items())
        path = layout.quarantine_dir(record.dataset, level, record.run_id)
        children.append(LineageNode("quarantine", table.name, path, table.rows_quarantined, rules))
    return LineageNode(
        "bronze",
        table.name,
        layout.bronze_dir(record.dataset, level, record.run_id),
        table.rows_read,
        "",
        tuple(children),
    )
