"""What a dataset's config may say, and what is said of one that can't be right."""

from __future__ import annotations

from typing import Any

import pytest
from configs import COLUMNS, a_config, a_table, accepted, refused, table_of

from pharmaetl.config.dataset_config import DatasetConfig

ORIGINAL = {
    "dataset": "nsde",
    "source_url": "https://...",
    "bronze_job_name": "nsde-bronze-etl",
    "silver_job_name": "nsde-silver-etl",
    "bronze_crawler_name": "nsde-bronze-crawler",
    "database_name": "nsde_db",
    "glue_version": "4.0",
    "worker_type": "G.1X",
    "number_of_workers": 10,
    "data_quality": {"critical_null_threshold": 0.1, "required_columns": ["ndc11"]},
}


def with_rule(**rule: Any) -> dict[str, Any]:
    return a_config(a_table(quality=[rule]))


def with_column(**column: Any) -> dict[str, Any]:
    return a_config(a_table(columns=[*COLUMNS, column]))


def test_the_example_of_the_first_design_is_accepted_once_it_has_tables() -> None:
    config = accepted(ORIGINAL | {"tables": [a_table()]})

    assert config.bronze_job_name == "nsde-bronze-etl"
    assert config.silver_job_name == "nsde-silver-etl"
    assert config.bronze_crawler_name == "nsde-bronze-crawler"
    assert config.database_name == "nsde_db"
    assert (config.glue_version, config.worker_type, config.number_of_workers) == ("4.0", "G.1X", 10)
    assert config.data_quality.critical_null_threshold == 0.1
    assert config.data_quality.required_columns == ("ndc11",)


def test_what_a_config_leaves_out_has_a_sensible_value() -> None:
    config = accepted(a_config())

    assert (config.cadence, config.glue_version, config.number_of_workers) == ("daily", "5.1", 10)
    assert config.data_quality.model_dump() == {
        "critical_null_threshold": 0.1,
        "required_columns": (),
        "max_quarantine_fraction": 0.05,
        "min_rows_fraction": 0.8,
    }


@pytest.mark.parametrize(
    ("given", "delimiter", "quote", "header", "trailing"),
    [
        ({}, ",", '"', True, False),
        ({"format": "tsv"}, "\t", "", True, False),
        ({"format": "rrf"}, "|", "", False, True),
        ({"delimiter": ";", "quote": ""}, ";", "", True, False),
        ({"format": "rrf", "header": True, "trailing_delimiter": False}, "|", "", True, False),
    ],
)
def test_a_format_stands_for_a_dialect_of_which_each_part_can_be_changed(
    given: dict[str, Any], delimiter: str, quote: str, header: bool, trailing: bool
) -> None:
    dialect = table_of(**given).dialect

    assert (dialect.delimiter, dialect.quote, dialect.header) == (delimiter, quote, header)
    assert dialect.trailing_delimiter is trailing


def test_only_a_dataset_of_several_tables_has_a_folder_level_for_each() -> None:
    one = accepted(a_config())
    two = accepted(a_config(tables=[a_table(name=name, member=f"{name}.txt") for name in ("products", "packages")]))

    assert [one.table_level(table) for table in one.tables] == [None]
    assert [two.table_level(table) for table in two.tables] == ["products", "packages"]


def test_computed_columns_are_no_columns_of_the_file() -> None:
    table = table_of(columns=[*COLUMNS, {"name": "kind", "derived": {"function": "code_type", "source": "item_code"}}])

    assert [column.name for column in table.columns] == ["item_code", "ndc11", "start", "kind"]
    assert [column.name for column in table.source_columns] == ["item_code", "ndc11", "start"]


def test_the_names_and_sizes_of_aws_resources_do_not_decide_the_data_but_a_column_does() -> None:
    plain = accepted(a_config()).data_settings()

    assert accepted(a_config(number_of_workers=20, database_name="x", cadence="weekly")).data_settings() == plain
    assert accepted(a_config(a_table(columns=COLUMNS[:2]))).data_settings() != plain


