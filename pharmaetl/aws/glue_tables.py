"""Tables and partitions as the Glue API takes them: Parquet, read by column name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pharmaetl.lake import layout
from pharmaetl.lake.documents import LogEntry

SEQUENCE, DATASET = "pharmaetl.sequence", "pharmaetl.dataset"
"""Table parameters: the log entry that a table shows, and whose it is."""
RUN = "run"
"""The partition key of bronze."""
_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
_FORMATS = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
}
_HIVE = {"timestamp_ntz": "timestamp", "timestamp_ltz": "timestamp", "void": "string", "byte": "tinyint"}
"""Spark types that Hive calls otherwise; all others (string, date, bigint, decimal(p,s), array<…>) have one name."""


def table_input(
    entry: LogEntry,
    name: str,
    location: str,
    columns: Mapping[str, str],
    *,
    partitioned: bool = False,
    sequence: int | None = None,
) -> dict[str, Any]:
    """An external table over a folder, as it stands with one entry of the log; `sequence` where it shows less."""
    keys = [{"Name": RUN, "Type": "string"}] if partitioned else []
    return {
        "Name": name,
        "Description": f"{entry.dataset}, as published by run {entry.run_id}",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "parquet",
            DATASET: entry.dataset,
            SEQUENCE: str(entry.sequence if sequence is None else sequence),
            "pharmaetl.run_id": entry.run_id,
            "pharmaetl.version": entry.version,
        },
        "PartitionKeys": keys,
        "StorageDescriptor": _descriptor(location, columns),
    }


def partition(run_id: str, location: str, columns: Mapping[str, str]) -> dict[str, Any]:
    """One run's bronze."""
    return {"Values": [run_id], "StorageDescriptor": _descriptor(location, columns)}


def bronze_folder(silver_path: str) -> str:
    """The folder with all bronze runs of the table whose silver is published at this path."""
    above, _, _ = silver_path.partition("/version=")
    return f"{layout.BRONZE}{above.removeprefix(layout.SILVER)}"


def hive_type(spark_type: str) -> str:
    """A Spark type as Hive and Athena name it."""
    return _HIVE.get(spark_type, spark_type)


def _descriptor(location: str, columns: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Columns": [{"Name": name, "Type": hive_type(kind)} for name, kind in columns.items()],
        "Location": f"{location}/",
        **_FORMATS,
        "SerdeInfo": {"SerializationLibrary": _SERDE, "Parameters": {"serialization.format": "1"}},
    }
