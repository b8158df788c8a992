"""Gold files are published, verified, rolled back to and looked at with the silver that they were made from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from configs import COLUMNS, a_config
from publishing import RUN_A, RUN_B, RUN_D, candidate, edit, made_of_it, no_flush, record
from publishing_gold import GOLD_A, GOLD_B, publish, version

from pharmaetl import api, lineage, status
from pharmaetl.catalog import Catalog
from pharmaetl.drift import profile
from pharmaetl.errors import CorruptLogError, NotStoredError, RefusedError, UsageError
from pharmaetl.lake import layout, manifest, runs
from pharmaetl.lake.local_storage import LocalStorage

OF_CDER = "20261121T030000Z-cdcdcdcd"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", no_flush)
    return tmp_path / "lake"


@pytest.fixture
def storage(lake: Path) -> LocalStorage:
    return LocalStorage(lake)


def test_one_entry_publishes_silver_and_gold(storage: LocalStorage) -> None:
    entry = publish(storage, RUN_A)

    assert [table.name for table in entry.tables] == ["nsde"]
    assert [(table.name, table.path, table.rows) for table in entry.gold] == [
        ("pharm_class", f"gold/pharm_class/version=2026-11-20/run={RUN_A}", 5)
    ]
    assert manifest.entries(storage, "nsde") == (entry,)
    state = json.loads(storage.read("manifests/nsde.json"))
    assert [file["path"] for table in state["gold"] for file in table["files"]] == [GOLD_A]


def test_gold_files_are_flushed_before_the_entry_is_there(lake: Path) -> None:
    synced: list[str] = []

    class Noting(LocalStorage):
        def sync(self, paths: Iterable[str]) -> None:
            assert not self.exists("manifests/nsde/00000001.json")
            synced.extend(paths)
            super().sync(synced)

    publish(Noting(lake), RUN_A)

    assert GOLD_A in synced
    assert len(synced) == 3


def test_a_version_whose_gold_file_is_gone_is_not_published(storage: LocalStorage) -> None:
    found = version(storage, RUN_A)
    storage.delete(GOLD_A)

    with pytest.raises(NotStoredError):
        manifest.commit(storage, found, None)
    assert manifest.entries(storage, "nsde") == ()


def test_an_entry_from_before_there_was_gold_has_none(storage: LocalStorage, lake: Path) -> None:
    entry = manifest.commit(storage, candidate(storage, RUN_A), None)
    path = lake / "manifests/nsde/00000001.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "gold"}))

    assert manifest.entries(storage, "nsde") == (entry,)
    assert (entry.gold, entry.all_tables) == ((), entry.tables)


def test_an_entry_that_lists_a_gold_file_outside_the_lake_is_refused(storage: LocalStorage, lake: Path) -> None:
    entry = publish(storage, RUN_A).model_dump(mode="json", by_alias=True)
    entry["gold"][0]["files"][0]["path"] = "gold/../../../etc/passwd"
    edit(lake, "manifests/nsde/00000001.json", gold=entry["gold"])

    with pytest.raises(CorruptLogError, match=r"it lists a file outside the lake: 'gold/../../../etc/passwd'"):
        manifest.current(storage, "nsde")


@pytest.mark.parametrize("bit", [0, 77, 319])
def test_verify_finds_a_flipped_bit_in_a_gold_file(storage: LocalStorage, lake: Path, bit: int) -> None:
    publish(storage, RUN_A, RUN_B)
    assert manifest.verify(storage, "nsde", deep=False) == ()
    data = bytearray((lake / GOLD_A).read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    (lake / GOLD_A).write_bytes(data)

    found = [(one.path, one.problem) for one in manifest.verify(storage, "nsde") if one.path.startswith("gold")]

    assert found == [(GOLD_A, "its content has changed: the sha256 is not the published one")]


def test_verify_finds_what_is_missing_cut_or_strange_in_gold_folders(storage: LocalStorage, lake: Path) -> None:
    entry = publish(storage, RUN_A, RUN_B)
    storage.delete(GOLD_A)
    (lake / GOLD_B).write_bytes(b"cut")
    stray = f"{entry.gold[0].path}/part-00001.parquet"
    storage.create(stray, b"x")
    edit(lake, "manifests/nsde/00000002.json", gold=[entry.gold[0].model_dump(mode="json") | {"rows": 6}])

    found = [(one.path, one.problem, one.severity) for one in manifest.verify(storage, "nsde", deep=False)]

    assert found[:4] == [
        ("manifests/nsde/00000002.json", "the rows of the files of table pharm_class don't add up to 6", "error"),
        (GOLD_A, "the file is missing", "error"),
        (GOLD_B, "3 bytes instead of 40", "error"),
        (stray, "in the folder of a published table, but no entry lists it", "warning"),
    ]


def test_a_rollback_brings_gold_back_with_silver(storage: LocalStorage) -> None:
    first = publish(storage, RUN_A)
    publish(storage, RUN_B)

    entry = manifest.rollback(storage, "nsde", None, "a test")

    assert (entry.tables, entry.gold) == (first.tables, first.gold)
    assert manifest.current(storage, "nsde") == entry


def test_a_rollback_to_a_version_with_a_damaged_gold_file_is_refused(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A, RUN_B)
    (lake / GOLD_A).write_bytes(b"x" * 40)

    with pytest.raises(RefusedError, match=f"can't go back to {RUN_A}: {GOLD_A}: its content has changed"):
        manifest.rollback(storage, "nsde", RUN_A, "")


def test_drift_looks_at_silver_alone(storage: LocalStorage) -> None:
    assert [found.table for found in profile.published(publish(storage, RUN_A))] == ["nsde"]


def test_status_counts_gold_with_the_dataset_whose_run_made_it(storage: LocalStorage, tmp_path: Path) -> None:
    publish(storage, RUN_A)
    publish(storage, OF_CDER, dataset="cder", gold=["nsde", "product_ingredient"])
    made_of_it(storage, RUN_D, "forgotten")
    for name in ("nsde", "cder"):
        config = tmp_path / "datasets" / "fda" / name / "config" / "dataset.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps(a_config(dataset=name)))

    found = status.status(storage, Catalog(tmp_path / "datasets"), None)

    def size(*folders: str) -> int:
        return sum(stored.bytes for folder in folders for stored in storage.list(folder))

    logs = {name: size(f"manifests/{name}", f"silver/{name}", f"runs/{name}") for name in ("nsde", "cder")}
    logs = {name: count + len(storage.read(f"manifests/{name}.json")) for name, count in logs.items()}
    assert {one.dataset: one.bytes for one in found.datasets} == {
        "nsde": logs["nsde"] + size("gold/pharm_class"),
        "cder": logs["cder"] + size("gold/nsde", "gold/product_ingredient"),
    }
    assert found.bytes == size("")
    assert [one.rows for one in found.datasets] == [7, 7]


GOLD = {"name": "pharm_class", "columns": [{"name": "code"}]}


def place(tmp_path: Path, **config: Any) -> api.Place:
    path = tmp_path / "datasets" / "fda" / "nsde" / "config" / "dataset.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(a_config({"name": "nsde", "columns": COLUMNS}, dataset="nsde", **config)))
    (path.parent.parent / "transforms.py").write_text(
        "def gold_pharm_class(tables, as_of):\n    return tables['nsde']\n"
    )
    return api.Place(str(tmp_path / "lake"), str(tmp_path / "datasets"))


def test_path_gives_the_folders_of_gold_tables(storage: LocalStorage, tmp_path: Path) -> None:
    publish(storage, RUN_A, gold=["pharm_class", "more"])
    where = place(tmp_path, gold=[GOLD])

    folders = [f"{storage.root}/gold/{name}/version=2026-11-20/run={RUN_A}" for name in ("pharm_class", "more")]
    assert api.paths(where, "nsde", "gold") == tuple(folders)
    assert api.paths(where, "nsde", "gold", "more") == (folders[1],)
    assert api.paths(where, "nsde") == (f"{storage.root}/silver/nsde/version=2026-11-20/run={RUN_A}",)


@pytest.mark.parametrize(
    ("layer", "table", "reason", "hint"),
    [
        ("gold", "pharm_clas", "nsde has no gold table 'pharm_clas'", "tables: pharm_class"),
        ("gold", "nsde", "nsde has no gold table 'nsde'",
         "it is a silver table: pharmaetl path nsde --layer silver --table nsde"),
        ("silver", "pharm_class", "nsde has no table 'pharm_class'",
         "it is a gold table: pharmaetl path nsde --layer gold --table pharm_class"),
        ("bronze", "x", "nsde has no table 'x'", "tables: nsde"),
    ],
)  # fmt: skip
def test_path_says_where_a_table_is_that_is_not_in_that_layer(
    storage: LocalStorage, tmp_path: Path, layer: Any, table: str, reason: str, hint: str
) -> None:
    publish(storage, RUN_A)

    with pytest.raises(UsageError) as raised:
        api.paths(place(tmp_path, gold=[GOLD]), "nsde", layer, table)
    assert (raised.value.reason, raised.value.hint) == (reason, hint)


@pytest.mark.parametrize(
    ("config", "reason", "hint"),
    [
        ({}, "nsde has no gold tables", "`gold` in a config describes them; docs/datasets.md says how"),
        ({"gold": [GOLD]}, f"the current version of nsde ({RUN_A}) has no gold tables: it is from before them",
         "`pharmaetl run nsde` makes them"),
    ],
)  # fmt: skip
def test_path_says_why_there_is_no_gold(
    storage: LocalStorage, tmp_path: Path, config: dict[str, Any], reason: str, hint: str
) -> None:
    manifest.commit(storage, candidate(storage, RUN_A), None)

    with pytest.raises(UsageError) as raised:
        api.paths(place(tmp_path, **config), "nsde", "gold")
    assert (raised.value.reason, raised.value.hint) == (reason, hint)


def test_repair_writes_lineage_with_gold_and_a_state_with_gold(storage: LocalStorage, tmp_path: Path) -> None:
    entry = publish(storage, RUN_A)
    made: dict[str, Any] = {"gold": [{"name": "pharm_class", "rows": 5, "path": entry.gold[0].path}]}
    runs.save(storage, record(RUN_A, outcome="published", ended_at="2026-11-23T03:01:00Z", **made))
    state = storage.read("manifests/nsde.json")
    storage.delete("manifests/nsde.json")

    api.repair(place(tmp_path, gold=[GOLD]))

    assert storage.read("manifests/nsde.json") == state
    lines = storage.read(layout.lineage_events("nsde", RUN_A)).decode().splitlines()
    (output,) = json.loads(lines[-1])["outputs"]
    assert output["name"] == f"gold/pharm_class/version=2026-11-20/run={RUN_A}"


def test_lineage_of_an_older_version_is_found_in_the_log_and_a_damaged_log_tells_no_columns(
    storage: LocalStorage, lake: Path
) -> None:
    entry = publish(storage, RUN_A)
    publish(storage, RUN_B)
    made: dict[str, Any] = {"gold": [{"name": "pharm_class", "rows": 5, "path": entry.gold[0].path}]}
    ended = record(RUN_A, outcome="published", ended_at="2026-11-23T03:01:00Z", **made)

    def facets() -> dict[str, Any]:
        (output,) = lineage.events_of(storage, ended)[-1]["outputs"]
        found: dict[str, Any] = output["facets"]
        return found

    assert facets()["schema"]["fields"] == [
        {"name": "code", "type": "string"}, {"name": "meta_run_id", "type": "string"},
    ]  # fmt: skip
    (lake / "manifests/nsde/00000001.json").write_bytes(b"{")
    assert facets() == {}