def test_the_json_schema_describes_every_key() -> None:
    schema = DatasetConfig.model_json_schema()
    described = [schema, *schema["$defs"].values()]

    assert schema["properties"]["source_url"]["description"] == (
        "https, http or file URL, or a path; ${NAME} stands for a secret from the environment"
    )
    assert {"Column", "DataQuality", "Derived", "Rule", "Table"} <= set(schema["$defs"])
    assert [key for part in described for key, value in part["properties"].items() if "description" not in value] == []
    assert [part["title"] for part in described if part["additionalProperties"]] == []


@pytest.mark.parametrize(
    "url",
    [
        "https://download.open.fda.gov/Comprehensive_NDC_SPL_Data_Elements_File.zip",
        "HTTPS://example.org/a.zip",
        "http://localhost:8080/a.zip",
        "file:///data/a.zip",
        "releases/a.zip",
        "~/a.zip",
        "https://uts-ws.nlm.nih.gov/download?url=https://download.nlm.nih.gov/a.zip&apiKey=${UMLS_API_KEY}",
        "https://${SITE_USER}:${SITE_PASSWORD}@example.org/a.zip",
        "https://${MIRROR}/a.zip",
    ],
)
def test_a_source_may_be_on_the_web_or_on_this_machine(url: str) -> None:
    assert accepted(a_config(source_url=url)).source_url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.org/a.zip", "ftp URLs are not supported: use https, http, file or a path"),
        ("S3://bucket/a.zip", "s3 URLs are not supported: use https, http, file or a path"),
        ("file:/etc/passwd", "after file: come two slashes (three in file:///path)"),
        ("https:example.org/a.zip", "after https: come two slashes (three in file:///path)"),
        ("https://", "the URL names no host, or one that can't be read"),
        ("https://[::1/a.zip", "the URL names no host, or one that can't be read"),
        ("https://example.org:port/a.zip", "the URL names no host, or one that can't be read"),
        ("", "expected a URL or a path, without line breaks or control characters"),
        ("https://example.org/a\nb", "expected a URL or a path, without line breaks or control characters"),
        ("https://example.org/?k=${UMLS-KEY}", "a placeholder is written ${NAME}: letters, digits and _"),
        ("https://example.org/?k=${UMLS", "a placeholder is written ${NAME}: letters, digits and _"),
    ],
)
def test_a_source_that_cannot_be_fetched_is_refused(url: str, said: str) -> None:
    assert refused(a_config(source_url=url)) == [f"source_url: {said}"]


@pytest.mark.parametrize(
    "url",
    [
        "https://anna:hunter2@example.org/a.zip",
        "https://hunter2@example.org/a.zip",
        "https://example.org/a.zip?apiKey=hunter2",
        "https://example.org/a.zip?x=1&access_token=hunter2",
        "https://example.org/go?to=https%3A%2F%2Fother.org%2F%3FapiKey%3Dhunter2",
    ],
)
def test_a_secret_in_the_source_url_is_refused_without_being_repeated(url: str) -> None:
    said = refused(a_config(source_url=url))

    assert said == [
        "source_url: a key, user name or password stands in the URL (put ${NAME} there and set NAME in the environment)"
    ]


def test_every_edition_has_a_source_of_its_own() -> None:
    full = "https://example.org/full.zip?apiKey=${UMLS_API_KEY}"
    wrong = {"full": "ftp://example.org/a.zip", "key": "https://example.org/full.zip?apiKey=hunter2"}

    assert accepted(a_config(editions={"full": full})).url_of("full") == full
    assert accepted(a_config(editions={"full": full})).url_of(None) == "https://example.org/codes.zip"
    assert refused(a_config(editions=wrong)) == [
        "editions.full: ftp URLs are not supported: use https, http, file or a path",
        "editions.key: a key, user name or password stands in the URL "
        "(put ${NAME} there and set NAME in the environment)",
    ]


