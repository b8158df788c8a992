"""The gate in whole runs of two tables: references, SQL that an engine refuses, and quality over time."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pharmaetl import api
from pharmaetl.config.configfile import InvalidConfigError
from pharmaetl.errors import GateError, UsageError
from pharmaetl.lake.documents import Check, RunRecord
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytestmark = pytest.mark.engine
Rules = list[dict[str, Any]]
REFERENCE = {
    "rule": "ReferentialIntegrity",
    "column": "product",
    "references": {"table": "products", "columns": ["id"]},
}


def a_place(folder: Path, packages: Rules, products: Rules | None = None) -> Place:
    """A lake, and a catalog with one dataset: products and their packages."""
    config = {
        "dataset": "goods",
        "source_url": "https://example.org/goods.zip",
        "data_quality": {"max_quarantine_fraction": 1.0, "min_rows_fraction": 0.0},
        "tables": [
            {"name": "packages", "member": "packages.csv", "key": ["code"], "quality": packages,
             "columns": [{"name": "code", "source": "Code"}, {"name": "product", "source": "Product"},
                         {"name": "size", "source": "Size", "type": "integer"}]},
            {"name": "products", "member": "products.csv", "optional": True, "key": ["id"], "quality": products or [],
             "columns": [{"name": "id", "source": "Id"}]},
        ],
    }  # fmt: skip
    path = folder / "datasets" / "org" / "goods" / "config" / "dataset.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=1))
    return Place(str(folder / "lake"), str(folder / "datasets"))


def run(place: Place, folder: Path, packages: list[str], products: list[str] | None = None, **more: Any) -> RunRecord:
    source = folder / "goods.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("packages.csv", "\n".join(["Code,Product,Size", *packages, ""]))
        if products is not None:
            archive.writestr("products.csv", "\n".join(["Id", *products, ""]))
    return api.run(place, "goods", RunOptions(source=str(source), **more))


def check_of(record: RunRecord, name: str) -> Check:
    assert record.quality is not None
    (found,) = [check for check in record.quality.checks if check.name == name]
    return found


PACKAGES = ["a1,A,1", "a2,A,2", "b1,B,3", "c1,C,4", "c2,C,", "n1,,6"]


def test_orphans_are_counted_once_all_tables_are_written(tmp_path: Path) -> None:
    place = a_place(tmp_path, [REFERENCE, {**REFERENCE, "where": "size > 3"}])
    record = run(place, tmp_path, PACKAGES, ["A", "B"])
    assert record.quality is not None
    found = [check for check in record.quality.checks if check.name == "ReferentialIntegrity"]
    assert [(check.outcome, check.value, check.rows) for check in found] == [("warn", 0.6, 2), ("warn", 0.0, 1)]
    assert found[0].reason == "2 of 5 rows, 1 distinct values, are not in products (id)"


def test_a_broken_reference_that_fails_the_run_shows_rows(tmp_path: Path) -> None:
    place = a_place(tmp_path, [{**REFERENCE, "severity": "fail", "threshold": 0.9}])
    with pytest.raises(GateError, match=r"e\.g\. code=c1, product=C \| code=c2, product=C"):
        run(place, tmp_path, PACKAGES, ["A", "B"])
    assert api.manifest(place, "goods").current is None


def test_a_table_that_the_release_lacks_makes_no_orphans(tmp_path: Path) -> None:
    record = run(a_place(tmp_path, [REFERENCE]), tmp_path, PACKAGES)
    found = check_of(record, "ReferentialIntegrity")
    assert (found.outcome, found.reason) == ("warn", "not checked: the release has no products")


def test_a_sample_is_not_compared_with_other_tables(tmp_path: Path) -> None:
    record = run(a_place(tmp_path, [REFERENCE]), tmp_path, PACKAGES, ["A", "B"], sample=2)
    assert check_of(record, "ReferentialIntegrity").reason.startswith("not checked: of a sample")


@pytest.mark.parametrize("where", ["size =", "sise = 1", "size", "count(*) > 1", "no_such_function(size)"])
def test_sql_that_the_engine_refuses_is_a_config_error_with_its_place(tmp_path: Path, where: str) -> None:
    rules: Rules = [{"rule": "RowCount", "between": [0, 9]}, {"rule": "IsComplete", "column": "size", "where": where}]
    place = a_place(tmp_path, rules)
    with pytest.raises(InvalidConfigError) as raised:
        run(place, tmp_path, PACKAGES)
    lines = Path(place.datasets or "", "org", "goods", "config", "dataset.json").read_text().splitlines()
    (problem,) = raised.value.problems
    assert raised.value.exit_code == 3
    assert lines[problem.line - 1].strip().startswith('"where"')
    assert problem.message.startswith("tables.0.quality.1.where: IsComplete of table packages: the engine refuses it: ")
    assert api.runs(place, "goods", 1)[0].outcome == "failed"


def test_rows_that_break_a_condition_go_to_quarantine(tmp_path: Path) -> None:
    rules: Rules = [
        {"rule": "CustomSql", "condition": "startswith(code, lower(product))", "on_fail": "quarantine"},
        {
            "rule": "ColumnValues",
            "column": "size",
            "between": [1, 3],
            "where": "product = 'C'",
            "on_fail": "quarantine",
        },
    ]
    place = a_place(tmp_path, rules)
    record = run(place, tmp_path, [*PACKAGES, "x1,A,1"])
    refused = [
        (row["rule"], row["column"], row["value"], row["code"])
        for file in Path(place.lake, "quarantine").rglob("*.parquet")
        for row in pq.read_table(file).to_pylist()
    ]
    assert sorted(refused) == [("ColumnValues", "size", "4", "c1"), ("CustomSql", "", "", "x1")]
    assert record.tables[0].rules == {"CustomSql": 1, "ColumnValues": 1}
    assert [check.outcome for check in (check_of(record, "CustomSql"), check_of(record, "ColumnValues"))] == [
        "pass", "pass",
    ]  # fmt: skip


CHANGES: Rules = [
    {"rule": "RowCountChange", "max_change": 0.5},
    {"rule": "DistinctCountChange", "column": "product", "max_change": 0.5},
    {"rule": "NullShareChange", "column": "size", "max_change": 0.5},
]


def rows(count: int) -> list[str]:
    return [f"p{number},P{number // 2},{number}" for number in range(count)]


def test_versions_are_compared_with_the_current_one_and_counted_once(tmp_path: Path) -> None:
    place = a_place(tmp_path, CHANGES)
    first = run(place, tmp_path, rows(100))
    run(place, tmp_path, rows(140))
    api.rollback(place, "goods", first.run_id, "test")
    third = run(place, tmp_path, rows(160))
    changes = [(name, check_of(third, name).value) for name in ("RowCountChange", "DistinctCountChange")]
    assert changes == [("RowCountChange", 0.6), ("DistinctCountChange", 0.6)]

    history = api.quality_over_time(place, "goods")
    assert [(version.rows, version.is_current) for version in history.versions] == [
        (100, False), (140, False), (160, True),
    ]  # fmt: skip
    found = next(check for check in history.checks if check.name == "RowCountChange").found
    assert [check and check.value for check in found] == [None, 0.4, 0.6]


def test_the_log_keeps_what_was_measured_of_a_column(tmp_path: Path) -> None:
    place = a_place(tmp_path, CHANGES)
    run(place, tmp_path, [*rows(9), "x,P0,"])
    current = api.manifest(place, "goods").current
    assert current is not None
    figures = {name: found.model_dump(exclude_none=True) for name, found in current.tables[0].figures.items()}
    assert figures == {
        "code": {"nulls": 0},
        "product": {"nulls": 0, "distinct": 5},
        "size": {"nulls": 1, "min": "0", "max": "8"},
    }


def test_quality_tells_of_the_current_version_and_of_a_refused_run(tmp_path: Path) -> None:
    place = a_place(tmp_path, [{"rule": "RowCount", "between": [5, 9], "severity": "fail"}])
    with pytest.raises(UsageError, match="nothing of goods is published yet"):
        api.quality(place, "goods")
    published = run(place, tmp_path, PACKAGES)
    with pytest.raises(GateError) as refused:
        run(place, tmp_path, PACKAGES[:2])
    assert api.quality(place, "goods").run_id == published.run_id
    view = api.quality(place, "goods", refused.value.run_id)
    assert (view.version, view.quality.verdict) == (None, "fail")
    skipped = run(place, tmp_path, PACKAGES)
    with pytest.raises(UsageError, match="ended before anything was checked: skipped"):
        api.quality(place, "goods", skipped.run_id)
