"""The gate: where each check passes, warns and fails, at the threshold itself and one row to either side of it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from configs import table_of

from pharmaetl.config.dataset_config import DataQuality, GoldTable
from pharmaetl.lake.documents import Check, LogEntry, Quality, Source, TableVersion
from pharmaetl.quality import gate as quality
from pharmaetl.quality.gate import Background, FileFacts, TableFacts
from pharmaetl.text.header import HeaderMatch

NAMES = ("item_code", "ndc11", "start")
LIMITS = DataQuality(critical_null_threshold=0.1, required_columns=("ndc11",))


def facts(rows: int = 1000, **changes: Any) -> TableFacts:
    """A table without a fault: so many rows read, and as many written. `rule` is its one quality rule."""
    rule = changes.pop("rule", None)
    name = changes.pop("name", "codes")
    measures = {
        "rows": rows,
        "rows_refused": 0,
        "rows_duplicate": 0,
        "columns": {column: {"nulls": 0} for column in NAMES},
        "rules": {},
        "keys": {},
        "findings": [],
        "digest": "",
    } | changes.pop("measures", {})
    file = FileFacts(**({"header": HeaderMatch(NAMES), "rows_read": rows} | changes))
    return TableFacts(table_of(name=name, quality=[rule] if rule else []), measures, file)


def made(rows: int = 1000, *rules: dict[str, Any], **measures: Any) -> TableFacts:
    """A gold table without a fault, as its job measures it."""
    columns = tuple({"name": name} for name in ("ndc11", "rxcui"))
    table = GoldTable.model_validate_json(
        json.dumps({"name": "mapping", "columns": columns, "quality": rules})
    ).as_table()
    found = {"rows": rows, "columns": {"ndc11": {"nulls": 0}, "rxcui": {"nulls": 0}}, "rules": {}, "keys": {}}
    return TableFacts(table, found | measures)


def published(gold: dict[str, int] | None = None, **rows: int) -> LogEntry:
    """The current version: its tables and their rows."""
    tables, made = (
        tuple(TableVersion(name=name, path=name, rows=number, files=()) for name, number in layer.items())
        for layer in (rows, gold or {})
    )
    return LogEntry(
        gold=made,
        dataset="codes",
        sequence=1,
        commit_id="c",
        parent=None,
        action="publish",
        run_id="r",
        version="2026-11-22",
        published_at="2026-11-22T03:00:00Z",
        source=Source(url="https://example.org/codes.zip"),
        config_sha256="",
        code_sha256="",
        tables=tables,
        quality=Quality(verdict="pass"),
    )


def judged(
    *tables: TableFacts, limits: DataQuality = LIMITS, current: LogEntry | None = None, accept: str | None = None
) -> Quality:
    return quality.judge(tables, limits, background(current), accept)


def background(current: LogEntry | None = None, **more: Any) -> Background:
    return Background(as_of=date(2026, 11, 23), current=current, **more)


def check_of(verdict: Quality, name: str, table: str | None = None) -> Check:
    """The only check of a name, or of a name and a table."""
    (found,) = [check for check in verdict.checks if check.name == name and table in {None, check.table}]
    return found


def outcome(table: TableFacts, name: str, **more: Any) -> tuple[str, Any]:
    found = check_of(judged(table, **more), name)
    return found.outcome, found.value


def test_a_table_without_a_fault_passes_every_check() -> None:
    verdict = judged(facts(), current=published(codes=1000))

    assert verdict.verdict == "pass"
    assert [(check.name, check.outcome) for check in verdict.checks] == [
        ("HeaderContract", "pass"),
        ("NotEmpty", "pass"),
        ("QuarantineBudget", "pass"),
        ("ShrinkGuard", "pass"),
        ("CriticalNulls", "pass"),
    ]
    assert quality.failures(verdict) == []


def test_the_verdict_is_the_worst_of_all_tables() -> None:
    sound, warned, broken = facts(), facts(name="late", replacements=3), facts(0, name="empty")

    assert judged(sound).verdict == "pass"
    assert judged(sound, warned).verdict == "warn"
    assert judged(sound, warned, broken).verdict == "fail"
    assert [(check.table, check.name) for check in quality.failures(judged(sound, warned, broken))] == [
        ("empty", "NotEmpty")
    ]


def test_a_check_that_could_not_be_made_fails_the_gate() -> None:
    verdict = quality.with_checks(judged(facts()), [Check(name="CustomSql", outcome="error")])

    assert verdict.verdict == "fail"
    assert [check.name for check in quality.failures(verdict)] == ["CustomSql"]


def test_nothing_at_all_is_no_version() -> None:
    verdict = judged()

    assert verdict.verdict == "fail"
    assert verdict.checks[0].reason == "there is no table to publish"


def test_a_table_of_which_no_row_is_left_fails() -> None:
    check = check_of(judged(facts(0, rows_read=7, measures={"rows_refused": 7})), "NotEmpty")

    assert (check.outcome, check.value, check.threshold) == ("fail", 0, 1)
    assert check.reason == "no row of 7 is left to publish"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"header": HeaderMatch((*NAMES, "new"), extras=("New",))}, "unknown column 'New'"),
        ({"header": HeaderMatch(NAMES[:2], absent=("start",))}, "column start is not in this release"),
        ({"header": HeaderMatch(NAMES, reordered=True)}, "columns in another order"),
        ({"warnings": ("junk before the zip",)}, "junk before the zip"),
        ({"replacements": 2}, "2 bytes are undefined in the file's encoding, read as U+FFFD"),
    ],
)
def test_a_file_that_is_not_quite_as_usual_is_worth_a_warning(change: dict[str, Any], reason: str) -> None:
    check = check_of(judged(facts(**change)), "HeaderContract")

    assert (check.outcome, check.reason) == ("warn", reason)
    assert check.threshold == 3


def test_an_alias_in_the_header_is_worth_no_warning() -> None:
    assert outcome(facts(header=HeaderMatch(NAMES, aliased=("Code",))), "HeaderContract") == ("pass", 3)


def test_a_warning_lists_the_first_of_many_unknown_columns_and_the_beginning_of_a_long_one() -> None:
    extras = ("x" * 5000, *(f"c{number}" for number in range(999)))
    header = HeaderMatch((*NAMES, *(f"n{number}" for number in range(1000))), extras=extras)

    reason = check_of(judged(facts(header=header)), "HeaderContract").reason

    assert reason.endswith("unknown column 'c18'; 980 more unknown columns")
    assert len(reason) < 1000


@pytest.mark.parametrize(
    ("rows", "refused", "expected"),
    [
        (10_000, 500, ("pass", 0.05)),
        (10_000, 501, ("fail", 0.0501)),
        (1_000, 100, ("pass", 0.1)),
        (1_000, 101, ("fail", 0.101)),
        (100, 50, ("pass", 0.5)),
        (100, 51, ("fail", 0.51)),
        (1, 0, ("pass", 0.0)),
    ],
)
def test_the_quarantine_budget_is_a_share_of_rows_but_a_few_rows_never_exceed_it_unless_they_are_most(
    rows: int, refused: int, expected: tuple[str, float]
) -> None:
    table = facts(rows - refused, rows_read=rows, measures={"rows_refused": refused})

    assert outcome(table, "QuarantineBudget") == expected


def test_the_quarantine_budget_counts_malformed_records_and_refused_values() -> None:
    table = facts(849, rows_read=1000, rows_malformed=100, measures={"rows_refused": 51})

    check = check_of(judged(table), "QuarantineBudget")

    assert (check.outcome, check.rows, check.value) == ("fail", 151, 0.151)
    assert check.reason == "151 of 1000 rows were refused"
    assert outcome(table, "QuarantineBudget", limits=DataQuality(max_quarantine_fraction=0.151)) == ("pass", 0.151)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(800, ("pass", 0.8)), (799, ("fail", 0.799)), (1200, ("pass", 1.2)), (1, ("fail", 0.001))],
)
def test_a_release_with_fewer_than_four_fifths_of_the_published_rows_fails(
    rows: int, expected: tuple[str, float]
) -> None:
    assert outcome(facts(rows), "ShrinkGuard", current=published(codes=1000)) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, ("fail", "10 rows where 1000 are published")),
        ("", ("fail", "10 rows where 1000 are published")),
        ("  ", ("fail", "10 rows where 1000 are published")),
        ("split in two", ("warn", "10 rows where 1000 are published; accepted: split in two")),
    ],
)
def test_a_much_smaller_release_passes_only_with_a_reason_which_is_recorded(
    accept: str | None, expected: tuple[str, str]
) -> None:
    check = check_of(judged(facts(10), current=published(codes=1000), accept=accept), "ShrinkGuard")

    assert (check.outcome, check.reason) == expected


def test_a_release_that_has_not_shrunk_needs_no_reason() -> None:
    assert outcome(facts(), "ShrinkGuard", current=published(codes=1000), accept="because") == ("pass", 1.0)


def test_an_accepted_shrink_does_not_let_an_empty_table_pass() -> None:
    assert judged(facts(0), current=published(codes=1000), accept="because").verdict == "fail"


@pytest.mark.parametrize("current", [None, published(), published(other=5, codes=0)])
def test_without_published_rows_nothing_can_shrink(current: LogEntry | None) -> None:
    verdict = judged(facts(), current=current, accept="because")

    assert "codes" not in {check.table for check in verdict.checks if check.name == "ShrinkGuard"}


def test_how_far_a_table_may_shrink_is_the_configs_to_say() -> None:
    half = DataQuality(min_rows_fraction=0.5)

    assert outcome(facts(500), "ShrinkGuard", limits=half, current=published(codes=1000)) == ("pass", 0.5)
    assert outcome(facts(499), "ShrinkGuard", limits=half, current=published(codes=1000)) == ("fail", 0.499)


def test_a_published_table_that_the_release_lacks_has_shrunk_to_nothing() -> None:
    current = published(codes=1000, packages=50)

    lost = [check for check in judged(facts(), current=current).checks if check.table == "packages"]
    accepted = judged(facts(), current=current, accept="no longer published")

    assert [(check.name, check.outcome, check.reason) for check in lost] == [
        ("ShrinkGuard", "fail", "0 rows where 50 are published")
    ]
    assert accepted.verdict == "warn"


@pytest.mark.parametrize(
    ("nulls", "expected"), [(0, ("pass", 0.0)), (100, ("pass", 0.1)), (101, ("fail", 0.101)), (1000, ("fail", 1.0))]
)
def test_a_required_column_may_be_null_up_to_the_threshold(nulls: int, expected: tuple[str, float]) -> None:
    table = facts(measures={"columns": {name: {"nulls": nulls} for name in NAMES}})

    assert outcome(table, "CriticalNulls") == expected


def test_a_failed_null_check_names_column_and_counts() -> None:
    table = facts(measures={"columns": {"ndc11": {"nulls": 500}}})

    check = check_of(judged(table), "CriticalNulls")

    assert (check.table, check.column, check.rows, check.threshold) == ("codes", "ndc11", 500, 0.1)
    assert check.reason == "500 of 1000 rows are null"


def test_the_few_rows_of_a_sample_have_not_shrunk() -> None:
    sampled = background(published(codes=1000, packages=50), sampled=True)

    verdict = quality.judge([facts(10)], LIMITS, sampled, None)

    assert verdict.verdict == "pass"
    assert "ShrinkGuard" not in {check.name for check in verdict.checks}


def test_a_required_column_is_looked_for_in_the_tables_that_have_it() -> None:
    other = facts(name="other", measures={"columns": {"product_id": {"nulls": 1000}}})

    assert check_of(judged(facts(), other), "CriticalNulls").table == "codes"


def test_refused_records_are_reported_by_rule_and_do_not_fail_by_themselves() -> None:
    table = facts(997, rows_read=1000, rows_malformed=3, malformed_rules={"unclosed_quote": 1, "field_count": 2})

    verdict = judged(table)

    assert verdict.verdict == "warn"
    assert [(check.rows, check.reason) for check in verdict.checks if check.name == "WellFormed"] == [
        (2, "field_count: refused"),
        (1, "unclosed_quote: refused"),
    ]


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (True, "unreadable_date, first on line 17: row refused"),
        (False, "unreadable_date, first on line 17: published as null"),
    ],
)
def test_an_unreadable_value_is_reported_with_its_column_and_first_line(refused: bool, reason: str) -> None:
    finding = {"rule": "unreadable_date", "column": "start", "refused": refused, "rows": 4, "line": 17}

    check = check_of(judged(facts(measures={"findings": [finding]})), "Readable")

    assert (check.outcome, check.column, check.rows, check.reason) == ("warn", "start", 4, reason)


def with_rule(scope: int, broken: int, **rule: Any) -> TableFacts:
    measured = {"rules": {"0": {"scope": scope, "broken": broken}}}
    return facts(rule={"rule": "IsComplete", "column": "start"} | rule, measures=measured)


@pytest.mark.parametrize(
    ("scope", "broken", "threshold", "expected"),
    [
        (1000, 0, 1.0, ("pass", 1.0)),
        (1000, 1, 1.0, ("fail", 0.999)),
        (10, 1, 0.9, ("pass", 0.9)),
        (10, 2, 0.9, ("fail", 0.8)),
        (10, 9, 0.1, ("pass", 0.1)),
        (1000, 997, 0.003, ("pass", 0.003)),
        (0, 0, 1.0, ("pass", 1.0)),
        (5, 5, 0.0, ("pass", 0.0)),
    ],
)
def test_a_rule_holds_where_the_share_of_complying_rows_reaches_its_threshold(
    scope: int, broken: int, threshold: float, expected: tuple[str, float]
) -> None:
    assert outcome(with_rule(scope, broken, threshold=threshold, severity="fail"), "IsComplete") == expected


def test_whether_a_broken_rule_warns_or_fails_is_its_severity() -> None:
    assert judged(with_rule(10, 1)).verdict == "warn"
    assert judged(with_rule(10, 1, severity="fail")).verdict == "fail"


def test_one_broken_row_among_millions_is_not_rounded_away() -> None:
    outcome_of_one, value = outcome(with_rule(30_000_000, 1, severity="fail"), "IsComplete")

    assert outcome_of_one == "fail"
    assert 0.9999999 < value < 1


def test_a_broken_rule_says_how_many_of_which_rows_and_shows_some() -> None:
    table = with_rule(40, 3, severity="fail")
    table.samples[0] = ["item_code=0002-0152-01, start=null"]

    check = check_of(judged(table), "IsComplete")

    assert (check.table, check.column, check.rows, check.reason) == ("codes", "start", 3, "3 of 40 rows")
    assert check.sample == ("item_code=0002-0152-01, start=null",)


@pytest.mark.parametrize(
    ("groups", "rows", "threshold", "expected"),
    [
        (0, 0, 1.0, ("pass", 1.0, "")),
        (1, 2, 1.0, ("fail", 0.998, "1 values are shared by 2 rows")),
        (5, 10, 0.99, ("pass", 0.99, "5 values are shared by 10 rows")),
        (5, 11, 0.99, ("fail", 0.989, "5 values are shared by 11 rows")),
    ],
)
def test_rows_that_share_a_key_count_against_its_uniqueness(
    groups: int, rows: int, threshold: float, expected: tuple[str, float, str]
) -> None:
    rule = {"rule": "Uniqueness", "columns": ["item_code", "start"], "threshold": threshold, "severity": "fail"}

    measured = {"keys": {"0": {"scope": 1000, "groups": groups, "rows": rows, "distinct": 1000 - rows + groups}}}

    check = check_of(judged(facts(rule=rule, measures=measured)), "Uniqueness")

    assert (check.outcome, check.value, check.reason) == expected
    assert check.column == "item_code,start"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (999, ("fail", 999, "999 rows, expected 1000 to 2000")),
        (1000, ("pass", 1000, "")),
        (2000, ("pass", 2000, "")),
        (2001, ("fail", 2001, "2001 rows, expected 1000 to 2000")),
    ],
)
def test_a_row_count_lies_between_its_limits_or_on_them(rows: int, expected: tuple[str, int, str]) -> None:
    rule = {"rule": "RowCount", "between": [1000, 2000], "severity": "fail"}

    check = check_of(judged(facts(rows, rule=rule)), "RowCount")

    assert (check.outcome, check.value, check.reason) == expected
    assert check.threshold == "1000..2000"


def test_rows_are_sampled_for_the_rules_about_rows_that_fail() -> None:
    failing, warning, passing = with_rule(10, 1, severity="fail"), with_rule(10, 1), with_rule(10, 0, severity="fail")
    count = facts(rule={"rule": "RowCount", "between": [1, 2], "severity": "fail"})

    tables = (failing, warning, passing, count)
    assert [quality.broken_rules(table, background()) for table in tables] == [[0], [], [], []]


def test_of_a_gold_table_only_what_can_apply_is_checked() -> None:
    verdict = judged(facts(), made(), current=published(codes=1000, gold={"mapping": 1000}))

    assert [check.name for check in verdict.checks if check.table == "mapping"] == [
        "NotEmpty", "ShrinkGuard", "CriticalNulls",
    ]  # fmt: skip
    assert verdict.verdict == "pass"


def test_a_gold_table_without_rows_is_a_warning_and_a_file_without_rows_a_failure() -> None:
    assert judged(facts(), made(0)).verdict == "warn"
    assert check_of(judged(facts(), made(0)), "NotEmpty", "mapping").reason == "nothing was made of silver"
    assert judged(facts(0), made(0)).verdict == "fail"


@pytest.mark.parametrize(("rows", "outcome"), [(800, "pass"), (799, "fail"), (0, "fail")])
def test_a_gold_table_may_not_shrink_more_than_others(rows: int, outcome: str) -> None:
    verdict = judged(facts(), made(rows), current=published(codes=1000, gold={"mapping": 1000}))

    assert check_of(verdict, "ShrinkGuard", "mapping").outcome == outcome


def test_a_published_gold_table_that_is_not_made_any_more_has_shrunk_to_nothing() -> None:
    verdict = judged(facts(), current=published(codes=1000, gold={"mapping": 1000}))

    assert check_of(verdict, "ShrinkGuard", "mapping").reason == "0 rows where 1000 are published"
    assert verdict.verdict == "fail"


def test_a_required_column_is_required_in_gold_too() -> None:
    table = made(columns={"ndc11": {"nulls": 101}, "rxcui": {"nulls": 0}})

    assert check_of(judged(facts(), table), "CriticalNulls", "mapping").outcome == "fail"


def test_the_rules_of_a_gold_table_are_held_against_its_measures() -> None:
    rule = {"rule": "IsUnique", "column": "ndc11", "severity": "fail"}
    table = made(1000, rule, keys={"0": {"scope": 1000, "distinct": 998, "groups": 2, "rows": 4}})
    verdict = judged(facts(), table)

    assert check_of(verdict, "IsUnique", "mapping").reason == "2 values are shared by 4 rows"
    assert verdict.verdict == "fail"
    assert quality.broken_rules(table, background()) == [0]


def test_a_gold_table_s_figures_are_compared_with_the_published_gold_table() -> None:
    rule = {"rule": "RowCountChange", "max_change": 0.1}
    verdict = judged(facts(), made(880, rule), current=published(codes=1000, gold={"mapping": 1000}))

    assert check_of(verdict, "RowCountChange", "mapping").reason == "880 where 1,000 is published"