@pytest.mark.parametrize(
    ("release_date", "said"),
    [
        ({"matches": "Readme_([0-9]{8}"}, "matches: not a regular expression: missing ), unterminated subpattern "
                                          "at position 7"),
        ({"matches": "Readme_[0-9]{8}"}, "matches: needs a group (…) around the date"),
        ({"matches": "([0-9]{8})", "format": "MMddyy"}, "format: 'yy' in date format 'MMddyy': only yyyy, M, MM, MMM, "
                                                        "MMMM, d and dd are known"),
        ({"format": "MMddyyyy"}, "matches is missing (regular expression over member names, whose first group is the "
                                 "date)"),
    ],
)  # fmt: skip
def test_a_release_date_that_cannot_be_found_is_refused(release_date: dict[str, str], said: str) -> None:
    assert refused(a_config(release_date=release_date)) == [f"release_date.{said}"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../x", '"../x"'),
        ("NSDE", '"NSDE"'),
        ("ns de", '"ns de"'),
        ("", '""'),
        ("1st", '"1st"'),
        ("nsde\n", '"nsde\\n"'),
        ("x" * 300, '"' + "x" * 56 + "..."),
    ],
)
def test_a_dataset_name_that_makes_no_folder_is_refused(name: str, shown: str) -> None:
    assert refused(a_config(dataset=name)) == [
        f"dataset: expected lower-case letters, digits and _, a letter first, at most 41 characters, not {shown}"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"number_of_workers": -1},
            "number_of_workers: expected a number from 2 to 299, not -1",
        ),
        ({"number_of_workers": "10"}, 'number_of_workers: expected a whole number, not "10"'),
        ({"number_of_workers": 10.5}, "number_of_workers: expected a whole number, not 10.5"),
        ({"number_of_workers": True}, "number_of_workers: expected a whole number, not true"),
        ({"max_bytes": 0}, "max_bytes: expected a number above 0, not 0"),
        ({"description": None}, "description: expected a text, not null"),
        ({"data_quality": []}, "data_quality: expected an object { … }, not []"),
        ({"tables": {}}, "tables: expected an array [ … ], not {}"),
        ({"tables": []}, "tables: expected at least one item, not []"),
        ({"tables": [7]}, "tables.0: expected an object { … }, not 7"),
        (
            {"data_quality": {"critical_null_threshold": 1.7}},
            "data_quality.critical_null_threshold: expected a number from 0 to 1, not 1.7 (a fraction: 0.1 means 10 %)",
        ),
        (
            {"data_quality": {"min_rows_fraction": -0.2}},
            "data_quality.min_rows_fraction: expected a number from 0 to 1, not -0.2 (a fraction: 0.1 means 10 %)",
        ),
        (
            {"glue_version": "3.0"},
            'glue_version: expected "4.0", "5.0" or "5.1", not "3.0" (did you mean 5.0?)',
        ),
        (
            {"cadence": "monthy"},
            'cadence: expected "daily", "weekly" or "monthly", not "monthy" (did you mean monthly?)',
        ),
    ],
)
def test_a_wrong_type_or_an_impossible_value_is_refused_with_what_was_expected(
    change: dict[str, Any], said: str
) -> None:
    assert refused(a_config(**change)) == [said]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (a_config(glue_verson="5.1"), "glue_verson is no known key (did you mean glue_version?)"),
        (a_config(sourceURL="x"), "sourceURL is no known key (did you mean source_url?)"),
        (
            a_config(data_quality={"required_column": ["ndc11"]}),
            "data_quality.required_column is no known key (did you mean required_columns?)",
        ),
        (a_config(a_table(membr="*.csv")), "tables.0.membr is no known key (did you mean member?)"),
        (
            with_column(name="x", source="X", alias=["Y"]),
            "tables.0.columns.3.alias is no known key (did you mean aliases?)",
        ),
        (
            with_column(name="x", derived={"function": "before", "source": "item_code", "seperator": "/"}),
            "tables.0.columns.3.derived.seperator is no known key (did you mean separator?)",
        ),
        (
            with_rule(rule="IsComplete", column="ndc11", severty="fail"),
            "tables.0.quality.0.severty is no known key (did you mean severity?)",
        ),
        (
            a_config(data_quality={"zzz": 1}),
            "data_quality.zzz is no known key (known: critical_null_threshold, required_columns, "
            "max_quarantine_fraction, min_rows_fraction)",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(config: dict[str, Any], said: str) -> None:
    assert refused(config) == [said]


def test_a_missing_key_is_named_with_what_it_means() -> None:
    assert refused({"tables": [{"name": "a", "columns": [{"source": "X"}]}]}) == [
        "dataset is missing (the dataset's name, which is its folder's)",
        "source_url is missing (https, http or file URL, or a path; ${NAME} stands for a secret from the environment)",
        "tables.0.columns.0.name is missing (snake_case name in bronze and silver)",
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"key": ["item_cod"]}, "key.0: there is no column 'item_cod' in table codes (did you mean item_code?)"),
        (
            {"key": ["qqq"]},
            "key.0: there is no column 'qqq' in table codes (known: item_code, ndc11, start)",
        ),
        ({"key": ["ndc11", "ndc11"]}, "key.1: key column 'ndc11' is there twice"),
        (
            {"quality": [{"rule": "IsComplete", "column": "ndc"}]},
            "quality.0.column: there is no column 'ndc' in table codes (did you mean ndc11?)",
        ),
        (
            {"quality": [{"rule": "ColumnOrder", "columns": ["start", "end"]}]},
            "quality.0.columns.1: there is no column 'end' in table codes (known: item_code, ndc11, start)",
        ),
        ({"columns": [*COLUMNS, COLUMNS[1]]}, "columns.3.name: column 'ndc11' is there twice"),
        (
            {"columns": [*COLUMNS, {"name": "b", "source": "B", "aliases": ["x", "item  CODE"]}]},
            "columns.3.aliases.1: header 'item  CODE' is claimed by both item_code and b",
        ),
        (
            {"columns": [*COLUMNS, {"name": "b", "source": "ndc11"}]},
            "columns.3.source: header 'ndc11' is claimed by both ndc11 and b",
        ),
        (
            {"columns": [*COLUMNS, {"name": "b"}]},
            "columns.3.source: column b needs `source`: the file has a header row",
        ),
        ({"delimiter": "\n"}, "delimiter: '\\n' can't stand between values"),
        ({"delimiter": ";;"}, 'delimiter: expected one character, not ";;"'),
        ({"delimiter": ""}, 'delimiter: expected one character, not ""'),
        ({"delimiter": '"'}, "delimiter: '\"' can't be both delimiter and quote"),
        ({"quote": "''"}, "quote: expected one character or none, not \"''\""),
        ({"quote": "\r"}, "quote: '\\r' can't quote values"),
        ({"member": ""}, 'member: expected a path pattern, not ""'),
        ({"columns": []}, "columns: expected at least one item, not []"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(table: dict[str, Any], said: str) -> None:
    assert refused(a_config(a_table(**table))) == [f"tables.0.{said}"]


def test_a_file_without_a_header_row_needs_no_header_texts() -> None:
    table = table_of(format="rrf", columns=[{"name": "rxcui"}, {"name": "sab"}])

    assert [column.headers for column in table.columns] == [("rxcui",), ("sab",)]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"name": "Item Code"}, 'name: expected lower-case letters, digits and _, a letter first, at most 63 '
                                'characters, not "Item Code"'),
        ({"name": "record_hash"}, "name: record_hash: record_hash and names that begin with meta_ are the lake's own"),
        ({"name": "meta_line"}, "name: meta_line: record_hash and names that begin with meta_ are the lake's own"),
        ({"source": "  "}, "source: a header text can't be blank"),
        ({"aliases": ["B", ""]}, "aliases.1: a header text can't be blank"),
        ({"type": "int"}, 'type: expected "string", "date", "integer", "decimal", "boolean" or "ndc11", not "int" '
                          "(did you mean integer?)"),
        ({"format": "yyyyMMdd"}, "format: format is for dates; x has type string"),
        ({"type": "date", "format": "MM/dd/yy"}, "format: 'yy' in date format 'MM/dd/yy': only yyyy, M, MM, MMM, "
                                                 "MMMM, d and dd are known"),
        ({"type": "date", "format": ""}, "format: date format '' needs a year (yyyy), a month and a day, each once"),
        ({"code_column": "item_code"}, "code_column: code_column is for ndc11 columns; x has type string"),
        ({"type": "ndc11", "code_column": "code"}, "code_column: there is no column 'code' in table codes "
                                                   "(did you mean item_code?)"),
    ],
)  # fmt: skip
def test_a_column_that_cannot_be_read_is_refused(column: dict[str, Any], said: str) -> None:
    assert refused(with_column(**({"name": "x", "source": "X"} | column))) == [f"tables.0.columns.3.{said}"]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"derived": {"function": "before", "source": "item_code"}},
         "derived.separator: before needs `separator`, the text to cut at"),
        ({"derived": {"function": "ndc9", "source": "item_code", "separator": "-"}},
         "derived.separator: ndc9 takes no `separator`"),
        ({"derived": {"function": "ndc9", "source": "item"}},
         "derived.source: there is no column 'item' in table codes (did you mean item_code?)"),
        ({"derived": {"function": "ndc9", "source": "x"}},
         "derived.source: x is itself computed: only a column of the file can be read here"),
        ({"derived": {"function": "ndc9", "source": "item_code"}, "source": "X"},
         "source: x is computed (`derived`), so it has no header: leave source out"),
        ({"derived": {"function": "ndc9", "source": "item_code"}, "type": "integer"},
         "type: x is computed (`derived`), so it is text and no integer"),
    ],
)  # fmt: skip
def test_a_computed_column_that_cannot_be_computed_is_refused(column: dict[str, Any], said: str) -> None:
    assert refused(with_column(name="x", **column)) == [f"tables.0.columns.3.{said}"]


