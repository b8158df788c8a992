"""`pharmaetl` on JVM Spark with pyspark's own settings: what the engine asks for, to be faster or smaller, is dropped.

What decides about values (time zone, ANSI mode, legacy dates, codec) stays: `pharmaetl.spark.session.SETTINGS`.

python -m benchmarks.plain_spark run nsde --engine spark …
"""

from __future__ import annotations

import os
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.conf import RuntimeConfig

from pharmaetl.spark.session import SETTINGS

STARTING = frozenset({"spark.master", "spark.app.name"})
TUNING = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "PYSPARK_SUBMIT_ARGS")


def drop_settings() -> None:
    """Make session builders take master and name alone, and running sessions what decides about values."""
    builder = SparkSession.Builder
    config, change = builder.config, RuntimeConfig.set

    def configured(self: Any, key: str | None = None, value: Any = None, **others: Any) -> Any:
        return config(self, key, value, **others) if key in STARTING else self

    def changed(self: RuntimeConfig, key: str, value: Any) -> None:
        if key in SETTINGS:
            change(self, key, value)

    builder.config = configured  # type: ignore[method-assign]  # changed from outside: what is measured stays as it is
    RuntimeConfig.set = changed  # type: ignore[method-assign]


def main() -> None:
    """The command line, with its tuning taken away."""
    for name in TUNING:
        os.environ.pop(name, None)
    drop_settings()
    from pharmaetl.cli.app import main as command_line

    command_line()


if __name__ == "__main__":
    main()
