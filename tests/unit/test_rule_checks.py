"""Each rule kind held against given figures: shares, counts, references, freshness, schema, and changes over time."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from configs import a_config, a_table, accepted, refused, table_of

from pharmaetl.config.dataset_config import Table
from pharmaetl.lake.documents import Check, Figures, LogEntry, Quality, Source, TableVersion
from pharmaetl.quality import checks
from pharmaetl.quality.tablefacts import Background, FileFacts, TableFacts
from pharmaetl.text.header import HeaderMatch

TODAY = date(2026, 11, 23)
SCHEMA = {"item_code": "string", "ndc11": "string", "start": "date", "record_hash": "string", "meta_run_id": "string"}


def facts(rule: dict[str, Any], rows: int = 1000, **measures: Any) -> TableFacts:
    """A written table with one rule, and what was measured of it."""
    found = {
        "rows": rows,
        "rows_refused": 0,
        "columns": {name: {"nulls": 0} for name in ("item_code", "ndc11", "start")},
        "rules": {},
        "keys": {},
        "references": {},
        "schema": SCHEMA,
    }
    table = _table(rule)
    return TableFacts(table, found | measures, FileFacts(HeaderMatch(()), rows))


def _table(rule: dict[str, Any]) -> Table:
    if rule["rule"] != "ReferentialIntegrity":
        return table_of(quality=[rule])
    tables = [a_table(member="a", quality=[rule]), a_table(name="products", member="b")]
    return accepted(a_config(tables=tables)).tables[0]


def version(rows: int, nulls: int = 0, distinct: int | None = None) -> TableVersion:
    figures = {"ndc11": Figures(nulls=nulls, distinct=distinct)}
    return TableVersion(name="codes", path="p", rows=rows, files=(), figures=figures)


def current(table: TableVersion) -> LogEntry:
    return LogEntry(
        dataset="codes", sequence=1, commit_id="c", parent=None, action="publish", run_id="r", version="2026-11-22",
        published_at="2026-11-22T03:00:00Z", source=Source(url="u"), config_sha256="", code_sha256="", tables=(table,),
        quality=Quality(verdict="pass"),
    )  # fmt: skip


def check(table: TableFacts, *past: TableVersion, **more: Any) -> Check:
    """What the table's rule says after these versions, of which the last is current."""
    known = {"current": current(past[-1]), "past": {"codes": past}} if past else {}
    return checks.check(0, table.table.quality[0], table, Background(**({"as_of": TODAY} | known | more)))


@pytest.mark.parametrize(("broken", "outcome", "limit"), [(10, "pass", 0.99), (11, "warn", 0.99), (101, "fail", 0.9)])
def test_a_rule_warns_below_its_threshold_and_fails_below_the_other(broken: int, outcome: str, limit: float) -> None:
    rule = {"rule": "Completeness", "column": "ndc11", "threshold": 0.99, "fail_below": 0.9}
    found = check(facts(rule, rules={"0": {"scope": 1000, "broken": broken}}))
    assert (found.outcome, found.threshold, found.rows) == (outcome, limit, broken)


def test_a_key_is_judged_by_the_rows_that_have_one() -> None:
    rule = {"rule": "Uniqueness", "column": "ndc11", "threshold": 0.98}
    found = check(facts(rule, keys={"0": {"scope": 100, "distinct": 98, "groups": 1, "rows": 3}}))
    assert (found.outcome, found.value, found.reason) == ("warn", 0.97, "1 values are shared by 3 rows")


REFERENCE = {"rule": "ReferentialIntegrity", "column": "ndc11", "severity": "fail",
             "references": {"table": "products", "columns": ["item_code"]}}  # fmt: skip


def test_orphans_are_counted_as_rows_and_as_distinct_values() -> None:
    found = check(facts(REFERENCE, references={"0": {"scope": 1000, "broken": 29, "keys": 7}}))
    assert (found.outcome, found.value, found.rows) == ("fail", 0.971, 29)
    assert found.reason == "29 of 1000 rows, 7 distinct values, are not in products (item_code)"


def test_a_reference_to_a_table_that_is_not_there_is_a_warning_not_an_orphan() -> None:
    assert check(facts(REFERENCE)).reason == "not checked: the release has no products"
    assert check(facts(REFERENCE), sampled=True).outcome == "warn"