@pytest.mark.parametrize(
    "rule",
    [
        {"rule": "IsComplete", "column": "ndc11", "where": "item_code <> ''", "on_fail": "quarantine"},
        {"rule": "Completeness", "column": "ndc11", "threshold": 0.9, "severity": "fail"},
        {"rule": "IsUnique", "columns": ["item_code", "start"]},
        {"rule": "Uniqueness", "column": "ndc11", "threshold": 0.99},
        {"rule": "ColumnValues", "column": "item_code", "values": ["A", "B"]},
        {"rule": "ColumnValues", "column": "ndc11", "matches": "[0-9]{11}"},
        {"rule": "ColumnValues", "column": "start", "between": ["1900-01-01", "today+5y"]},
        {"rule": "ColumnValues", "column": "start", "between": ["today-30d", "today"]},
        {"rule": "ColumnValues", "column": "n", "between": [0, 9]},
        {"rule": "ColumnValues", "column": "d", "between": [-0.5, 9]},
        {"rule": "ColumnLength", "column": "item_code", "between": [1, 14]},
        {"rule": "ColumnOrder", "columns": ["start", "end"], "on_fail": "quarantine"},
        {"rule": "RowCount", "between": [1, 1000000]},
    ],
)
def test_every_rule_has_a_form_that_is_accepted(rule: dict[str, Any]) -> None:
    more = [
        {"name": "end", "source": "End", "type": "date"},
        {"name": "n", "source": "N", "type": "integer"},
        {"name": "d", "source": "D", "type": "decimal"},
    ]

    assert table_of(columns=[*COLUMNS, *more], quality=[rule]).quality[0].rule == rule["rule"]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "IsComplet", "column": "ndc11"},
         'rule: expected "IsComplete", "Completeness", "ColumnValues", "ColumnLength", "ColumnOrder", "CustomSql", '
         '"IsUnique", "Uniqueness", "RowCount", "ColumnCount", "DistinctValuesCount", "ReferentialIntegrity", '
         '"DataFreshness", "SchemaMatch", "RowCountChange", "NullShareChange" or "DistinctCountChange", '
         'not "IsComplet" (did you mean IsComplete?)'),
        ({"rule": "IsComplete"}, "column: IsComplete needs `column`"),
        ({"rule": "IsComplete", "column": "ndc11", "values": ["x"]}, "values: IsComplete takes no `values`"),
        ({"rule": "IsUnique"}, "rule: IsUnique needs `column` or `columns`, one of them"),
        ({"rule": "IsUnique", "column": "ndc11", "columns": ["start"]},
         "rule: IsUnique needs `column` or `columns`, one of them"),
        ({"rule": "IsUnique", "columns": ["ndc11", "ndc11"]}, "columns.1: column 'ndc11' is there twice"),
        ({"rule": "IsUnique", "column": "ndc11", "matches": "x"}, "matches: IsUnique takes no `matches`"),
        ({"rule": "IsUnique", "column": "ndc11", "on_fail": "quarantine"},
         "on_fail: IsUnique is about the table, so it can't send rows to quarantine"),
        ({"rule": "ColumnOrder", "columns": ["start"]},
         "columns: ColumnOrder needs two `columns`: the earlier and the later"),
        ({"rule": "ColumnValues", "column": "ndc11"},
         "rule: ColumnValues needs `values`, `matches` or `between`, one of them"),
        ({"rule": "ColumnValues", "column": "ndc11", "values": ["1"], "matches": "[0-9]"},
         "rule: ColumnValues needs `values`, `matches` or `between`, one of them, not values and matches: "
         "write a rule for each"),
        ({"rule": "ColumnValues", "column": "ndc11", "matches": "[0-9"},
         "matches: not a regular expression: unterminated character set at position 0"),
        ({"rule": "ColumnLength", "column": "ndc11"},
         "between: ColumnLength needs `between`, the lowest and the highest"),
        ({"rule": "RowCount"}, "between: RowCount needs `between`, the lowest and the highest"),
        ({"rule": "RowCount", "between": [10, 5]},
         "between: nothing lies between 10 and 5: the lower one comes first"),
        ({"rule": "RowCount", "between": [1]}, "between.1 is missing"),
        ({"rule": "RowCount", "between": [1, 2, 3]}, "between: expected 2 items, not [1, 2, 3]"),
        ({"rule": "RowCount", "between": [0, "many"]},
         "between.1: RowCount counts: expected a whole number, 0 or more, not 'many'"),
        ({"rule": "RowCount", "between": [-1, 5]},
         "between.0: RowCount counts: expected a whole number, 0 or more, not -1"),
        ({"rule": "RowCount", "between": [0, None]}, "between.1: expected a text or a number, not null"),
        ({"rule": "RowCount", "between": [0, 9], "column": "ndc11"}, "column: RowCount takes no `column`"),
        ({"rule": "ColumnValues", "column": "start", "between": ["1900-01-01", "today+5 years"]},
         "between.1: start has type date: expected a date as yyyy-MM-dd, today, or like today+5y or today-30d, "
         "not 'today+5 years'"),
        ({"rule": "ColumnValues", "column": "start", "between": ["1900-13-01", "today"]},
         "between.0: start has type date: expected a date as yyyy-MM-dd, today, or like today+5y or today-30d, "
         "not '1900-13-01'"),
        ({"rule": "ColumnValues", "column": "start", "between": ["2020-01-01", "2019-01-01"]},
         "between: nothing lies between '2020-01-01' and '2019-01-01': the lower one comes first"),
        ({"rule": "ColumnValues", "column": "item_code", "between": ["a", 5]},
         "between.1: item_code has type string: expected a text, not 5"),
        ({"rule": "IsComplete", "column": "ndc11", "threshold": 1.5},
         "threshold: expected a number from 0 to 1, not 1.5 (a fraction: 0.1 means 10 %)"),
    ],
)  # fmt: skip
def test_a_rule_that_could_never_do_what_it_says_is_refused(rule: dict[str, Any], said: str) -> None:
    assert refused(with_rule(**rule)) == [f"tables.0.quality.0.{said}"]


