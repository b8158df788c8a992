"""Changes of a source that somebody has accepted: `contracts/<dataset>/00000001.json` and on, the newest one holds."""

from __future__ import annotations

import difflib
import getpass
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pharmaetl.config.column import folded
from pharmaetl.config.dataset_config import DatasetConfig, Table
from pharmaetl.errors import ConflictError, RefusedError, UsageError
from pharmaetl.lake import documentfile, layout
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.schema import Acceptance, AcceptedHeader, TableProfile
from pharmaetl.lake.storage import Storage
from pharmaetl.text.header import HeaderMatch, snake_case

Headers = dict[str, tuple[str, ...]]
"""Header texts by table."""


def newest(storage: Storage, dataset: str) -> Acceptance | None:
    """What holds now; None where nothing was ever accepted. CorruptLogError where it can't be read."""
    path = next((path for path in reversed(_entries(storage, dataset))), None)
    return documentfile.decode(Acceptance, path, storage.read(path)) if path else None


def accepted_headers(storage: Storage, dataset: str) -> Headers:
    """The accepted header of each table that has one."""
    acceptance = newest(storage, dataset)
    return {table.table: table.header for table in acceptance.tables} if acceptance else {}


def agreed(found: HeaderMatch, table: Table, accepted: Sequence[str] | None) -> HeaderMatch:
    """A match of which nothing that was accepted is remarked upon any more."""
    if accepted is None:
        return found
    keys = [folded(text) for text in accepted]
    usual = [name for name in _names(accepted, table) if name in found.names]
    order = [name for name in found.names if name in usual]
    return replace(
        found,
        accepted=tuple(text for text in found.extras if folded(text) in keys),
        absent=tuple(name for name in found.absent if name in _names(accepted, table)),
        reordered=found.reordered and order != usual,
    )


def accept(
    storage: Storage, config: DatasetConfig, record: RunRecord, *, columns: Sequence[str], reason: str
) -> Acceptance:
    """Record that the headers which a run met are meant to be so; with `columns`, those headers alone.

    Raises UsageError where there is nothing of the kind to accept, RefusedError for what can't be accepted, such as a
    missing required column, ConflictError where somebody else accepts something at the same moment.
    """
    before = newest(storage, config.dataset)
    known: Headers = {table.table: table.header for table in before.tables} if before else {}
    tables = {table.name: table for table in config.tables}
    served = [profile for profile in record.profiles if profile.header is not None and profile.table in tables]
    expected = {name: known.get(name) or _usual(table) for name, table in tables.items()}
    if columns:
        changed = _with_columns(columns, served, tables, expected)
    else:
        changed = {
            profile.table: _acceptable(profile, config.dataset)
            for profile in served
            if _differs(profile, tables[profile.table], expected[profile.table])
        }
    if not changed:
        raise UsageError(
            f"nothing to accept: the headers that {record.run_id} met are the expected ones",
            hint=f"pharmaetl dataset drift {config.dataset} shows what else has changed",
        )
    acceptance = Acceptance(
        dataset=config.dataset,
        sequence=before.sequence + 1 if before else 1,
        accepted_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        accepted_by=_who(),
        reason=reason,
        run_id=record.run_id,
        columns=tuple(columns),
        tables=tuple(AcceptedHeader(table=name, header=header) for name, header in (known | changed).items()),
    )
    if not storage.create(layout.contract_entry(config.dataset, acceptance.sequence), documentfile.encode(acceptance)):
        raise ConflictError("somebody else has accepted a change at the same moment", hint="look at it, then try again")
    return acceptance


def _entries(storage: Storage, dataset: str) -> list[str]:
    """The paths of what was accepted, oldest first."""
    folder = layout.contract_dir(dataset)
    numbers = [stored.path.removeprefix(f"{folder}/").removesuffix(".json") for stored in storage.list(folder)]
    return [layout.contract_entry(dataset, int(n)) for n in sorted(numbers) if len(n) == 8 and n.isdecimal()]


def _usual(table: Table) -> tuple[str, ...]:
    """The header that the config describes."""
    return tuple(column.headers[0] for column in table.source_columns)


def _known(table: Table) -> dict[str, str]:
    """The config's column for every header text that it knows."""
    return {folded(text): column.name for column in table.source_columns for text in column.headers}


def _names(header: Sequence[str], table: Table) -> list[str]:
    """The config's columns that a header has, in its order."""
    known = _known(table)
    return [known[folded(text)] for text in header if folded(text) in known]


def _differs(profile: TableProfile, table: Table, expected: Sequence[str]) -> bool:
    """Has the served header other columns, or another order? Aliases are no difference."""
    known = _known(table)
    served, usual = ([known.get(key, key) for key in map(folded, texts)] for texts in (profile.header or (), expected))
    return served != usual


def _acceptable(profile: TableProfile, dataset: str) -> tuple[str, ...]:
    """The served header, if a run could work with it."""
    header = profile.header or ()
    keys = [folded(text) for text in header]
    if profile.missing:
        raise _required(profile.missing[0], profile.table)
    if "" in keys or len(set(keys)) < len(keys):
        raise RefusedError(
            f"the header of {profile.table} can't be accepted: a cell is empty, or a header is there twice",
            hint=f"the source is damaged: pharmaetl run {dataset} again later",
        )
    return header


def _required(column: str, table: str) -> RefusedError:
    return RefusedError(
        f"column {column} of {table} is required, so its absence can't be accepted",
        hint="in the config, add the new header to the column's `aliases`, or set its `optional` to true",
    )


def _with_columns(
    wanted: Sequence[str], served: Sequence[TableProfile], tables: dict[str, Table], expected: Headers
) -> Headers:
    """The expected headers with the named changes: an unknown column that is there, or an optional one that isn't."""
    changed: Headers = {}
    for name in wanted:
        hits = list(_changes_named(name, served, tables))
        if not hits:
            raise _unknown(name, served, tables)
        for table, header, is_new in hits:
            base = [text for text in changed.get(table, expected[table]) if folded(text) != folded(header)]
            changed[table] = (*base, header) if is_new else tuple(base)
    return changed


def _changes_named(
    name: str, served: Sequence[TableProfile], tables: dict[str, Table]
) -> Iterator[tuple[str, str, bool]]:
    """Table and header text of every change that a name means, and whether the column is new (or else gone)."""
    for profile in served:
        for header, known in zip(profile.header or (), profile.names, strict=True):
            if known is None and name in {header, snake_case(header)}:
                yield profile.table, header, True
        for column in tables[profile.table].source_columns:
            if column.name in profile.names or name not in {column.name, *column.headers}:
                continue
            if not column.optional:
                raise _required(column.name, profile.table)
            yield profile.table, column.headers[0], False


def _unknown(name: str, served: Sequence[TableProfile], tables: dict[str, Table]) -> UsageError:
    candidates = [
        header
        for profile in served
        for header, known in zip(profile.header or (), profile.names, strict=True)
        if known is None
    ]
    candidates += [
        column.headers[0]
        for profile in served
        for column in tables[profile.table].source_columns
        if column.optional and column.name not in profile.names
    ]
    near = difflib.get_close_matches(name, candidates, n=3, cutoff=0.4) or candidates[:5]
    return UsageError(
        f"column {name!r} is neither new nor gone",
        hint=f"to accept: {', '.join(near)}" if near else "there is nothing to accept",
    )


def _who() -> str:
    """User and machine; a container may have no name for its user."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