@pytest.mark.parametrize(
    ("rule", "outcome", "value"),
    [
        ({"rule": "RowCount", "between": [1000, 1000]}, "pass", 1000),
        ({"rule": "RowCount", "between": [1001, 2000]}, "warn", 1000),
        ({"rule": "ColumnCount", "between": [3, 3]}, "pass", 3),
        ({"rule": "ColumnCount", "between": [4, 5], "severity": "fail"}, "fail", 3),
        ({"rule": "DistinctValuesCount", "column": "ndc11", "between": [1, 5]}, "pass", 5),
        ({"rule": "DistinctValuesCount", "column": "ndc11", "between": [6, 9]}, "warn", 5),
    ],
)
def test_counts_must_lie_between_two_limits(rule: dict[str, Any], outcome: str, value: int) -> None:
    found = check(facts(rule, keys={"0": {"scope": 9, "distinct": 5, "groups": 2, "rows": 6}}))
    assert (found.outcome, found.value) == (outcome, value)


@pytest.mark.parametrize(
    ("newest", "outcome", "age"), [("2026-11-21", "pass", 2), ("2026-11-20", "warn", 3), (None, "warn", None)]
)
def test_the_newest_date_may_be_so_many_days_old(newest: str | None, outcome: str, age: int | None) -> None:
    rule = {"rule": "DataFreshness", "column": "start", "max_age_days": 2}
    found = check(facts(rule, rules={"0": {"newest": newest}}))
    assert (found.outcome, found.value) == (outcome, age)


def test_a_release_is_as_old_as_its_own_date() -> None:
    rule = facts({"rule": "DataFreshness", "max_age_days": 45, "severity": "fail"})
    assert check(rule, released=date(2026, 10, 9)).outcome == "pass"
    assert check(rule, released=date(2026, 10, 8)).outcome == "fail"
    assert check(rule).reason == "the release has no date"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (SCHEMA, ""),
        ({**SCHEMA, "start": "string"}, "start is string, not date"),
        ({name: kind for name, kind in SCHEMA.items() if name != "start"}, "start is missing"),
        (dict(reversed(SCHEMA.items())), "the columns are in another order"),
    ],
)
def test_the_written_columns_must_be_those_of_the_config(schema: dict[str, str], reason: str) -> None:
    found = check(facts({"rule": "SchemaMatch", "severity": "fail"}, schema=schema))
    assert (found.outcome, found.reason) == ("fail" if reason else "pass", reason)


ROWS = {"rule": "RowCountChange", "max_change": 0.2, "severity": "fail"}


@pytest.mark.parametrize(("rows", "outcome"), [(800, "pass"), (799, "fail"), (1200, "pass"), (1201, "fail")])
def test_the_row_count_may_change_by_so_much(rows: int, outcome: str) -> None:
    assert check(facts(ROWS, rows), version(1000)).outcome == outcome


def test_a_change_is_measured_against_the_current_version_whatever_came_before() -> None:
    assert check(facts(ROWS, 1100), version(5000), version(1000)).value == 0.1


def test_without_an_earlier_version_there_is_no_change() -> None:
    assert (check(facts(ROWS)).outcome, check(facts(ROWS)).value) == ("pass", None)
    assert check(facts(ROWS, 5), version(1000), sampled=True).outcome == "pass"


USUAL = (1000, 1010, 990, 1005, 995, 1003, 1001)
"""With 1000, their median is 1000.5 and the median of the deviations from it 3.5: 18.2 away is unusual."""


def test_eight_versions_tell_what_is_unusual() -> None:
    past = [version(rows) for rows in (*USUAL, 1000)]
    assert check(facts(ROWS, 1018), *past).outcome == "pass"
    found = check(facts(ROWS, 1019), *past)
    assert (found.outcome, found.reason) == ("warn", "1,019 is unusual: the median of 8 versions is 1,000.5")
    assert check(facts(ROWS, 1019), *past[1:]).outcome == "pass"


def test_a_figure_that_never_moved_may_move_by_a_hundredth() -> None:
    past = [version(1000)] * 8
    assert [check(facts(ROWS, rows), *past).outcome for rows in (990, 1010, 1011, 1201)] == [
        "pass", "pass", "warn", "fail",
    ]  # fmt: skip


def null_share(nulls: int, *past: TableVersion) -> Check:
    rule = {"rule": "NullShareChange", "column": "ndc11", "max_change": 0.5}
    return check(facts(rule, columns={"ndc11": {"nulls": nulls}}), *past)


def test_the_share_of_nulls_may_change_by_so_much() -> None:
    assert [null_share(nulls, version(1000, 100)).outcome for nulls in (50, 150, 151, 49)] == [
        "pass", "pass", "warn", "warn",
    ]  # fmt: skip
    assert null_share(151, version(1000, 100)).reason == "15.1000% nulls where 10.0000% nulls is published"