@pytest.mark.parametrize(
    ("kind", "between", "said"),
    [
        ("integer", [0.5, 3], "between.0: n has type integer: expected a whole number of at most 64 bits, not 0.5"),
        ("integer", [0, 2**63], "between.1: n has type integer: expected a whole number of at most 64 bits, "
                                "not 9223372036854775808"),
        ("decimal", ["0", 1], "between.0: n has type decimal: expected a number of at most 20 digits before the point, "
                              "not '0'"),
        ("boolean", [0, 1], "between: a boolean has no range: use `values`"),
    ],
)  # fmt: skip
def test_the_limits_of_a_range_have_the_type_of_their_column(kind: str, between: list[Any], said: str) -> None:
    rule = {"rule": "ColumnValues", "column": "n", "between": between}
    table = a_table(columns=[{"name": "n", "source": "N", "type": kind}], quality=[rule])

    assert refused(a_config(table)) == [f"tables.0.quality.0.{said}"]


def test_tables_share_neither_name_nor_file() -> None:
    assert refused(a_config(tables=[a_table(member="a.txt"), a_table()])) == [
        "tables.1.member: table codes needs `member`: the dataset has several tables",
        "tables.1.name: table 'codes' is there twice",
    ]


def test_a_required_column_that_no_table_has_is_refused_with_the_nearest_one() -> None:
    assert refused(a_config(data_quality={"required_columns": ["ndc11", "ndc_11"]})) == [
        "data_quality.required_columns.1: there is no column 'ndc_11' in any table (did you mean ndc11?)"
    ]


