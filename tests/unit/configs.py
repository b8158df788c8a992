"""Dataset configs for tests: small and sound, to be changed in one place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pharmaetl.config import configfile
from pharmaetl.config.dataset_config import DatasetConfig, Table

COLUMNS: list[dict[str, Any]] = [
    {"name": "item_code", "source": "Item Code"},
    {"name": "ndc11", "source": "NDC11", "type": "ndc11"},
    {"name": "start", "source": "Start Date", "type": "date"},
]


def a_table(**changes: Any) -> dict[str, Any]:
    """A table of three columns: a text, a code, a date."""
    return {"name": "codes", "columns": COLUMNS} | changes


def a_config(table: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A dataset with one table."""
    return {
        "dataset": "codes",
        "source_url": "https://example.org/codes.zip",
        "tables": [a_table() if table is None else table],
    } | changes


def accepted(config: dict[str, Any]) -> DatasetConfig:
    """The config that a JSON object is."""
    return configfile.parse(json.dumps(config), "dataset.json")


def table_of(**changes: Any) -> Table:
    """The table of a dataset that has one."""
    return accepted(a_config(a_table(**changes))).tables[0]


def refused(config: dict[str, Any]) -> list[str]:
    """What is said of a config that is wrong, without file and place."""
    with pytest.raises(configfile.InvalidConfigError) as raised:
        accepted(config)
    return [str(problem).split(": ", 1)[1] for problem in raised.value.problems]
