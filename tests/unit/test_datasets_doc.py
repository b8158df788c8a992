"""docs/datasets.md says of every key what the config's schema says. PHARMAETL_UPDATE_GOLDEN=1 writes it anew."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pharmaetl.config import configfile, goldfunctions
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.config.dates import parse_pattern

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"
KEYS = re.compile(r"(<!-- keys:[^\n]*-->\n)(.*)(<!-- end of keys -->)", re.DOTALL)
EXAMPLE = re.compile(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)


def the_keys() -> str:
    """A table for each object of a config, in the order in which they are met."""
    schema = DatasetConfig.model_json_schema()
    objects = [("the file", schema), *((name, schema["$defs"][name]) for name in met_in(schema, schema["$defs"]))]
    return "\n".join("\n".join(table(name, found)) for name, found in objects)


def met_in(part: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """The names of all objects in a part of a schema, and in those."""
    names: list[str] = []
    waiting = references(part["properties"])
    while waiting:
        name = waiting.pop(0)
        if name not in names and "properties" in definitions[name]:
            names.append(name)
            waiting = [*references(definitions[name]["properties"]), *waiting]
    return names


def references(part: Any) -> list[str]:
    return re.findall(r'"#/\$defs/(\w+)"', json.dumps(part))


def table(name: str, found: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n\n| key | default | |\n|---|---|---|"
    needed = found.get("required", [])
    for key, value in found["properties"].items():
        default = "needed" if key in needed else as_text(value.get("default"))
        yield f"| `{key}` | {default} | {value['description'].replace('|', chr(92) + '|')} |"
    yield ""


def as_text(value: Any) -> str:
    return "" if value in (None, "", [], {}) or isinstance(value, dict) else f"`{json.dumps(value)}`"


def test_every_key_of_a_config_is_explained_as_the_schema_explains_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    expected = KEYS.sub(lambda found: found[1] + the_keys() + found[3], text)
    if os.environ.get("PHARMAETL_UPDATE_GOLDEN") == "1":
        PAGE.write_text(expected, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == expected
    assert "| `delimiter` |" in expected


def example(name: str) -> DatasetConfig:
    """The config of an example dataset."""
    examples = dict(EXAMPLE.findall(PAGE.read_text(encoding="utf-8")))
    return configfile.parse(examples[f"datasets/fda/{name}/config/dataset.json"], "the example", folder=name)


def test_the_example_configs_are_valid() -> None:
    assert [table.dialect.delimiter for table in example("approvals").tables] == ["~"]
    assert [(table.name, len(table.quality)) for table in example("recalls").gold] == [("recalled_ndc", 2)]


def test_the_example_of_gold_has_a_function_for_its_table(tmp_path: Path) -> None:
    for path, text in EXAMPLE.findall(PAGE.read_text(encoding="utf-8")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    folder = tmp_path / "datasets" / "fda" / "recalls"
    found = goldfunctions.problems(
        example("recalls").gold, folder / "config" / "dataset.json", folder / "transforms.py"
    )
    assert list(found) == []


def test_the_date_formats_in_the_table_are_formats() -> None:
    rows = re.findall(r"^\| \S.*? \| (`[yMd].*`.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    formats = [pattern for row in rows for pattern in re.findall("`([^`]+)`", row)]
    assert len(formats) == 6
    for pattern in formats:
        parse_pattern(pattern)
