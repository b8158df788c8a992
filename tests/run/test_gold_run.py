"""Gold in whole runs: made of the run's own silver, judged by the gate, published with silver or not at all."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from goods import CODE, LABELS, PACKAGES, TOTALS, Goods, check_of

from pharmaetl import api
from pharmaetl.config.configfile import InvalidConfigError
from pharmaetl.errors import ConfigError, EngineError, GateError
from pharmaetl.local import runner
from pharmaetl.run_options import EngineName

pytestmark = pytest.mark.engine


@pytest.fixture
def goods(tmp_path: Path, engine_name: EngineName) -> Goods:
    if engine_name == "duckdb":
        pytest.skip("gold functions are written in PySpark")
    return Goods(tmp_path, engine_name)


def test_silver_and_gold_are_published_by_one_entry(goods: Goods) -> None:
    record = goods.run()
    entry = goods.current

    assert [step.name for step in record.steps] == [
        "fetch", "skip_if_unchanged", "unpack", "bronze", "silver", "gold", "gate", "publish",
    ]  # fmt: skip
    assert [(table.name, table.rows) for table in entry.tables] == [("packages", 4), ("products", 2)]
    assert [(table.name, table.rows, table.path) for table in entry.gold] == [
        ("labels", 3, f"gold/labels/version={entry.version}/run={entry.run_id}"),
        ("totals", 2, f"gold/totals/version={entry.version}/run={entry.run_id}"),
    ]
    assert [(table.name, table.rows) for table in record.gold] == [("labels", 3), ("totals", 2)]
    assert [step.detail for step in record.steps if step.name == "gold"] == ["labels: 3 rows, totals: 2 rows"]
    today = date.fromisoformat(entry.version)
    assert goods.rows("labels", "code", "label", "made_on", "meta_run_id") == [
        ("a1", "ASPIRIN", today, entry.run_id), ("a2", "ASPIRIN", today, entry.run_id),
        ("b1", "BIOTIN", today, entry.run_id),
    ]  # fmt: skip
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 1)]
    assert goods.gold_files() == sorted(file.path for table in entry.gold for file in table.files)
    assert api.verify(goods.place, "goods") == ()


def test_the_same_release_again_is_skipped_and_other_code_makes_it_anew(goods: Goods) -> None:
    first = goods.run()
    assert goods.run().outcome == "skipped"
    goods.code(CODE.replace("upper", "lower"))

    assert goods.run().outcome == "published"
    assert goods.rows("totals", "label") == [("aspirin",), ("biotin",)]
    assert goods.current.run_id != first.run_id


@pytest.mark.parametrize(
    ("broken", "error", "said"),
    [
        ("F.upper('titel').alias('label')", ConfigError, "gold_labels: the engine refuses it: "),
        (
            "F.lit(1).alias('label')",
            ConfigError,
            "gold_labels gives other columns than gold table labels has: label is bigint, not string",
        ),
        ("F.upper('title').alias('title')", ConfigError, "label is missing; title is not in the config"),
        ("F.expr('no_such_function(title)').alias('label')", (ConfigError, EngineError), "labels"),
    ],
)
def test_a_function_that_fails_publishes_nothing_and_the_last_version_stays_readable(
    goods: Goods, broken: str, error: type[Exception], said: str
) -> None:
    goods.run()
    before = goods.current
    goods.code(CODE.replace('F.upper("title").alias("label")', broken))
    with pytest.raises(error) as failed:
        goods.run(PACKAGES[:3])

    assert said in str(failed.value)
    assert goods.current == before
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 1)]
    assert api.verify(goods.place, "goods") == ()
    run_id = str(getattr(failed.value, "run_id", None))
    assert [(step.name, step.outcome) for step in api.run_record(goods.place, run_id).steps][-1] == ("gold", "failed")


def test_a_bug_in_a_function_is_a_traceback_and_publishes_nothing(goods: Goods) -> None:
    goods.code(CODE.replace('F.upper("title")', "F.lit(1 / 0)"))
    with pytest.raises(ZeroDivisionError):
        goods.run()

    assert api.manifest(goods.place, "goods").current is None


def test_a_rule_that_gold_breaks_fails_the_run_with_rows_that_break_it(goods: Goods) -> None:
    goods.run()
    before = goods.current
    goods.describe({**LABELS, "quality": [{"rule": "IsUnique", "column": "label", "severity": "fail"}]}, TOTALS)
    with pytest.raises(GateError) as failed:
        goods.run()

    assert "IsUnique labels.label: 0.333333 against 1.0 (1 values are shared by 2 rows" in failed.value.reason
    assert "e.g. label=ASPIRIN, copies=2" in failed.value.reason
    assert goods.current == before
    found = api.run_record(goods.place, str(failed.value.run_id))
    assert [(table.name, table.rows) for table in found.gold] == [("labels", 3), ("totals", 2)]


def test_gold_may_refer_to_silver_and_to_gold_and_orphans_are_shown(goods: Goods) -> None:
    rules = [
        {
            "rule": "ReferentialIntegrity",
            "column": "code",
            "severity": severity,
            "references": {"table": table, "columns": [column]},
        }
        for severity, table, column in (
            ("warn", "packages", "code"),
            ("warn", "products", "id"),
            ("warn", "totals", "label"),
        )
    ]
    goods.describe({**LABELS, "quality": rules}, TOTALS)
    record = goods.run()
    assert record.quality is not None
    found = [check for check in record.quality.checks if check.name == "ReferentialIntegrity"]
    assert [(check.outcome, check.value, check.rows) for check in found] == [
        ("pass", 1.0, 0),
        ("warn", 0.0, 3),
        ("warn", 0.0, 3),
    ]
    assert found[2].reason == "3 of 3 rows, 3 distinct values, are not in totals (label)"

    goods.code(CODE.replace('alias("codes"))', 'alias("codes")).where("codes > 1")'))
    known = {"table": "totals", "columns": ["label"]}
    goods.describe(
        {**LABELS, "quality": [{**rules[2], "column": "label", "severity": "fail", "references": known}]}, TOTALS
    )
    with pytest.raises(GateError, match=r"\(1 of 3 rows, .* e\.g\. code=b1, label=BIOTIN\)"):
        goods.run()


def test_gold_that_shrinks_is_refused_unless_somebody_says_why(goods: Goods) -> None:
    goods.run()
    half = ["a1,A", "a2,X", "b1,X", "c1,C"]
    with pytest.raises(
        GateError, match=r"ShrinkGuard labels: 0\.333333 against 0\.5 \(1 rows where 3 are published"
    ) as failed:
        goods.run(half)
    assert failed.value.hint is not None
    assert "--accept-shrink" in failed.value.hint

    record = goods.run(half, accept_shrink="X is sold no more")
    assert record.outcome == "published"
    assert check_of(record, "ShrinkGuard", "labels").outcome == "warn"
    assert goods.rows("labels", "code") == [("a1",)]


def test_gold_without_rows_is_published_without_files_and_warned_of(goods: Goods) -> None:
    record = goods.run(products=[])
    assert record.outcome == "published"
    assert [(table.name, table.rows, table.files) for table in goods.current.gold] == [
        ("labels", 0, ()),
        ("totals", 0, ()),
    ]
    assert goods.gold_files() == []
    assert check_of(record, "NotEmpty", "labels").outcome == "warn"
    assert api.verify(goods.place, "goods") == ()

    assert goods.run().outcome == "published"
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 1)]


def test_a_change_of_gold_is_measured_against_the_published_gold_table(goods: Goods) -> None:
    goods.describe({**LABELS, "quality": [{"rule": "RowCountChange", "max_change": 0.1}]}, TOTALS)
    first = goods.run()
    second = goods.run([*PACKAGES, "b2,B"])

    assert check_of(first, "RowCountChange", "labels").reason.startswith("nothing to compare with")
    assert check_of(second, "RowCountChange", "labels").reason == "4 where 3 is published"


def test_sql_of_a_gold_rule_that_the_engine_refuses_is_told_with_its_place(goods: Goods) -> None:
    rule = {"rule": "CustomSql", "column": "code", "condition": "no_such_column > 1"}
    goods.describe(
        LABELS, {**TOTALS, "quality": [{"rule": "RowCount", "between": [0, 9]}, {**rule, "column": "label"}]}
    )
    with pytest.raises(InvalidConfigError) as refused:
        goods.run()

    (problem,) = refused.value.problems
    assert problem.message.startswith("gold.1.quality.1.condition: CustomSql of table totals: the engine refuses it: ")
    text = Path(problem.path).read_text().splitlines()[problem.line - 1]
    assert "no_such_column" in text


def test_a_run_that_died_after_gold_is_resumed_and_its_files_are_made_anew(
    goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    goods.run()
    with monkeypatch.context() as patch:
        patch.setattr(runner.local_steps, "publish", _interrupted)
        with pytest.raises(GateError) as failed:
            goods.run(PACKAGES[:3])
    run_id = str(failed.value.run_id)
    left = [path for path in goods.gold_files() if run_id in path]
    assert {path.split("/")[1] for path in left} == {"labels", "totals"}
    stray = left[0].replace("part-00000", "part-00077")
    goods.place.storage.create(stray, b"of an earlier try")

    resumed = goods.resume(run_id)

    assert (resumed.outcome, resumed.run_id) == ("published", run_id)
    assert not goods.place.storage.exists(stray)
    assert [(table.name, table.rows) for table in goods.current.gold] == [("labels", 3), ("totals", 2)]
    assert api.verify(goods.place, "goods") == ()


def _interrupted(_: object) -> None:
    raise GateError("stopped by the test")


@pytest.mark.parametrize(("until", "layers"), [("silver", 0), ("gold", 2)])
def test_a_run_may_end_before_or_after_gold_without_publishing(goods: Goods, until: str, layers: int) -> None:
    record = goods.run(until=until)

    assert (record.outcome, record.reason) == ("skipped", f"stopped after {until}, as asked")
    assert len(record.gold) == len({path.split("/")[1] for path in goods.gold_files()}) == layers
    assert api.manifest(goods.place, "goods").current is None


def test_until_gold_is_until_silver_where_there_is_no_gold(goods: Goods) -> None:
    config = json.loads((goods.home / "config" / "dataset.json").read_text())
    (goods.home / "config" / "dataset.json").write_text(json.dumps({**config, "gold": []}))

    assert goods.run(until="gold").reason == "stopped after silver, as asked"


def test_of_a_sample_gold_is_made_and_judged_and_not_published(goods: Goods) -> None:
    goods.describe({**LABELS, "quality": [{"rule": "RowCountChange", "max_change": 0.1}]}, TOTALS)
    goods.run()
    before = goods.current
    record = goods.run([*PACKAGES, "b2,B"], sample=1)

    assert record.outcome == "skipped"
    assert [(table.name, table.rows) for table in record.gold] == [("labels", 1), ("totals", 1)]
    assert check_of(record, "RowCountChange", "labels").reason == "not checked: a sample is no version"
    assert "ShrinkGuard" not in {check.name for check in (record.quality.checks if record.quality else ())}
    assert goods.current == before


def test_a_gold_table_that_the_config_drops_is_refused_until_somebody_says_why(goods: Goods) -> None:
    goods.run()
    goods.describe(LABELS)
    with pytest.raises(GateError, match="ShrinkGuard totals: 0"):
        goods.run()

    assert goods.run(accept_shrink="nobody reads it").outcome == "published"
    assert [table.name for table in goods.current.gold] == ["labels"]


def test_a_rollback_brings_gold_back_too(goods: Goods) -> None:
    goods.run()
    first = goods.current
    goods.run([*PACKAGES, "b2,B"])
    api.rollback(goods.place, "goods", None, "the second one was wrong")

    assert goods.current.gold == first.gold
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 1)]


def test_a_gold_table_without_its_function_stops_a_run_before_it_begins(goods: Goods) -> None:
    goods.code(CODE.replace("gold_totals", "gold_total"))
    with pytest.raises(InvalidConfigError, match=r"transforms\.py has no function gold_totals \(did you mean"):
        goods.run()

    assert not (goods.folder / "lake" / "raw").exists()
