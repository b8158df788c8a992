"""Finding dataset folders, and knowing when what they depend on has changed."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from configs import COLUMNS, a_config, a_table

import pharmaetl
from pharmaetl import catalog
from pharmaetl.catalog import Catalog, Dataset, open_catalog
from pharmaetl.config.configfile import InvalidConfigError
from pharmaetl.errors import ConfigError, UsageError

PACKAGE = Path(pharmaetl.__file__).parent


def a_dataset(root: Path, name: str, org: str = "fda", **changes: Any) -> Path:
    """A dataset folder below `root`, with a config."""
    folder = root / org / name
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "dataset.json").write_text(json.dumps(a_config(**({"dataset": name} | changes))))
    return folder


def test_a_dataset_is_a_folder_below_its_organisation(tmp_path: Path) -> None:
    a_dataset(tmp_path, "nsde")
    a_dataset(tmp_path, "rxnorm", org="nlm")
    (tmp_path / "fda" / "notes").mkdir()
    (tmp_path / "README.md").touch()

    found = list(Catalog(tmp_path))

    assert [(dataset.organization, dataset.name) for dataset in found] == [("fda", "nsde"), ("nlm", "rxnorm")]
    assert Catalog(tmp_path).names() == ["nsde", "rxnorm"]
    assert Catalog(tmp_path).find("rxnorm").config.dataset == "rxnorm"


def test_an_unknown_dataset_is_a_wrong_word_with_the_nearest_right_one(tmp_path: Path) -> None:
    a_dataset(tmp_path, "nsde")
    a_dataset(tmp_path, "cder")

    with pytest.raises(UsageError) as near:
        Catalog(tmp_path).find("nsed")
    with pytest.raises(UsageError) as far:
        Catalog(tmp_path).find("../../etc")

    assert (near.value.reason, near.value.hint) == (f"no dataset 'nsed' in {tmp_path}", "did you mean nsde?")
    assert far.value.hint == "known: cder, nsde"


def test_a_config_is_called_as_its_folder(tmp_path: Path) -> None:
    a_dataset(tmp_path, "nsde", dataset="cder")

    with pytest.raises(InvalidConfigError) as raised:
        _ = Catalog(tmp_path).find("nsde").config

    assert raised.value.reason == (
        f"{tmp_path}/fda/nsde/config/dataset.json:1:13: "
        "dataset is 'cder', but its folder is 'nsde': they must be the same"
    )


def test_two_datasets_of_one_name_are_refused_and_others_are_not(tmp_path: Path) -> None:
    ours, theirs, other = a_dataset(tmp_path, "nsde"), a_dataset(tmp_path, "nsde", "nlm"), a_dataset(tmp_path, "cder")

    with pytest.raises(ConfigError) as raised:
        Catalog(tmp_path).find("nsde")
    problems = []
    for dataset in Catalog(tmp_path):
        try:
            assert dataset.config.dataset == "cder"
        except InvalidConfigError as error:
            problems.append(str(error.problems[0]))

    assert raised.value.reason == f"dataset nsde is there twice: {ours} and {theirs}"
    assert problems == [
        f"{ours}/config/dataset.json:1:1: dataset nsde is there twice, here and in {theirs} (rename one of them)",
        f"{theirs}/config/dataset.json:1:1: dataset nsde is there twice, here and in {ours} (rename one of them)",
    ]
    assert Catalog(tmp_path).find("cder").folder == other


def test_the_folder_that_was_asked_for_is_the_catalog(tmp_path: Path) -> None:
    assert open_catalog(str(tmp_path)).root == tmp_path
    assert open_catalog(str(tmp_path)).names() == []


@pytest.mark.parametrize("asked", ["nowhere", "", "~nobody-of-this-name/datasets"])
def test_a_folder_that_is_not_there_is_an_error_of_the_setup(asked: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_catalog(asked)

    assert raised.value.reason == f"datasets folder {asked!r} is not there"
    assert raised.value.hint == (
        "--datasets or PHARMAETL_DATASETS names the folder with <org>/<dataset>/config/dataset.json"
    )


def test_without_being_asked_the_nearest_datasets_folder_upwards_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_dataset(tmp_path / "datasets", "outer")
    a_dataset(tmp_path / "project" / "datasets", "inner")
    (tmp_path / "project" / "src" / "datasets" / "empty").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "src")

    assert open_catalog(None).root == tmp_path / "project" / "datasets"
    assert "inner" in open_catalog(None).names()
    assert "outer" not in open_catalog(None).names()


def test_datasets_of_ones_own_are_found_beside_those_that_come_with_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, shadowing = a_dataset(tmp_path / "datasets", "own"), a_dataset(tmp_path / "datasets", "nsde", "acme")
    monkeypatch.chdir(tmp_path)

    found = open_catalog(None)

    assert found.find("own").folder == own
    assert found.find("cder").folder == catalog.shipped() / "fda" / "cder"
    assert found.find("nsde").folder == shadowing
    assert found.find("nsde").config.dataset == "nsde"
    assert found.names().count("nsde") == 1


def test_in_a_checkout_the_packages_datasets_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(catalog.shipped().parent)

    assert open_catalog(None).names() == Catalog(catalog.shipped()).names()


def test_far_from_any_datasets_folder_those_of_the_package_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert open_catalog(None).root == catalog.shipped()
    assert "nsde" in open_catalog(None).names()


def test_every_dataset_that_comes_with_the_package_has_a_sound_config() -> None:
    datasets = list(Catalog(catalog.shipped()))

    assert [dataset.config.dataset for dataset in datasets] == [dataset.name for dataset in datasets]


def test_the_configs_hash_changes_with_the_data_it_describes_and_with_nothing_else(tmp_path: Path) -> None:
    plain = Dataset(a_dataset(tmp_path / "a", "codes"))
    reworded = Dataset(a_dataset(tmp_path / "b", "codes", description="new", number_of_workers=20))
    narrower = Dataset(a_dataset(tmp_path / "c", "codes", tables=[a_table(columns=COLUMNS[:2])]))

    assert plain.config_sha256 == reworded.config_sha256
    assert plain.config_sha256 != narrower.config_sha256


def test_the_codes_hash_changes_with_the_datasets_own_transforms(tmp_path: Path) -> None:
    folder = a_dataset(tmp_path, "codes")
    assert Dataset(folder).transforms is None
    hashes = {Dataset(folder).code_sha256}
    for code in ("one = 1\n", "two = 2\n", "one = 1\n"):
        (folder / "transforms.py").write_text(code)
        hashes.add(Dataset(folder).code_sha256)

    assert Dataset(folder).transforms == folder / "transforms.py"
    assert sorted(map(len, hashes)) == [64, 64, 64]


def test_the_codes_hash_covers_everything_that_turns_bytes_into_rows() -> None:
    # What these hold is hashed elsewhere (the config), or says how a run goes and not what comes of it.
    others = {"config/column", "config/dataset_config", "config/rule", "config/dialect", "download/transfer", "errors"}
    imported = set()
    for name in catalog.DATA_CODE:
        for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pharmaetl"):
                module = (node.module or "").replace(".", "/").removeprefix("pharmaetl").removeprefix("/")
                names = [f"{module}/{alias.name}".removeprefix("/") for alias in node.names]
                imported |= {name for name in names if (PACKAGE / f"{name}.py").is_file()}
                imported |= {module} if (PACKAGE / f"{module}.py").is_file() else set()

    covered = {*catalog.DATA_CODE, *(name for name in imported if name.startswith("spark/"))}
    assert imported - others <= covered
