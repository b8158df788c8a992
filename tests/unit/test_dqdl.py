"""A config's rules in AWS Glue's language: what each becomes, and that all of it fits DQDL's grammar."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from configs import COLUMNS, a_config, a_table, accepted

from pharmaetl.config import configfile
from pharmaetl.errors import UsageError
from pharmaetl.quality import dqdl

DATASETS = Path(__file__).parents[2] / "datasets"
MORE = [
    {"name": "end", "source": "End", "type": "date"},
    {"name": "n", "source": "N", "type": "integer"},
    {"name": "d", "source": "D", "type": "decimal"},
    {"name": "b", "source": "B", "type": "boolean"},
]

_STRING = r'"(?:[^"\\]|\\.)*"'
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_MOMENT = r"(?:now\(\)|\(now\(\) [+-] [0-9]+ days\))"
_VALUE = rf"(?:{_STRING}|{_MOMENT}|{_NUMBER})"
_CONDITION = (
    rf"(?:between {_VALUE} and {_VALUE}|(?:>=|<=|>|<|=) {_VALUE}|in \[{_VALUE}(?:,{_VALUE})*\]|matches {_STRING})"
)
RULE = re.compile(
    rf"[A-Z][A-Za-z]+(?: {_STRING})*(?: {_CONDITION})?(?: where {_STRING})?(?: with threshold >= {_NUMBER})?"
)
"""One rule of a ruleset, by https://github.com/awslabs/dqdl: type, parameters, condition, where, threshold."""


