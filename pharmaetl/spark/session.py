"""The one recipe for a session, so that laptop, tests and Glue give the same values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.csv.parser.columnPruning.enabled": "false",
}
"""Set on every engine: no ANSI exceptions (malformed values become null and are counted), UTC, proleptic dates, ZSTD.

Column pruning in the CSV reader is off because a pruned read doesn't check a row's field count.
"""


def configure(session: SparkSession) -> SparkSession:
    """Apply the recipe to a session that somebody started."""
    for key, value in SETTINGS.items():
        session.conf.set(key, value)
    return session
