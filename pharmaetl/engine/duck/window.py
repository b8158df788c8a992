"""What the transforms use of `pyspark.sql.Window`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pharmaetl.engine.duck.column import sqls


@dataclass(frozen=True)
class WindowSpec:
    """Partitions, and the order in each."""

    partition: str
    order: str = ""

    @property
    def sql(self) -> str:
        """What stands behind OVER."""
        return f"PARTITION BY {self.partition}" + (f" ORDER BY {self.order}" if self.order else "")

    def orderBy(self, *names: str) -> WindowSpec:
        """Ordered by columns; nulls first, as in Spark."""
        return replace(self, order=", ".join(f"{sqls([name])} NULLS FIRST" for name in names))


class Window:
    """Where a window begins."""

    @staticmethod
    def partitionBy(*names: str) -> WindowSpec:
        """Rows that have the same values."""
        return WindowSpec(sqls(names))
