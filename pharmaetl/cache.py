"""The user's folder for what can be made again: libraries of Lambda functions, class archives of JVM Spark."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """`pharmaetl` below XDG_CACHE_HOME, else below ~/.cache; it need not be there yet."""
    asked = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(asked) if asked else Path.home() / ".cache") / "pharmaetl"
