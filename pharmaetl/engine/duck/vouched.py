"""For which datasets DuckDB stands in for Spark: those whose every expression is our own, or means the same in both."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pharmaetl.catalog import Dataset
from pharmaetl.config.dataset_config import Column, Table

_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<text>'[^'\\]*')|(?P<sign><=|>=|<>|!=|=|<|>)|[(),])", re.ASCII)
_WORDS = frozenset({"and", "or", "not", "in", "is", "null"})


def refusal(dataset: Dataset) -> str | None:
    """Why a dataset needs a real Spark session; None where DuckDB will do."""
    if dataset.transforms is not None:
        return f"{dataset.name} has a transforms.py, which is written for PySpark"
    for table in dataset.config.tables:
        for sql in _texts(table):
            if not _is_plain(sql, table):
                return f"a rule of table {table.name} has SQL that only Spark is asked to read: {sql}"
    return None


def _texts(table: Table) -> Iterator[str]:
    return (sql for rule in table.quality for sql in (rule.where, rule.condition) if sql is not None)


def _is_plain(sql: str, table: Table) -> bool:
    """Only comparisons of text columns with plain texts, put together by AND, OR and NOT."""
    texts = {column.name for column in table.columns if column.type in {"string", "ndc11"} and not _is_list(column)}
    at, before = 0, ""
    while sql[at:].strip():
        found = _TOKEN.match(sql, at)
        if found is None:
            return False
        name = (found["name"] or "").lower()
        if name and name not in _WORDS | texts:
            return False
        # two texts are one in Spark; two signs are another operator
        if found.lastgroup is not None and found.lastgroup == before != "name":
            return False
        at, before = found.end(), found.lastgroup or ""
    return True


def _is_list(column: Column) -> bool:
    return column.derived is not None and column.derived.function == "list"
