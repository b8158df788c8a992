"""The names in the file and in silver, the dates among them, and the shape of a package code."""

from __future__ import annotations

from benchmarks.digest import COLUMNS
from benchmarks.nsde import HEADER

SILVER = dict(zip(HEADER.split(","), COLUMNS, strict=True))
"""Header name to silver name, in order."""
DATES = frozenset(name for name in COLUMNS if name.endswith("_date"))
PACKAGE_CODE = r"^[0-9]{4,5}-[0-9]{3,4}-[0-9]{1,2}$"
WIDTHS = (5, 4, 2)
