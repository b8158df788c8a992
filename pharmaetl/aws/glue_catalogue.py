"""The Glue catalogue as Athena reads it: what the manifest says, and nothing else.

| table | points at |
|---|---|
| `<table>`, silver and gold | its folder of the current version, after a rollback the old one again |
| `<table>_bronze` | bronze of every published run, one partition `run` each, registered one by one |

The publish log is the truth and the catalogue follows it: `refresh` brings it up to date from whatever state it is in,
as often as one likes. The sequence of the log entry stands in each table's parameters, so that whoever comes late with
an older version changes nothing; `UpdateTable` names the version of the table that was read, so that of two that come
at once one looks again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl.aws.account import Account, speaking
from pharmaetl.aws.glue_tables import DATASET, RUN, SEQUENCE, bronze_folder, partition, table_input
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.errors import UnavailableError
from pharmaetl.lake import publishlog
from pharmaetl.lake.documents import LogEntry, TableVersion
from pharmaetl.lake.storage import Storage

if TYPE_CHECKING:
    from mypy_boto3_glue.client import GlueClient

_CROSSED = frozenset({"ConcurrentModificationException", "VersionMismatchException", "AlreadyExistsException"})
_ATTEMPTS = 5
_AT_ONCE = 100
"""Partitions in one BatchCreatePartition (Glue API)."""


def refresh(storage: Storage, config: DatasetConfig, client: GlueClient | None = None) -> LogEntry | None:
    """Bring a dataset's tables and partitions up to its publish log; the entry they show, None before there is one.

    Raises UnavailableError, DeniedError or UsageError where Glue can't be asked, refuses, or lacks the database.
    """
    current = publishlog.current(storage, config.dataset)
    if current is None:
        return None
    account = Account.of_environment()
    database = DatasetNames(config, account.prefix).database
    catalogue = _Catalogue(client or account.client("glue"), database, storage, current)
    with speaking("glue:UpdateTable", absent="pharmaetl aws deploy makes the database"):
        for table in current.tables:
            catalogue.show_current(table)
            catalogue.show_bronze(table)
        for table in current.gold:
            catalogue.show_current(table)
        catalogue.drop_vanished({table.name for table in current.all_tables})
    return current


@dataclass(frozen=True)
class _Catalogue:
    """A dataset's database, to be brought to one entry of its log."""

    client: GlueClient
    database: str
    storage: Storage
    current: LogEntry

    def show_current(self, table: TableVersion) -> None:
        """Let the table point at the version's folder."""
        location = self.storage.url(table.path)
        self._settle(table.name, lambda _: table_input(self.current, table.name, location, table.schema_))

    def show_bronze(self, table: TableVersion) -> None:
        """Register a partition for each version published since the last time, then note how far that got."""
        name = f"{table.name}_bronze"
        known = self._table(name)
        done = _sequence(known)
        if done >= self.current.sequence:
            return
        folder = self.storage.url(bronze_folder(table.path))
        columns = _all_columns(self._bronze_columns(table), known)
        if known is None:
            self._settle(name, lambda _: table_input(self.current, name, folder, columns, partitioned=True, sequence=0))
        self._add_partitions(name, list(self._partitions(table.name, done, columns)))
        self._settle(
            name, lambda now: table_input(self.current, name, folder, _all_columns(columns, now), partitioned=True)
        )

    def drop_vanished(self, there: set[str]) -> None:
        """Take away tables that the current version doesn't have any more, but bronze; their data stays in the lake."""
        for page in self.client.get_paginator("get_tables").paginate(DatabaseName=self.database):
            for table in page["TableList"]:
                owner = table.get("Parameters", {}).get(DATASET)
                is_ours = owner == self.current.dataset and not table.get("PartitionKeys")
                if is_ours and table["Name"] not in there and _sequence(dict(table)) < self.current.sequence:
                    self.client.delete_table(DatabaseName=self.database, Name=table["Name"])

    def _bronze_columns(self, table: TableVersion) -> dict[str, str]:
        """Names and types of the current version's bronze columns, from its smallest file; empty where it has none."""
        import pyarrow.parquet as pq

        files = sorted(self.storage.list(self._bronze_run(self.current, table)), key=lambda stored: stored.bytes)
        if not files:
            return {}
        with tempfile.TemporaryDirectory(prefix="pharmaetl-") as work:
            local = Path(work, "bronze.parquet")
            self.storage.fetch(files[0].path, local)
            schema = pq.read_schema(local)
        return {field.name: "bigint" if str(field.type) == "int64" else "string" for field in schema}

    @staticmethod
    def _bronze_run(entry: LogEntry, table: TableVersion) -> str:
        return f"{bronze_folder(table.path)}/{RUN}={entry.run_id}"

    def _partitions(self, table: str, done: int, columns: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Partitions of the versions published after entry `done`; Parquet is read by name: these columns fit all."""
        for sequence in range(done + 1, self.current.sequence + 1):
            entry = publishlog.read(self.storage, self.current.dataset, sequence)
            for version in entry.tables:
                if entry.action == "publish" and version.name == table:
                    yield partition(entry.run_id, self.storage.url(self._bronze_run(entry, version)), columns)

    def _add_partitions(self, name: str, wanted: list[dict[str, Any]]) -> None:
        """Create the partitions that aren't there; one that is stays as it is."""
        for begin in range(0, len(wanted), _AT_ONCE):
            answer = self.client.batch_create_partition(
                DatabaseName=self.database,
                TableName=name,
                PartitionInputList=wanted[begin : begin + _AT_ONCE],  # type: ignore[arg-type]
            )
            for failed in answer.get("Errors", []):
                detail = failed.get("ErrorDetail", {})
                if detail.get("ErrorCode") != "AlreadyExistsException":
                    raise UnavailableError(
                        f"glue:BatchCreatePartition {name} {failed.get('PartitionValues')}: {detail.get('ErrorCode')}",
                        hint="the next publication tries it again",
                    )

    def _settle(self, name: str, wanted: Callable[[dict[str, Any] | None], Any]) -> None:
        """Create or update a table, unless it shows this entry or a later one already."""
        from botocore.exceptions import ClientError

        for attempt in range(_ATTEMPTS):
            known = self._table(name)
            if known is not None and _sequence(known) >= self.current.sequence:
                return
            try:
                if known is None:
                    self.client.create_table(DatabaseName=self.database, TableInput=wanted(None))
                else:
                    self.client.update_table(
                        DatabaseName=self.database, TableInput=wanted(known), VersionId=str(known.get("VersionId", "0"))
                    )
                return
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _CROSSED or attempt == _ATTEMPTS - 1:
                    raise

    def _table(self, name: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            return dict(self.client.get_table(DatabaseName=self.database, Name=name)["Table"])
        except ClientError as error:
            said = error.response.get("Error", {})
            if said.get("Code") != "EntityNotFoundException" or "atabase" in str(said.get("Message", "")):
                raise
            return None


def _sequence(table: dict[str, Any] | None) -> int:
    """The log entry that a table shows; 0 where it doesn't say."""
    text = str((table or {}).get("Parameters", {}).get(SEQUENCE, ""))
    return int(text) if text.isdigit() else 0


def _all_columns(columns: dict[str, str], known: dict[str, Any] | None) -> dict[str, str]:
    """A version's columns; those that only older versions have, by the table that is known, come last."""
    before = {
        column["Name"]: column["Type"] for column in (known or {}).get("StorageDescriptor", {}).get("Columns", [])
    }
    return {**columns, **{name: kind for name, kind in before.items() if name not in columns}}