def test_mistakes_of_every_kind_are_told_at_once() -> None:
    rules = [
        {"rule": "ColumnValues", "column": "strat", "between": ["1900-01-01", "today"], "treshold": 1},
        {"rule": "IsUniq", "column": "ndc11"},
    ]
    columns = [
        {"name": "item_code", "source": "Item Code", "typ": "string"},
        {"name": "ndc11", "source": "NDC11", "type": "ndc"},
        {"name": "start", "source": "Start Date", "type": "date", "format": "yyyymmdd"},
    ]
    config = {
        "dataset": "../nsde",
        "source_url": "ftp://example.org/a.zip",
        "number_of_workers": -10,
        "data_quality": {"critical_null_threshold": 1.7, "required_columns": ["ndc"]},
        "tables": [{"name": "codes", "columns": columns, "key": ["item"], "quality": rules}],
        "workers": 1,
    }

    assert [said.split(" (")[0] for said in refused(config)] == [
        'dataset: expected lower-case letters, digits and _, a letter first, at most 41 characters, not "../nsde"',
        "source_url: ftp URLs are not supported: use https, http, file or a path",
        "number_of_workers: expected a number from 2 to 299, not -10",
        "data_quality.critical_null_threshold: expected a number from 0 to 1, not 1.7",
        "data_quality.required_columns.0: there is no column 'ndc' in any table",
        "tables.0.columns.0.typ is no known key",
        'tables.0.columns.1.type: expected "string", "date", "integer", "decimal", "boolean" or "ndc11", not "ndc"',
        "tables.0.columns.2.format: 'mmdd' in date format 'yyyymmdd': only yyyy, M, MM, MMM, MMMM, d and dd are known",
        "tables.0.key.0: there is no column 'item' in table codes",
        "tables.0.quality.0.column: there is no column 'strat' in table codes",
        "tables.0.quality.0.treshold is no known key",
        'tables.0.quality.1.rule: expected "IsComplete", "Completeness", "ColumnValues", "ColumnLength", '
        '"ColumnOrder", "CustomSql", "IsUnique", "Uniqueness", "RowCount", "ColumnCount", "DistinctValuesCount", '
        '"ReferentialIntegrity", "DataFreshness", "SchemaMatch", "RowCountChange", "NullShareChange" or '
        '"DistinctCountChange", not "IsUniq"',
        "workers is no known key",
    ]


def test_a_mistake_is_not_told_again_by_what_follows_from_it() -> None:
    columns = [{"name": "a", "sorce": "A"}, {"name": "n", "source": "N", "type": "int"}]
    rules = [{"rule": "ColumnValues", "column": "n", "between": [1, 5]}]

    assert [said.split(" (")[0] for said in refused(a_config(a_table(columns=columns, quality=rules)))] == [
        "tables.0.columns.0.sorce is no known key",
        'tables.0.columns.1.type: expected "string", "date", "integer", "decimal", "boolean" or "ndc11", not "int"',
    ]
    assert refused(a_config(a_table(header="no", columns=[{"name": "a"}]))) == [
        'tables.0.header: expected true or false, not "no"'
    ]
