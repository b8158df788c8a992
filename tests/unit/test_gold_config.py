"""Gold tables in a config: what is refused, and where; and whether transforms.py can make them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from configs import a_config, accepted, refused

from pharmaetl.catalog import Catalog, Dataset
from pharmaetl.config.configfile import InvalidConfigError
from pharmaetl.validation import validate

FUNCTION = "def gold_mapping(tables, as_of):\n    return tables['codes']\n"


def a_gold_table(**changes: Any) -> dict[str, Any]:
    return {"name": "mapping", "columns": [{"name": "ndc11", "type": "ndc11"}, {"name": "rxcui"}]} | changes


def with_gold(*tables: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return a_config(gold=list(tables), **changes)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"columns": []}, "gold.0.columns: expected at least one"),
        ({"name": "codes"}, "gold.0.name: codes is a silver table already"),
        ({"name": "a" * 51}, "gold.0.name"),
        ({"key": ["ndc12"]}, "gold.0.key.0: there is no column 'ndc12' in gold table mapping (did you mean ndc11?)"),
        ({"columns": [{"name": "a"}, {"name": "a"}]}, "gold.0.columns.1.name: column 'a' is there twice"),
        (
            {"columns": [{"name": "record_hash"}]},
            "gold.0.columns.0.name: record_hash: record_hash and names that begin with meta_ are the lake's own",
        ),
        (
            {"quality": [{"rule": "IsComplete", "column": "ndc11", "on_fail": "quarantine"}]},
            "gold.0.quality.0.on_fail: a gold table has no quarantine: refuse the rows where they are read, in silver",
        ),
        (
            {"quality": [{"rule": "ColumnValues", "column": "rxcui", "between": [1, "2"]}]},
            "gold.0.quality.0.between.0: rxcui has type string: expected a text, not 1",
        ),
        (
            {"quality": [{"rule": "IsComplete", "column": "rxcuis"}]},
            "gold.0.quality.0.column: there is no column 'rxcuis' in gold table mapping (did you mean rxcui?)",
        ),
    ],
)
def test_a_mistake_in_a_gold_table_is_told_with_its_place(table: dict[str, Any], said: str) -> None:
    (found,) = refused(with_gold(a_gold_table(**table)))

    assert said in found


def a_reference(table: str, column: str) -> dict[str, Any]:
    return {"rule": "ReferentialIntegrity", "column": "rxcui", "references": {"table": table, "columns": [column]}}


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        ("code", "item_code", "references.table: there is no table 'code' (known: codes, mapping, other)"),
        ("codes", "item", "references.columns.0: there is no column 'item' in table codes (did you mean item_code?)"),
        ("codes", "start", "references.columns.0: rxcui has type string, but start has type date"),
        ("other", "rxcuis", "references.columns.0: there is no column 'rxcuis' in table other"),
    ],
)
def test_a_gold_table_s_reference_to_nothing_is_told(table: str, column: str, said: str) -> None:
    child = a_gold_table(quality=[a_reference(table, column)])

    (found,) = refused(with_gold(child, a_gold_table(name="other", columns=[{"name": "ingredient"}])))

    assert said in found


def test_a_gold_table_may_refer_to_silver_and_to_gold_and_silver_to_silver_alone() -> None:
    other = a_gold_table(name="other", columns=[{"name": "rxcui"}])
    quality = [a_reference("codes", "item_code"), a_reference("other", "rxcui")]

    assert accepted(with_gold(a_gold_table(quality=quality), other)).gold[0].quality[1].references is not None

    silver = a_config(gold=[other])
    silver["tables"][0] |= {"quality": [{**a_reference("other", "rxcui"), "column": "item_code"}]}
    assert "there is no table 'other' (known: codes)" in refused(silver)[0]


def test_two_gold_tables_of_one_name_are_refused() -> None:
    assert refused(with_gold(a_gold_table(), a_gold_table())) == ["gold.1.name: gold table 'mapping' is there twice"]


def test_a_required_column_may_be_gold_s_alone() -> None:
    config = with_gold(a_gold_table(), data_quality={"required_columns": ["rxcui"]})

    assert accepted(config).data_quality.required_columns == ("rxcui",)


def a_dataset(root: Path, code: str | None, name: str = "codes", **changes: Any) -> Dataset:
    """A dataset in a folder, with gold and perhaps a transforms.py."""
    folder = root / "fda" / name
    (folder / "config").mkdir(parents=True)
    config = {"dataset": name, "gold": [a_gold_table()]} | changes
    (folder / "config" / "dataset.json").write_text(json.dumps(a_config(**config), indent=2))
    if code is not None:
        (folder / "transforms.py").write_text(code)
    return Dataset(folder)


def problems_of(dataset: Dataset) -> list[str]:
    with pytest.raises(InvalidConfigError) as raised:
        _ = dataset.config
    return [str(problem).removeprefix(f"{dataset.folder}/") for problem in raised.value.problems]


def test_a_gold_table_without_a_transforms_py_is_told_with_its_place_in_the_config(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path, None)

    (said,) = problems_of(dataset)

    assert said == (
        "config/dataset.json:27:15: gold.0.name: gold table mapping is made by transforms.py,"
        f" which {dataset.folder} lacks (write transforms.py there, with def gold_mapping(tables, as_of): …)"
    )
    assert '"name": "mapping"' in dataset.config_path.read_text().splitlines()[26]


def test_a_gold_table_without_its_function_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    near = a_dataset(tmp_path / "a", "def gold_maping(tables, as_of): ...\n")
    far = a_dataset(tmp_path / "b", "def silver_codes(rows): ...\n")

    assert problems_of(near) == [
        "config/dataset.json:27:15: gold.0.name: transforms.py has no function gold_mapping (did you mean gold_maping?)"
    ]
    assert problems_of(far)[0].endswith("has no function gold_mapping (def gold_mapping(tables, as_of): …)")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import x\ndef gold_mapping(:\n", "transforms.py:2:18: not Python: invalid syntax"),
        ("x = 1\n\0", "transforms.py:1:1: not Python: source code string cannot contain null bytes"),
        ("\n\ndef gold_mapping(tables):\n    ...\n", "transforms.py:3:1: gold_mapping must take two arguments"),
        ("def gold_mapping(tables, as_of, more): ...\n", "transforms.py:1:1: gold_mapping must take two arguments"),
        ("def gold_mapping(a, b, *, more): ...\n", "transforms.py:1:1: gold_mapping must take two arguments"),
        ("class gold_mapping: ...\n", "config/dataset.json:27:15: gold.0.name: transforms.py has no function"),
        ("class A:\n    def gold_mapping(a, b): ...\n", "config/dataset.json:27:15: gold.0.name: transforms.py has no"),
    ],
)
def test_code_that_can_not_make_the_table_is_told_with_its_line(tmp_path: Path, code: str, said: str) -> None:
    (found,) = problems_of(a_dataset(tmp_path, code))

    assert found.startswith(said)


@pytest.mark.parametrize(
    "code",
    [
        FUNCTION,
        "def gold_mapping(*both): ...\n",
        "def gold_mapping(tables, as_of, more=None): ...\n",
        "def gold_mapping(tables, _as_of, released): ...\n",
        "def gold_mapping(tables, as_of, *, released): ...\n",
        "from shared import gold_mapping\n",
        "from shared import other as gold_mapping\n",
        "from shared import *\n",
        "gold_mapping = other = partial(print)\n",
        "gold_mapping: Callable = print\n",
        "try:\n    import a\nexcept ImportError:\n    def gold_mapping(a, b): ...\n",
        "if True:\n    pass\nelse:\n    gold_mapping = print\n",
    ],
)
def test_code_that_has_the_function_in_any_way_is_accepted_without_running_it(tmp_path: Path, code: str) -> None:
    dataset = a_dataset(tmp_path, code + "raise SystemExit('it ran')\n")

    assert [table.name for table in dataset.config.gold] == ["mapping"]


def test_one_gold_table_of_two_datasets_is_an_error_of_both_and_of_no_third(tmp_path: Path) -> None:
    one, two = a_dataset(tmp_path, FUNCTION, "one"), a_dataset(tmp_path, FUNCTION, "two")
    a_dataset(tmp_path, None, "three", gold=[])

    found = {validation.path: validation.problems for validation in validate(Catalog(tmp_path), None)}

    assert [str(problem).partition(": ")[2] for problem in found[str(one.config_path)]] == [
        f"gold.0.name: mapping is a gold table of another dataset too: {two.config_path} (rename one of them)"
    ]
    assert [(problem.line, problem.column) for problem in found[str(two.config_path)]] == [(27, 15)]
    assert found[str(tmp_path / "fda" / "three" / "config" / "dataset.json")] == ()
    by_folder = validate(Catalog(tmp_path), str(one.folder))[0]
    assert by_folder.problems == found[str(one.config_path)]
    with pytest.raises(InvalidConfigError, match="mapping is a gold table of another dataset too"):
        _ = Catalog(tmp_path).find("one").config


def test_an_unreadable_neighbour_claims_nothing(tmp_path: Path) -> None:
    a_dataset(tmp_path, FUNCTION, "one")
    for number, text in enumerate(("{", "[1]", '{"gold": 1}', '{"gold": [1, {"nam": 1}]}', "\udcff")):
        folder = tmp_path / "nlm" / f"broken{number}" / "config"
        folder.mkdir(parents=True)
        (folder / "dataset.json").write_bytes(text.encode("utf-8", "surrogateescape"))

    assert Catalog(tmp_path).find("one").config.gold[0].name == "mapping"


def test_a_dataset_of_mine_may_not_claim_a_shipped_gold_table_but_may_replace_its_dataset(tmp_path: Path) -> None:
    shipped, mine = tmp_path / "shipped", tmp_path / "mine"
    a_dataset(shipped, FUNCTION, "codes")
    a_dataset(mine, FUNCTION, "stock")
    with pytest.raises(InvalidConfigError, match="of another dataset too"):
        _ = Catalog(mine, behind=shipped).find("stock").config

    a_dataset(mine, FUNCTION, "codes", gold=[])
    assert Catalog(mine, behind=shipped).find("stock").config.gold[0].name == "mapping"