def rules_of(text: str) -> list[str]:
    """The rules of a ruleset, each checked against the grammar."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = re.fullmatch(r"Rules = \[\n(.*)\n\]", kept, re.DOTALL)
    assert found
    rules = [line.strip() for line in found[1].split(",\n")]
    assert [rule for rule in rules if not RULE.fullmatch(rule)] == []
    return rules


def as_dqdl(**rule: Any) -> str:
    """What one rule becomes."""
    (ruleset,) = dqdl.rulesets(accepted(a_config(a_table(columns=[*COLUMNS, *MORE], quality=[rule]))))
    rules = rules_of(ruleset.text)
    assert rules[0] == "RowCount > 0"
    return rules[1] if len(rules) > 1 else ruleset.text.splitlines()[-1]


def sql(condition: str, where: str = "") -> str:
    scope = f" where {where}" if where else ""
    return f'CustomSql "select coalesce(avg(case when {condition} then 0D else 1D end), 1D) from primary{scope}"'


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"rule": "IsComplete", "column": "ndc11", "where": "item_code <> ''"},
         "IsComplete \"ndc11\" where \"item_code <> ''\""),
        ({"rule": "Completeness", "column": "ndc11", "threshold": 0.9}, 'Completeness "ndc11" >= 0.9'),
        ({"rule": "IsUnique", "column": "ndc11"}, 'IsUnique "ndc11" where "ndc11 is not null"'),
        ({"rule": "Uniqueness", "column": "ndc11", "threshold": 0.00001},
         'Uniqueness "ndc11" >= 0.00001 where "ndc11 is not null"'),
        ({"rule": "IsUnique", "columns": ["ndc11", "n"]},
         'CustomSql "select coalesce(sum(case when copies = 1 then 1 else 0 end) / sum(copies), 1D) from (select '
         "count(*) as copies from primary where ndc11 is not null and n is not null group by ndc11, n)\" >= 1.0"),
        ({"rule": "ColumnValues", "column": "item_code", "values": ["A", 'say "B"'], "threshold": 0.99},
         'ColumnValues "item_code" in ["A","say \\"B\\""] where "item_code is not null" with threshold >= 0.99'),
        ({"rule": "ColumnValues", "column": "n", "values": ["1", "-2"]},
         'ColumnValues "n" in [1,-2] where "n is not null"'),
        ({"rule": "ColumnValues", "column": "b", "values": ["true"]}, sql("b not in (true)") + " >= 1.0"),
        ({"rule": "ColumnValues", "column": "ndc11", "matches": r"\d{11}", "where": "n > 0"},
         'ColumnValues "ndc11" matches "^(?:\\d{11})$" where "ndc11 is not null and (n > 0)"'),
        ({"rule": "ColumnValues", "column": "n", "between": [0, 9]},
         'ColumnValues "n" between -1 and 10 where "n is not null"'),
        ({"rule": "ColumnValues", "column": "d", "between": [0, 0.5]},
         'ColumnValues "d" between -0.00000001 and 0.50000001 where "d is not null"'),
        ({"rule": "ColumnValues", "column": "start", "between": ["1900-01-01", "today+5y"]},
         'ColumnValues "start" between "1899-12-31" and (now() + 1826 days) where "start is not null"'),
        ({"rule": "ColumnValues", "column": "start", "between": ["today-30d", "today"]},
         'ColumnValues "start" between (now() - 31 days) and now() where "start is not null"'),
        ({"rule": "ColumnValues", "column": "item_code", "between": ["a", "it's"]},
         sql("item_code not between 'a' and 'it\\'s'") + " >= 1.0"),
        ({"rule": "ColumnLength", "column": "ndc11", "between": [0, 11]},
         'ColumnLength "ndc11" between -1 and 12 where "ndc11 is not null"'),
        ({"rule": "ColumnLength", "column": "ndc11", "between": [1, 11], "threshold": 0.5},
         sql("length(ndc11) not between 1 and 11") + " >= 0.5"),
        ({"rule": "ColumnOrder", "columns": ["start", "end"], "where": "n = 1"},
         sql("end < start", "n = 1") + " >= 1.0"),
        ({"rule": "CustomSql", "condition": "n % 2 = 0", "threshold": 0.5}, sql("not (n % 2 = 0)") + " >= 0.5"),
        ({"rule": "RowCount", "between": [1, 9]}, "RowCount between 0 and 10"),
        ({"rule": "ColumnCount", "between": [7, 7]}, "ColumnCount between 8 and 10"),
        ({"rule": "DistinctValuesCount", "column": "n", "between": [2, 3], "where": "b"},
         'DistinctValuesCount "n" between 1 and 4 where "b"'),
        ({"rule": "DataFreshness", "column": "start", "max_age_days": 2},
         'CustomSql "select datediff(current_date(), max(start)) from primary where start <= current_date()" <= 2'),
        ({"rule": "ReferentialIntegrity", "column": "n", "references": {"table": "codes", "columns": ["n"]}},
         'ReferentialIntegrity "n" "codes.n" >= 1.0'),
        ({"rule": "ReferentialIntegrity", "columns": ["n", "b"], "threshold": 0.9,
          "references": {"table": "codes", "columns": ["n", "b"]}},
         'ReferentialIntegrity "n,b" "codes.{n,b}" >= 0.9'),
        ({"rule": "ReferentialIntegrity", "column": "n", "where": "b",
          "references": {"table": "codes", "columns": ["n"]}},
         "# ReferentialIntegrity n: DQDL's takes no where clause (b)"),
        ({"rule": "DataFreshness", "max_age_days": 2},
         "# DataFreshness of the release: its date is not in the table"),
        ({"rule": "SchemaMatch"}, "# SchemaMatch: DQDL compares with a reference dataset, not with a config"),
        ({"rule": "NullShareChange", "column": "n", "max_change": 0.5},
         "# NullShareChange n: DQDL doesn't know the publish log; the nearest is DetectAnomalies"),
    ],
)  # fmt: skip
def test_each_rule_has_its_form_or_a_reason_why_not(rule: dict[str, Any], expected: str) -> None:
    assert as_dqdl(**rule) == expected


def test_the_limits_of_the_gate_are_rules_too() -> None:
    limits = {"critical_null_threshold": 0.01, "required_columns": ["ndc11"]}
    (ruleset,) = dqdl.rulesets(accepted(a_config(data_quality=limits)))
    assert ruleset.text == (
        "# codes, table codes: the rules of its config\n"
        "Rules = [\n"
        "    # fail\n"
        "    RowCount > 0,\n"
        "    # fail\n"
        '    Completeness "ndc11" >= 0.99\n'
        "]\n"
    )


def test_a_line_break_in_a_condition_ends_no_rule() -> None:
    assert as_dqdl(rule="CustomSql", condition="n\n> 0") == sql("not (n > 0)") + " >= 1.0"


@pytest.mark.parametrize("path", sorted(DATASETS.glob("*/*/config/dataset.json")), ids=lambda path: path.parts[-3])
def test_every_shipped_config_becomes_rulesets(path: Path) -> None:
    config = configfile.read(path)
    found = dqdl.rulesets(config)
    assert [ruleset.table for ruleset in found] == [table.name for table in (*config.tables, *config.gold)]
    for ruleset in found:
        rules_of(ruleset.text)


def test_one_table_may_be_asked_for() -> None:
    tables = [a_table(member="a"), a_table(name="others", member="b")]
    config = accepted(a_config(tables=tables))
    assert [ruleset.table for ruleset in dqdl.rulesets(config, "others")] == ["others"]
    with pytest.raises(UsageError, match="codes has no table 'other'"):
        dqdl.rulesets(config, "other")


def test_a_gold_table_has_a_ruleset_too_and_may_be_empty() -> None:
    rule = {"rule": "ColumnValues", "column": "class_type", "values": ["EPC"]}
    gold = {"name": "classes", "columns": [{"name": "class_type"}, {"name": "ndc11"}], "quality": [rule]}
    config = accepted(a_config(gold=[gold], data_quality={"required_columns": ["ndc11"]}))

    assert [ruleset.table for ruleset in dqdl.rulesets(config)] == ["codes", "classes"]
    assert dqdl.rulesets(config, "classes")[0].text == (
        "# codes, gold table classes: the rules of its config\n"
        "Rules = [\n"
        "    # warn\n"
        "    RowCount > 0,\n"
        "    # fail\n"
        '    Completeness "ndc11" >= 0.9,\n'
        "    # warn\n"
        '    ColumnValues "class_type" in ["EPC"] where "class_type is not null"\n'
        "]\n"
    )
