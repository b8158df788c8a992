"""Reading a config file: each error with its place in the file, and no file that breaks the reader."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from configs import COLUMNS, a_config, a_table
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pharmaetl.config import configfile, jsontext
from pharmaetl.config.configfile import InvalidConfigError
from pharmaetl.errors import ConfigError


def said_of(text: str) -> list[str]:
    with pytest.raises(InvalidConfigError) as raised:
        configfile.parse(text, "dataset.json")
    return [str(problem) for problem in raised.value.problems]


def said_of_file(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    with pytest.raises(InvalidConfigError) as raised:
        configfile.read(path)
    return [str(problem).removeprefix(f"{path}:") for problem in raised.value.problems]


TEXT = """\
{
  "dataset": "codes",
  "source_url": "https://example.org/codes.zip",
  "glue_verson": "5.1",
  "data_quality": {"critical_null_threshold": 1.7},
  "tables": [
    {
      "name": "codes",
      "columns": [
        {"name": "item_code", "source": "Item Code"},
        {"source": "NDC11", "type": "ndc11"},
        {"name": "start", "source": "Start Date", "type": "date", "format": "dd.MM.yy"}
      ],
      "key": ["item_code", "ndc11"],
      "quality": [{"rule": "IsComplete", "column": 5}]
    }
  ]
}
"""


def test_every_problem_comes_with_line_and_column_from_top_to_bottom() -> None:
    assert said_of(TEXT) == [
        "dataset.json:4:3: glue_verson is no known key (did you mean glue_version?)",
        "dataset.json:5:47: data_quality.critical_null_threshold: expected a number from 0 to 1, not 1.7 "
        "(a fraction: 0.1 means 10 %)",
        "dataset.json:11:9: tables.0.columns.1.name is missing (snake_case name in bronze and silver)",
        "dataset.json:12:77: tables.0.columns.2.format: 'yy' in date format 'dd.MM.yy': only yyyy, M, MM, MMM, MMMM, "
        "d and dd are known",
        "dataset.json:15:52: tables.0.quality.0.column: expected a text, not 5",
    ]


def test_the_error_is_a_configuration_error_that_says_how_to_check_the_mended_file() -> None:
    with pytest.raises(ConfigError) as raised:
        configfile.parse('{"dataset": 7}', "nsde/dataset.json")

    assert raised.value.exit_code == 3
    assert raised.value.code == "config_invalid"
    assert raised.value.hint == "mend the file, then: pharmaetl dataset validate"
    assert raised.value.reason == (
        "nsde/dataset.json:1:1: source_url is missing (https, http or file URL, or a path; ${NAME} stands for a secret "
        "from the environment)\n"
        "nsde/dataset.json:1:1: tables is missing (the files inside the source)\n"
        "nsde/dataset.json:1:13: dataset: expected a text, not 7"
    )


def test_a_file_full_of_problems_shows_the_first_of_them() -> None:
    with pytest.raises(InvalidConfigError) as raised:
        configfile.parse(json.dumps(a_config() | {f"zz{number}": 1 for number in range(70)}), "dataset.json")

    assert len(raised.value.problems) == 70
    assert raised.value.reason.splitlines()[50:] == ["… and 20 more"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: not JSON: Expecting value (the file is empty)"),
        ("  \n ", "2:2: not JSON: Expecting value (the file is empty)"),
        ('{\n  "dataset": "nsde",\n}', "3:1: not JSON: Expecting property name enclosed in double quotes "
                                       "(no comma after the last item)"),
        ('{"tables": [1,\n]}', "2:1: not JSON: Expecting value (no comma after the last item)"),
        ('{\n  // ours\n  "dataset": "nsde"\n}', "2:3: not JSON: Expecting property name enclosed in double quotes "
                                                "(JSON has no comments)"),
        ("{'dataset': 'nsde'}", "1:2: not JSON: Expecting property name enclosed in double quotes "
                                "(JSON quotes with double quotes)"),
        ('{"dataset": "nsde"', "1:19: not JSON: Expecting ',' delimiter"),
        ('{"dataset": "nsde\n"}', "1:18: not JSON: Invalid control character at"),
        ("dataset: nsde\n", "1:1: not JSON: Expecting value"),
        ('{} {}', "1:4: not JSON: Extra data"),
        ("[]", "1:1: expected an object { … } with the dataset's settings"),
        ('"nsde"', "1:1: expected an object { … } with the dataset's settings"),
        ("null", "1:1: expected an object { … } with the dataset's settings"),
        ('{\n  "max_bytes": NaN}', "2:16: not JSON: NaN is no number that JSON can hold"),
        ('{"a": [0, -Infinity]}', "1:11: not JSON: -Infinity is no number that JSON can hold"),
        ('{"max_bytes": 1e999}', "1:15: not JSON: 1e999 is no number that JSON can hold"),
        ('{"max_bytes": ' + "9" * 5000 + "}", "1:15: not JSON: 99999999999999999... is no number that JSON can hold"),
        ('{"dataset":\n "\\ud800"}', "2:2: not JSON: half of a surrogate pair: no character"),
        ("[" * 100_000, "1:65: not JSON: nested more than 64 levels deep"),
        ('{"a":' * 900 + "1" + "}" * 900, "1:321: not JSON: nested more than 64 levels deep"),
    ],
)  # fmt: skip
def test_text_that_is_no_config_is_refused_with_its_place(text: str, said: str) -> None:
    assert said_of(text) == [f"dataset.json:{said}"]


def test_a_repeated_key_is_found_where_it_stands_for_the_second_time() -> None:
    text = """\
{
  "dataset": "codes",
  "source_url": "a.zip",
  "tables": [
    {"name": "codes", "columns": [
      {"name": "a", "source": "A", "n\\u0061me": "a2"},
      {"name": "b", "source": "name"}
    ]}
  ],
  "dataset": "codes"
}
"""
    assert said_of(text) == [
        "dataset.json:6:36: key 'name' is there twice in one object",
        "dataset.json:10:3: key 'dataset' is there twice in one object",
    ]


def test_columns_are_counted_in_characters_whatever_stands_before() -> None:
    text = json.dumps(a_config(description='ä 😀 \\ "quoted" {[,:', zz=1), ensure_ascii=False)

    column = text.index('"zz"') + 1
    assert [said.split(" (")[0] for said in said_of(text)] == [f"dataset.json:1:{column}: zz is no known key"]


def test_a_config_with_a_byte_order_mark_or_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dataset.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(a_config(), indent=2).replace("\n", "\r\n").encode())

    assert configfile.read(path).dataset == "codes"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{\n  "description": "Arzneimittel f\xfcr alle"\n}', "2:33: not UTF-8: byte 0xfc (save the file as UTF-8)"),
        ('{"dataset": "nsde"}'.encode("utf-16"), "1:1: not UTF-8: byte 0xff (save the file as UTF-8)"),
        (b"PK\x03\x04\x00\x00", "1:1: not JSON: Expecting value"),
        (b" " * (4 * 1024**2 + 1), "1:1: larger than 4194304 bytes: no config file"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    assert said_of_file(tmp_path / "dataset.json", data) == [said]


def test_a_file_that_cannot_be_read_is_one_problem_among_others(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError) as missing:
        configfile.read(tmp_path / "dataset.json")
    with pytest.raises(InvalidConfigError) as folder:
        configfile.read(tmp_path)

    assert missing.value.reason == f"{tmp_path}/dataset.json:1:1: can't be read: No such file or directory"
    assert folder.value.reason == f"{tmp_path}:1:1: can't be read: Is a directory"


def test_a_dataset_is_called_as_its_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError) as raised:
        configfile.parse(json.dumps(a_config(), indent=2), "dataset.json", folder="nsde")

    assert raised.value.reason == (
        "dataset.json:2:14: dataset is 'codes', but its folder is 'nsde': they must be the same"
    )
    assert configfile.parse(json.dumps(a_config()), "dataset.json", folder="codes").dataset == "codes"


# What follows holds for any text at all.

finite = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    )


SOUND = a_config(
    a_table(
        member="*.csv",
        columns=[*COLUMNS, {"name": "kind", "derived": {"function": "code_type", "source": "item_code"}}],
        key=["item_code"],
        quality=[
            {"rule": "ColumnValues", "column": "start", "between": ["1900-01-01", "today+5y"]},
            {"rule": "IsUnique", "columns": ["item_code"]},
        ],
    ),
    data_quality={"critical_null_threshold": 0.1, "required_columns": ["ndc11"]},
    editions={"full": "https://example.org/full.zip"},
    release_date={"matches": "Readme_([0-9]{8})", "format": "MMddyyyy"},
)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [path] * bool(path) + [deeper for key, item in inside for deeper in paths_in(item, (*path, key))]


def problems_in(text: str) -> tuple[configfile.Problem, ...]:
    """What is wrong with a text; nothing where it is a config, which then can be written and read again."""
    try:
        config = configfile.parse(text, "dataset.json")
    except InvalidConfigError as error:
        return error.problems
    assert configfile.parse(json.dumps(config.model_dump(mode="json")), "again") == config
    return ()


def parsed_or_refused(text: str) -> None:
    lines = text.split("\n")
    for problem in problems_in(text):
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='{}[]",:\\ \n01eE-+.nulltrefasNI😀\ud800', max_size=40) | st.text(max_size=30))
@example('{"":1,"":{}}')
@example('{"dataset":"\\ud800"}')
@example("-Infinity")
def test_any_text_is_a_config_or_refused_with_a_place_inside_of_it(text: str) -> None:
    parsed_or_refused(text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(paths_in(SOUND)), nested(finite | st.floats())), min_size=1, max_size=3),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_a_config_with_any_value_in_any_place_is_a_config_or_refused(
    changes: list[tuple[tuple[Any, ...], Any]], indent: int | None, ascii_only: bool
) -> None:
    config = copy.deepcopy(SOUND)
    for path, value in changes:
        place: Any = config
        for key in path[:-1]:
            place = place[key] if isinstance(place, dict | list) and _has(place, key) else {}
        if isinstance(place, dict | list) and _has(place, path[-1]):
            place[path[-1]] = value

    parsed_or_refused(json.dumps(config, indent=indent, ensure_ascii=ascii_only))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=6), nested(finite), max_size=4))
def test_the_outline_finds_every_value_of_a_text(data: dict[str, Any]) -> None:
    found = jsontext.outline(json.dumps(data, ensure_ascii=False))

    assert set(found.values) == {(), *paths_in(data)}
    for path, offset in found.values.items():
        value: Any = data
        for key in path:
            value = value[key]
        read, _ = json.JSONDecoder().raw_decode(found.text, offset)
        assert read == value


def _has(place: dict[str, Any] | list[Any], key: Any) -> bool:
    if isinstance(place, list):
        return isinstance(key, int) and key < len(place)
    return key in place
