"""Which datasets DuckDB may run: those of which every expression means the same there as in Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pharmaetl import engine
from pharmaetl.catalog import Catalog, Dataset
from pharmaetl.engine.duck import vouched
from pharmaetl.errors import EngineUnavailableError

COLUMNS = [
    {"name": "code", "source": "Code"},
    {"name": "kind", "source": "Kind"},
    {"name": "start", "source": "Start", "type": "date"},
    {"name": "parts", "derived": {"function": "list", "source": "kind", "separator": "; "}},
]


def a_dataset(folder: Path, *rules: dict[str, Any]) -> Dataset:
    """A dataset of one table with these rules."""
    config = {
        "dataset": "codes",
        "source_url": "codes.csv",
        "tables": [{"name": "codes", "columns": COLUMNS, "quality": list(rules)}],
    }
    place = folder / "org" / "codes" / "config"
    place.mkdir(parents=True)
    (place / "dataset.json").write_text(json.dumps(config), encoding="utf-8")
    return Catalog(folder).find("codes")


@pytest.mark.parametrize(
    "where",
    [
        "code = 'A'",
        "Code <> 'a b' AND (kind IS NOT NULL OR kind in ('x','y'))",
        "not kind >= code",
    ],
)
def test_comparisons_of_text_are_read_alike(where: str, tmp_path: Path) -> None:
    assert vouched.refusal(a_dataset(tmp_path, {"rule": "IsComplete", "column": "kind", "where": where})) is None


@pytest.mark.parametrize(
    "where",
    [
        "startswith(code, 'A')",  # another name
        "concat(code, kind) = 'A'",  # null for null in Spark only
        "code = 'A' 'B'",  # one text in Spark
        "code = 'A''B'",  # the same
        r"code = 'A\\B'",  # an escape in Spark
        'code = "A"',  # a text in Spark, a column in DuckDB
        "start > '2020-01-01'",  # a cast, each in its own way
        "code = 5",
        "parts IS NULL",
        "code == 'A'",
        "code <=> 'A'",
        "code LIKE 'A%'",
        "other = 'A'",
        "code = 'A' -- no",
    ],
)
def test_other_sql_is_left_to_spark(where: str, tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path, {"rule": "IsComplete", "column": "kind", "where": where})

    assert vouched.refusal(dataset) == f"a rule of table codes has SQL that only Spark is asked to read: {where}"
    assert engine.choose("auto", dataset=dataset).name == "sail"
    with pytest.raises(EngineUnavailableError, match="engine duckdb can't run this: a rule of table codes"):
        engine.choose("duckdb", dataset=dataset)


def test_a_dataset_with_python_of_its_own_is_left_to_spark(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path)
    assert engine.choose("auto", dataset=dataset).name == "duckdb"

    (dataset.folder / "transforms.py").write_text("def silver_codes(rows):\n    return rows\n", encoding="utf-8")
    changed = Catalog(tmp_path).find("codes")

    assert engine.choose("auto", dataset=changed) == engine.Choice(
        "sail", "embedded; codes has a transforms.py, which is written for PySpark"
    )
