"""How often a source changes, as the config file says it: without a word on what else is wrong there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from configs import a_config

from pharmaetl.catalog import Dataset
from pharmaetl.config import cadence
from pharmaetl.config.configfile import InvalidConfigError


def a_dataset(folder: Path, text: str | bytes) -> Dataset:
    dataset = Dataset(folder / "fda" / "nsde")
    dataset.config_path.parent.mkdir(parents=True)
    dataset.config_path.write_bytes(text.encode() if isinstance(text, str) else text)
    return dataset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"cadence": "weekly"}', "weekly"),
        ('\ufeff{"cadence": "monthly"}', "monthly"),
        ("{}", "daily"),
        ('{"cadence": "weekly", "tables": "none"}', "weekly"),
    ],
)
def test_the_cadence_is_what_the_file_says_and_daily_where_it_says_nothing(
    text: str, expected: str, tmp_path: Path
) -> None:
    assert cadence.stated(a_dataset(tmp_path, text).config_path) == expected


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"cadence": "yearly"}', '{"cadence": ["daily"]}', b"\xff{}", "[" * 100_000]
)
def test_a_file_that_states_no_cadence_is_read_as_a_whole_which_says_what_is_wrong(
    text: str | bytes, tmp_path: Path
) -> None:
    dataset = a_dataset(tmp_path, text)

    assert cadence.stated(dataset.config_path) is None
    with pytest.raises(InvalidConfigError, match=r"dataset\.json:1:"):
        _ = dataset.cadence


def test_a_missing_file_states_no_cadence(tmp_path: Path) -> None:
    assert cadence.stated(tmp_path / "dataset.json") is None


def test_a_config_that_is_there_twice_has_no_cadence(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path, json.dumps(a_config(dataset="nsde", cadence="weekly")))

    assert dataset.cadence == "weekly"
    with pytest.raises(InvalidConfigError, match="there twice"):
        _ = Dataset(dataset.folder, twin=tmp_path / "other" / "nsde").cadence
