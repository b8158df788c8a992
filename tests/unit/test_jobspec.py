"""What a job is told of a table: plain data, with every `today` worked out."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from configs import COLUMNS, table_of

from pharmaetl.config.jobspec import table_spec
from pharmaetl.spark.spec import ColumnSpec, DateSpec, RuleSpec, TableSpec

TODAY = date(2026, 11, 23)


def rule_of(as_of: date = TODAY, **rule: Any) -> dict[str, Any]:
    spec: dict[str, Any] = table_spec(table_of(quality=[rule]), as_of)["rules"][0]
    return spec


def bounds(low: str, high: str, as_of: date) -> list[str]:
    between: list[str] = rule_of(as_of, rule="ColumnValues", column="start", between=[low, high])["between"]
    return between


def test_a_column_keeps_its_name_type_and_what_a_wrong_value_does() -> None:
    columns = [
        {"name": "code", "source": "Code"},
        {"name": "ndc11", "source": "NDC11", "type": "ndc11", "code_column": "code", "on_error": "quarantine"},
    ]

    text, ndc = table_spec(table_of(columns=columns), TODAY)["columns"]

    assert text == {"name": "code", "type": "string", "refuse": False}
    assert ndc == {"name": "ndc11", "type": "ndc11", "refuse": True, "code_column": "code"}


@pytest.mark.parametrize(
    ("given", "regex", "groups", "names", "compact"),
    [
        ({}, "^([0-9]{4})([0-9]{2})([0-9]{2})$", (1, 2, 3), False, True),
        ({"format": "yyyyMMdd"}, "^([0-9]{4})([0-9]{2})([0-9]{2})$", (1, 2, 3), False, True),
        ({"format": "MM/dd/yyyy"}, "^([0-9]{2})/([0-9]{2})/([0-9]{4})$", (3, 1, 2), False, False),
        ({"format": "d-MMM-yyyy"}, r"^([0-9]{1,2})\-([A-Za-z]{3})\-([0-9]{4})$", (3, 2, 1), True, False),
    ],
)
def test_a_date_says_how_it_is_written(
    given: dict[str, str], regex: str, groups: tuple[int, int, int], names: bool, compact: bool
) -> None:
    column = {"name": "start", "source": "Start", "type": "date"} | given

    spec = table_spec(table_of(columns=[column]), TODAY)["columns"][0]["date"]

    assert (spec["regex"], spec["month_names"], spec["compact"]) == (regex, names, compact)
    assert (spec["year"], spec["month"], spec["day"]) == groups


@pytest.mark.parametrize(
    ("low", "high", "as_of", "dates"),
    [
        ("1900-01-01", "today", date(2026, 11, 23), ["1900-01-01", "2026-11-23"]),
        ("today-30d", "today+5y", date(2026, 11, 23), ["2026-10-24", "2031-11-23"]),
        ("today-1y", "today+1y", date(2024, 2, 29), ["2023-02-28", "2025-02-28"]),
        ("today-4y", "today+4y", date(2024, 2, 29), ["2020-02-29", "2028-02-29"]),
        ("today-999y", "today+99999d", date(2026, 11, 23), ["1027-11-23", "2300-09-07"]),
    ],
)
def test_today_becomes_the_day_of_the_run(low: str, high: str, as_of: date, dates: list[str]) -> None:
    assert bounds(low, high, as_of) == dates


def test_a_rule_is_passed_on_with_lists_for_tuples() -> None:
    values = rule_of(rule="ColumnValues", column="item_code", values=["A", "B"])
    pattern = rule_of(
        rule="ColumnValues", column="ndc11", matches="[0-9]{11}", where="item_code <> ''", on_fail="quarantine"
    )

    assert (values["rule"], values["column"], values["values"]) == ("ColumnValues", "item_code", ["A", "B"])
    assert (values["matches"], values["between"], values["where"], values["quarantine"]) == (None, None, None, False)
    assert (pattern["matches"], pattern["where"]) == ("[0-9]{11}", "item_code <> ''")
    assert (pattern["values"], pattern["columns"], pattern["quarantine"]) == ([], [], True)


@pytest.mark.parametrize(("key", "names"), [(["ndc11", "start"], ["ndc11", "start"]), ([], ["item_code"])])
def test_rows_are_called_by_the_key_or_else_by_the_first_column(key: list[str], names: list[str]) -> None:
    assert table_spec(table_of(key=key), TODAY)["samples_by"] == names


def test_a_spec_passes_through_a_job_argument_unchanged() -> None:
    kind = {"name": "labeler", "derived": {"function": "before", "source": "item_code", "separator": "-"}}
    rules = [
        {"rule": "ColumnOrder", "columns": ["start", "end"]},
        {"rule": "RowCount", "between": [1, 5]},
    ]
    end = {"name": "end", "source": "End", "type": "date", "format": "yyyy-MM-dd"}
    table = table_of(columns=[*COLUMNS, kind, end], key=["item_code"], quality=rules)

    spec = TableSpec.from_json(json.loads(json.dumps(table_spec(table, TODAY))))

    assert spec.names == ("item_code", "ndc11", "start", "labeler", "end")
    assert spec.columns[0] == ColumnSpec("item_code")
    assert spec.columns[3] == ColumnSpec("labeler", derived="before", source="item_code", separator="-")
    assert spec.columns[4].date == DateSpec(r"^([0-9]{4})\-([0-9]{2})\-([0-9]{2})$", 1, 2, 3)
    assert spec.rules == (
        RuleSpec("ColumnOrder", columns=("start", "end")),
        RuleSpec("RowCount", between=(1, 5)),
    )
    assert (spec.key, spec.samples_by) == (("item_code",), ("item_code",))
