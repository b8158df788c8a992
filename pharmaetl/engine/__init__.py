"""Choose, start and stop the DataFrame engine of a run: `duckdb` or `sail` (embedded, no Java), or
`spark` (the JVM's).
"""

from __future__ import annotations

from pharmaetl.engine.choice import Choice, choose, has_duckdb, has_sail
from pharmaetl.engine.java import find_java
from pharmaetl.engine.running import Engine, Shared

__all__ = ["Choice", "Engine", "Shared", "choose", "find_java", "has_duckdb", "has_sail"]