def test_a_share_of_nulls_below_a_hundredth_counts_as_one() -> None:
    assert [null_share(nulls, version(1000)).value for nulls in (0, 5, 6)] == [0.0, 0.5, 0.6]


def test_distinct_values_are_compared_where_the_log_has_them() -> None:
    rule = {"rule": "DistinctCountChange", "column": "ndc11", "max_change": 0.1}
    keys = {"0": {"scope": 1000, "distinct": 89, "groups": 0, "rows": 0}}
    assert check(facts(rule, keys=keys), version(1000, distinct=100)).value == 0.11
    assert check(facts(rule, keys=keys), version(1000)).value is None


def test_the_figures_of_a_column_go_into_the_log() -> None:
    rule = {"rule": "IsUnique", "column": "ndc11"}
    columns = {"ndc11": {"nulls": 3, "longest": 11}, "start": {"nulls": 0, "min": "1900-01-01", "max": "2026-01-01"}}
    keys = {"0": {"scope": 997, "distinct": 990, "groups": 7, "rows": 14}}
    assert facts(rule, columns=columns, keys=keys).figures() == {
        "ndc11": Figures(nulls=3, distinct=990),
        "start": Figures(nulls=0, min="1900-01-01", max="2026-01-01"),
    }


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "CustomSql"}, "condition: CustomSql needs `condition`"),
        ({"rule": "CustomSql", "condition": "  "}, "condition: a condition can't be blank"),
        ({"rule": "IsComplete", "column": "ndc11", "where": ""}, "where: a condition can't be blank"),
        ({"rule": "ColumnValues", "column": "ndc11", "matches": "(?=a)b"},
         "matches: '(?=' is not known to every engine (no lookahead"),
        ({"rule": "ColumnValues", "column": "start", "values": ["2020-13-01"]},
         "values.0: start has type date: expected a date as yyyy-MM-dd, in quotes, not '2020-13-01'"),
        ({"rule": "ColumnValues", "column": "start", "matches": "x"},
         "rule: start has type date: only text has a pattern"),
        ({"rule": "ColumnLength", "column": "start", "between": [1, 2]},
         "rule: start has type date: only text has a length"),
        ({"rule": "ColumnOrder", "columns": ["ndc11", "start"]},
         "columns: the two columns have different types: date, ndc11"),
        ({"rule": "RowCount", "between": [1, 2], "threshold": 0.5}, "threshold: RowCount takes no `threshold`"),
        ({"rule": "IsComplete", "column": "ndc11", "fail_below": 1.0},
         "fail_below: fail_below must be below the threshold, 1.0: between the two it warns"),
        ({"rule": "IsComplete", "column": "ndc11", "fail_below": 0.5, "severity": "fail"},
         "fail_below: the rule fails below its `threshold` already: leave `fail_below` out"),
        ({"rule": "DataFreshness", "max_age_days": 2, "where": "true"},
         "where: without `column` it is about the release, and takes no `where`"),
        ({"rule": "DataFreshness", "column": "ndc11", "max_age_days": 2},
         "column: ndc11 has type ndc11: DataFreshness is about dates"),
        ({"rule": "RowCountChange"}, "max_change: RowCountChange needs `max_change`"),
        ({"rule": "NullShareChange", "max_change": 1.0}, "column: NullShareChange needs `column`"),
        ({"rule": "ReferentialIntegrity", "column": "ndc11"}, "references: ReferentialIntegrity needs `references`"),
        ({"rule": "ReferentialIntegrity", "column": "ndc11", "references": {"table": "cods", "columns": ["ndc11"]}},
         "references.table: there is no table 'cods' (known: codes)"),
        ({"rule": "ReferentialIntegrity", "column": "ndc11", "references": {"table": "codes", "columns": ["ndc1"]}},
         "references.columns.0: there is no column 'ndc1' in table codes (did you mean ndc11?)"),
        ({"rule": "ReferentialIntegrity", "column": "ndc11", "references": {"table": "codes", "columns": ["start"]}},
         "references.columns.0: ndc11 has type ndc11, but start has type date"),
        ({"rule": "ReferentialIntegrity", "columns": ["ndc11", "start"],
          "references": {"table": "codes", "columns": ["ndc11"]}},
         "references.columns: 2 columns can't refer to 1: each needs its own"),
    ],
)  # fmt: skip
def test_a_rule_that_can_not_be_measured_is_refused_with_its_place(rule: dict[str, Any], said: str) -> None:
    (found,) = refused(a_config(a_table(quality=[rule])))
    assert found.startswith(f"tables.0.quality.0.{said}")
