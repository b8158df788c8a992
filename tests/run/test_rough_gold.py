"""Gold on rough ground: rows that silver refused, odd values, functions that fail late, runs that go only so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from goods import CODE, LABELS, PACKAGES, PRODUCTS, TOTALS, Goods, check_of

from pharmaetl import api
from pharmaetl.errors import ConfigError, EngineError, GateError, LocalIOError
from pharmaetl.local import gold as gold_step
from pharmaetl.local.exchange import Here
from pharmaetl.run_options import EngineName, RunOptions

pytestmark = pytest.mark.engine
CODES = """
from pyspark.sql import functions as F

def gold_codes(tables, as_of):
    return tables["packages"].select("code", "product", F.col("meta_run_id").alias("made_by"))
"""
CODES_TABLE: dict[str, Any] = {
    "name": "codes", "columns": [{"name": "code"}, {"name": "product"}, {"name": "made_by"}], "key": ["code"],
}  # fmt: skip
LENIENT = {"max_quarantine_fraction": 0.9, "min_rows_fraction": 0.1}


@pytest.fixture
def goods(tmp_path: Path, engine_name: EngineName) -> Goods:
    return a_goods(tmp_path, engine_name)


def a_goods(folder: Path, engine: EngineName) -> Goods:
    if engine == "duckdb":
        pytest.skip("gold functions are written in PySpark")
    return Goods(folder, engine)


def test_gold_is_made_of_published_rows_and_of_no_refused_or_repeated_ones(goods: Goods) -> None:
    goods.code(CODES)
    goods.describe(CODES_TABLE, data_quality=LENIENT)
    record = goods.run(["a1,A", "a1,A", "a2,A,too,many", "b1,B", "a1,A", "c1", "b1,B"])

    (packages,) = [table for table in record.tables if table.name == "packages"]
    assert (packages.rows_read, packages.rows_published) == (7, 2)
    assert (packages.rows_quarantined, packages.rows_duplicate) == (2, 3)
    assert goods.rows("codes", "code", "product", "made_by") == [
        ("a1", "A", record.run_id),
        ("b1", "B", record.run_id),
    ]


def test_gold_is_never_made_of_the_version_before(goods: Goods) -> None:
    goods.code(CODES)
    goods.describe(CODES_TABLE, data_quality=LENIENT)
    goods.run()
    second = goods.run(["z9,Z"])

    assert goods.rows("codes", "code", "made_by") == [("z9", second.run_id)]


def test_accents_quotes_and_other_scripts_come_through_in_a_folder_called_so(
    tmp_path: Path, engine_name: EngineName
) -> None:
    folder = tmp_path / "Médicaments d'été 100% 薬"
    folder.mkdir()
    goods = a_goods(folder, engine_name)
    goods.run(['"é1",É', "ß2,É", "日3,薬"], ["É,épinéphrine «à l'été»", "薬,アスピリン \U0001f48a"])

    assert goods.rows("labels", "code", "label") == [
        ("ß2", "ÉPINÉPHRINE «À L'ÉTÉ»"),
        ("é1", "ÉPINÉPHRINE «À L'ÉTÉ»"),
        ("日3", "アスピリン \U0001f48a"),
    ]
    assert api.verify(goods.place, "goods") == ()


def test_a_repeated_key_without_a_rule_is_published_as_it_is_and_with_a_warning_rule_told_of(goods: Goods) -> None:
    goods.code(CODES.replace("return ", "both = ").replace('"made_by"))', '"made_by"))\n    return both.union(both)'))
    goods.describe(CODES_TABLE)
    goods.run()
    assert len(goods.rows("codes", "code")) == 8

    goods.describe({**CODES_TABLE, "quality": [{"rule": "IsUnique", "column": "code", "severity": "warn"}]})
    record = goods.run()
    assert record.outcome == "published"
    check = check_of(record, "IsUnique", "codes")
    assert (check.outcome, check.value, check.rows) == ("warn", 0.0, 8)
    assert goods.current.quality.verdict == "warn"
    assert [each for each in goods.current.quality.checks if each.name == "IsUnique"] == [check]


@pytest.mark.parametrize(("severity", "outcome"), [("warn", "published"), ("fail", "failed")])
def test_a_rule_that_gold_breaks_decides_by_its_severity_for_silver_too(
    goods: Goods, severity: str, outcome: str
) -> None:
    goods.run()
    before = goods.current
    rule = {"rule": "ColumnValues", "column": "label", "values": ["ASPIRIN"], "severity": severity}
    goods.describe({**LABELS, "quality": [rule]}, TOTALS)
    if outcome == "failed":
        with pytest.raises(GateError, match=r"ColumnValues labels\.label: 0\.666667 .*e\.g\. code=b1, label=BIOTIN"):
            goods.run()
        assert goods.current == before
        return
    record = goods.run()
    assert (record.outcome, check_of(record, "ColumnValues", "labels").outcome) == ("published", "warn")
    assert check_of(record, "ColumnValues", "labels").rows == 1
    assert goods.current.run_id == record.run_id


def test_where_the_second_table_fails_the_first_is_not_published_and_goes_with_the_run(goods: Goods) -> None:
    goods.run()
    before, kept = goods.current, goods.gold_files()
    goods.code(CODE.replace('tables["labels"]', 'tables["labelz"]'))
    with pytest.raises(ConfigError, match="gold_totals asks for a table 'labelz'") as failed:
        goods.run()

    run_id = str(failed.value.run_id)
    record = api.run_record(goods.place, run_id)
    assert [(table.name, table.rows) for table in record.gold] == [("labels", 3)]
    assert {path.split("/")[1] for path in goods.gold_files() if run_id in path} == {"labels"}
    assert goods.current == before
    assert goods.rows("labels", "meta_run_id") == [(before.run_id,)] * 3
    api.prune(goods.place, "goods", 0, False)
    assert goods.gold_files() == kept

    goods.code(CODE.replace("upper", "lower"))
    assert goods.resume(run_id).outcome == "published"
    assert goods.current.run_id == run_id
    assert goods.rows("totals", "label") == [("aspirin",), ("biotin",)]
    assert api.verify(goods.place, "goods") == ()


@pytest.mark.parametrize(("function", "asked"), [("labels", "labels"), ("labels", "totals"), ("totals", "totals")])
def test_a_gold_table_is_not_given_to_its_own_function_nor_to_earlier_ones(
    goods: Goods, function: str, asked: str
) -> None:
    head = f"def gold_{function}(tables, as_of):"
    goods.code(CODE.replace(head, f"{head}\n    tables['{asked}']"))
    with pytest.raises(ConfigError, match=f"gold_{function} asks for a table '{asked}'") as refused:
        goods.run()

    given = {"labels": "packages, products", "totals": "packages, products, labels"}
    assert refused.value.hint == f"tables: {given[function]}"


def test_what_fails_only_when_rows_are_made_is_told_of_its_table_and_publishes_nothing(goods: Goods) -> None:
    goods.run()
    before = goods.current
    goods.code(CODE.replace('F.count("code")', "F.max(F.raise_error(F.col('label'))).cast('bigint')"))
    with pytest.raises(EngineError, match=r"gold table totals: .*(ASPIRIN|BIOTIN)"):
        goods.run()

    assert goods.current == before
    assert api.verify(goods.place, "goods") == ()


def test_a_dry_run_names_the_step_and_makes_nothing(goods: Goods) -> None:
    source = goods.folder / "goods.zip"
    goods.run()
    before = {file.path for file in goods.place.storage.list("")}
    goods.code(CODE.replace("upper", "lower"))

    plan = api.plan(goods.place, "goods", RunOptions(source=str(source)))

    assert {step.name: step.action for step in plan.steps}["gold"] == "run"
    assert {file.path for file in goods.place.storage.list("")} == before


def test_a_forced_run_makes_gold_anew_with_the_same_content(goods: Goods) -> None:
    goods.run()
    first = goods.current
    assert goods.run().outcome == "skipped"
    assert goods.run(force=True).outcome == "published"

    assert goods.current.run_id != first.run_id
    assert [table.path for table in goods.current.gold] != [table.path for table in first.gold]
    assert [table.digest for table in goods.current.gold] == [table.digest for table in first.gold]
    assert api.verify(goods.place, "goods") == ()


@pytest.mark.parametrize(
    "change",
    [
        {"columns": [*TOTALS["columns"], {"name": "more"}]},
        {"description": "Codes of each label"},
        {"quality": [{"rule": "RowCount", "between": [1, 9]}]},
    ],
)
def test_a_change_to_the_config_of_a_gold_table_makes_it_anew(goods: Goods, change: dict[str, Any]) -> None:
    goods.run()
    goods.describe(LABELS, {**TOTALS, **change})
    if "columns" in change:
        goods.code(CODE.replace('alias("codes"))', 'alias("codes"), F.first("label").alias("more"))'))

    assert goods.run().outcome == "published"
    assert ("more" in goods.current.gold[1].schema_) == ("columns" in change)


def test_a_release_in_another_order_has_the_same_digest(goods: Goods) -> None:
    goods.run()
    first = goods.current
    goods.run(PACKAGES[::-1], PRODUCTS[::-1])

    assert goods.current.run_id != first.run_id
    assert [table.digest for table in goods.current.gold] == [table.digest for table in first.gold]


def test_a_run_that_died_between_its_gold_tables_is_resumed_from_the_first_one(
    goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = gold_step._gold_table

    def dying(run: Any, part: Any) -> None:
        if made:
            raise GateError("stopped by the test")
        made.append(part.table.name)
        make(run, part)

    with monkeypatch.context() as patch:
        patch.setattr(gold_step, "_gold_table", dying)
        with pytest.raises(GateError) as failed:
            goods.run()
    assert (made, {path.split("/")[1] for path in goods.gold_files()}) == (["labels"], {"labels"})
    assert api.manifest(goods.place, "goods").current is None

    assert goods.resume(str(failed.value.run_id)).outcome == "published"
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 1)]
    listed = sorted(file.path for table in goods.current.gold for file in table.files)
    assert goods.gold_files() == listed
    assert api.verify(goods.place, "goods") == ()


def test_gold_whose_file_did_not_arrive_in_the_lake_is_not_published(
    goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.run()
    before, real = goods.current, Here.take_in

    def take_in(here: Here, name: str, folder: str) -> None:
        if name != "gold/totals":
            real(here, name, folder)

    monkeypatch.setattr(Here, "take_in", take_in)
    with pytest.raises(LocalIOError, match=r"^gold/totals/.* holds 0 rows where 2 were written"):
        goods.run(["z9,A", "z8,B"])
    assert goods.current == before
