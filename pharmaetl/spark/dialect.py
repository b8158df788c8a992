"""The API that the transforms are written in: PySpark's, or that of an engine which speaks the same names.

Transforms take `F` and `Window` from here. What stands behind them is settled by the session in use, so that an engine
that has its own can run without pyspark; everywhere else, on Glue too, they are `pyspark.sql`'s.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

__all__ = ["F", "Window", "speak"]

_PYSPARK = ("pyspark.sql.functions", "pyspark.sql.window")
_modules = _PYSPARK


def speak(session: Any) -> None:
    """Use the functions that go with a session: its own `dialect`, two modules by name, or pyspark's."""
    global _modules  # noqa: PLW0603  (a process has one session at work at a time)
    _modules = getattr(session, "dialect", _PYSPARK)


class _Functions:
    """`functions` of the dialect in use."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(_modules[0]), name)


class _Windows:
    """`Window` of the dialect in use."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(_modules[1]).Window, name)


if not TYPE_CHECKING:
    F, Window = _Functions(), _Windows()
