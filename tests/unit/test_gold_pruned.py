"""What prune removes of gold, whose folders name no dataset: by the run's record and by the log."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from publishing import RUN_A, RUN_B, RUN_C, RUN_D, made_of_it, no_flush, record
from publishing_gold import GOLD_A, GOLD_B, files, publish

from pharmaetl.config.dataset_config import Retention
from pharmaetl.errors import LocalIOError, RefusedError
from pharmaetl.lake import goldfiles, layout, manifest, marks, pruned, runs
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.process import process_name
from pharmaetl.lake.prune import Pruning, Request, datasets_in, prune

LAST_ONE = Retention(versions=1, days=0)
OF_CDER = "20261121T030000Z-cdcdcdcd"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", no_flush)
    return tmp_path / "lake"


@pytest.fixture
def storage(lake: Path) -> LocalStorage:
    return LocalStorage(lake)


def swept(storage: LocalStorage, dataset: str | None = None, *, grace_hours: float = 0, **more: Any) -> Pruning:
    return prune(storage, Request(dataset, grace_hours=grace_hours, **more))


def test_a_version_that_is_given_up_loses_its_gold_too(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)

    done = swept(storage, "nsde", retentions={"nsde": LAST_ONE})

    assert [(one.run_id, one.bytes) for one in done.versions] == [(RUN_A, 70 + 40)]
    assert files(storage) == [GOLD_B]
    assert not (Path(storage.root) / "gold/pharm_class/version=2026-11-20").exists()
    assert [one for one in manifest.verify(storage, "nsde", deep=False) if one.severity == "error"] == []


def test_gold_that_the_config_has_no_longer_goes_with_its_version_whether_or_not_that_has_a_record(
    storage: LocalStorage,
) -> None:
    publish(storage, RUN_A, gold=["dropped_since"])
    publish(storage, RUN_B)
    storage.delete(layout.run_record("nsde", RUN_A))

    swept(storage, "nsde", retentions={"nsde": LAST_ONE})

    assert files(storage) == [GOLD_B]


def test_gold_of_kept_versions_stays_and_what_no_entry_lists_there_goes(storage: LocalStorage) -> None:
    entry = publish(storage, RUN_A, RUN_B)
    stray = f"{entry.gold[0].path}/part-00001.parquet"
    storage.create(stray, b"x")

    done = swept(storage, "nsde")

    assert [(one.path, one.reason) for one in done.removed] == [
        (stray, "in the folder of a published table, but no entry lists it")
    ]
    assert files(storage) == [GOLD_A, GOLD_B]


@pytest.mark.parametrize("dataset", ["nsde", None])
def test_gold_of_a_run_that_was_never_published_goes(storage: LocalStorage, dataset: str | None) -> None:
    publish(storage, RUN_A)
    made_of_it(storage, RUN_C, "pharm_class")
    made_of_it(storage, RUN_D, "never_published")
    runs.save(storage, record(RUN_C, outcome="failed"))
    runs.save(storage, record(RUN_D, process=f"{process_name().split(':')[0]}:999999999"))

    done = swept(storage, dataset)

    assert [(one.path, one.reason) for one in done.removed] == [
        (f"gold/never_published/version=2026-11-23/run={RUN_D}/part-00000.parquet",
         f"run {RUN_D} was never published: dead"),
        (f"gold/pharm_class/version=2026-11-22/run={RUN_C}/part-00000.parquet",
         f"run {RUN_C} was never published: failed"),
    ]  # fmt: skip
    assert files(storage) == [GOLD_A]


def test_gold_of_a_run_that_is_running_stays(storage: LocalStorage) -> None:
    made_of_it(storage, RUN_C, "pharm_class")
    runs.save(storage, record(RUN_C, process=process_name(), started_at="2099-01-01T00:00:00Z"))

    assert swept(storage).removed == ()


def test_a_record_that_can_not_be_read_still_says_whose_the_gold_is(storage: LocalStorage) -> None:
    made_of_it(storage, RUN_C, "pharm_class")
    storage.create(layout.run_record("cder", RUN_C), b"{")

    assert swept(storage, "nsde").removed == ()
    assert [one.dataset for one in swept(storage, "cder").removed] == ["cder"]


def test_one_dataset_s_prune_never_touches_another_s_gold(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)
    publish(storage, OF_CDER, dataset="cder", gold=["pharm_class", "product_ingredient"])
    dead = made_of_it(storage, RUN_C, "pharm_class")
    runs.save(storage, record(RUN_C, "cder", outcome="failed"))
    before = files(storage)

    keeps_one = {"nsde": LAST_ONE, "cder": LAST_ONE}
    swept(storage, "nsde", retentions=keeps_one)
    assert files(storage) == [path for path in before if path != GOLD_A]

    swept(storage, "cder", retentions=keeps_one)
    assert files(storage) == [path for path in before if path not in {GOLD_A, dead.files[0].path}]


def test_a_gold_table_called_like_a_dataset_is_not_that_dataset_s(storage: LocalStorage) -> None:
    publish(storage, RUN_A, gold=["cder"])
    runs.save(storage, record(OF_CDER, "cder", outcome="failed"))

    assert swept(storage, "cder").removed == ()
    assert files(storage) == [f"gold/cder/version=2026-11-20/run={RUN_A}/part-00000.parquet"]


def test_gold_that_no_dataset_knows_goes_only_when_all_are_pruned(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    nobodys = made_of_it(storage, RUN_C, "forgotten").files[0].path
    mine = ["gold/forgotten/README", "gold/forgotten/run=mine/part"]
    for path in mine:
        storage.create(path, b"mine")

    assert datasets_in(storage) == ("nsde",)
    assert swept(storage, "nsde").removed == ()
    assert [one.path for one in swept(storage, grace_hours=72).young if one.path.startswith("gold")] == [nobodys]
    assert [one.path for one in swept(storage, dry_run=True).removed] == [nobodys]
    done = swept(storage)
    assert [(one.path, one.dataset, one.reason) for one in done.removed] == [
        (nobodys, "", f"run {RUN_C} is in no log and has no record")
    ]
    assert files(storage) == [*mine, GOLD_A]


def damaged_entry(lake: Path) -> None:
    (lake / "manifests/nsde/00000001.json").write_bytes(b"{")


def lost_end(lake: Path) -> None:
    (lake / "manifests/nsde/00000002.json").unlink()


@pytest.mark.parametrize("damage", [damaged_entry, lost_end])
def test_no_gold_goes_where_a_log_that_may_list_it_can_not_be_relied_on(
    storage: LocalStorage, lake: Path, damage: Any
) -> None:
    publish(storage, RUN_A, RUN_B)
    storage.create("bronze/cder/x", b"another dataset of this lake")
    for run_id in (RUN_A, RUN_B):
        storage.delete(layout.run_record("nsde", run_id))
    damage(lake)

    assert [one.dataset for one in swept(storage).refused] == ["nsde"]
    assert files(storage) == [GOLD_A, GOLD_B]


def test_gold_of_a_kept_version_stays_even_where_its_record_is_gone(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    storage.delete(layout.run_record("nsde", RUN_A))

    assert swept(storage).removed == ()
    assert swept(storage, "nsde").removed == ()


def test_a_pruning_that_dies_between_silver_and_gold_leaves_a_sound_lake_and_the_next_goes_on(
    storage: LocalStorage,
) -> None:
    class Dying(LocalStorage):
        left = 0

        def delete(self, path: str) -> None:
            if not path.startswith(".work"):
                if self.left == 0:
                    raise LocalIOError("the machine is gone")
                self.left -= 1
            super().delete(path)

    publish(storage, RUN_A, RUN_B)
    dying = Dying(Path(storage.root))
    for deletions in (0, 1, 1):
        dying.left = deletions
        with pytest.raises(LocalIOError):
            swept(dying, "nsde", retentions={"nsde": LAST_ONE})
        assert [one for one in manifest.verify(storage, "nsde", deep=False) if one.severity == "error"] == []
        with pytest.raises(RefusedError):
            manifest.rollback(storage, "nsde", RUN_A, "")
    swept(storage, "nsde")

    assert pruned.run_ids(storage, "nsde") == {RUN_A}
    assert files(storage) == [GOLD_B]
    assert [path for path in files(storage, "silver") if RUN_A in path] == []


def test_prune_asks_for_no_log_where_every_gold_file_has_its_record(lake: Path) -> None:
    """A lake of many datasets is not read from end to end to find that all is well."""
    read: list[str] = []

    class Noting(LocalStorage):
        def read(self, path: str) -> bytes:
            read.append(path)
            return super().read(path)

    publish(LocalStorage(lake), RUN_A)
    rules = marks.Rules(time.time(), 0)

    assert goldfiles.of_nobody(Noting(lake), ["nsde"], rules) == ((), ())
    assert read == []
