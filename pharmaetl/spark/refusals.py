"""What engines raise when they refuse a query, under the names of Spark 3.4 and later."""

from __future__ import annotations

try:
    from pyspark.errors import AnalysisException, PySparkException
except ImportError:
    # Spark 3.3, which Glue 4.0 has; the type checker sees 3.5's module, which only passes these names on
    from pyspark.sql.utils import AnalysisException  # type: ignore[attr-defined]
    from pyspark.sql.utils import CapturedException as PySparkException  # type: ignore[attr-defined,assignment]

__all__ = ["AnalysisException", "PySparkException"]
