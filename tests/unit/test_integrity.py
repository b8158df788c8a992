"""What `manifest verify` finds."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from publishing import RUN_A, RUN_B, RUN_C, edit, no_flush, publish, record

from pharmaetl.errors import CorruptLogError, LocalIOError
from pharmaetl.lake import manifest, runs
from pharmaetl.lake.integrity import Finding
from pharmaetl.lake.local_storage import LocalStorage

FIRST, SECOND, STATE = "manifests/nsde/00000001.json", "manifests/nsde/00000002.json", "manifests/nsde.json"
REBUILD = "`pharmaetl doctor --repair` rewrites it from the log"
PART_0 = "silver/nsde/version=2026-11-20/run=20261120T030000Z-aaaaaaaa/part-0.parquet"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", no_flush)
    return tmp_path / "lake"


@pytest.fixture
def storage(lake: Path) -> LocalStorage:
    return LocalStorage(lake)


def problems(storage: LocalStorage, *, deep: bool = True) -> list[tuple[str, str, str]]:
    return [(found.path, found.problem, found.severity) for found in manifest.verify(storage, "nsde", deep=deep)]


def test_a_missing_truncated_or_empty_file_is_found_without_reading(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A)
    (lake / PART_0).write_bytes(b"rows")
    assert problems(storage, deep=False) == [(PART_0, "4 bytes instead of 35", "error")]
    (lake / PART_0).write_bytes(b"")
    assert problems(storage, deep=False) == [(PART_0, "the file is empty", "error")]
    (lake / PART_0).unlink()
    assert problems(storage, deep=False) == [(PART_0, "the file is missing", "error")]


def test_every_single_bit_flip_is_found(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A)
    clean = (lake / PART_0).read_bytes()
    for bit in random.Random(7).sample(range(len(clean) * 8), 40):
        flipped = bytearray(clean)
        flipped[bit // 8] ^= 1 << bit % 8
        (lake / PART_0).write_bytes(flipped)
        assert problems(storage) == [(PART_0, "its content has changed: the sha256 is not the published one", "error")]
    assert problems(storage, deep=False) == []


def test_a_damaged_file_is_reported_once_with_what_helps(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A, RUN_B)
    (lake / PART_0).unlink()
    (older,) = manifest.verify(storage, "nsde")
    assert older.repair == "restore it from a backup if that version is still wanted: the current one does not use it"
    edit(lake, SECOND, tables=[])
    storage.replace(STATE, storage.read(SECOND))
    (lake / SECOND).unlink()
    storage.replace(STATE, storage.read(FIRST))
    (newest,) = manifest.verify(storage, "nsde")
    assert newest.repair == (
        "`pharmaetl run nsde --force` publishes it anew; `pharmaetl manifest rollback nsde` goes back a version"
    )


def test_a_file_that_can_not_be_read_is_a_finding(lake: Path) -> None:
    class Rotten(LocalStorage):
        def sha256(self, path: str) -> str:
            raise LocalIOError(f"can't read {path}: Input/output error")

    publish(LocalStorage(lake), RUN_A)
    assert problems(Rotten(lake))[0] == (PART_0, f"can't read {PART_0}: Input/output error", "error")


def test_foreign_files_are_warnings(storage: LocalStorage) -> None:
    entry = publish(storage, RUN_A)
    storage.create(f"{entry.tables[0].path}/part-9.parquet", b"x")
    storage.create("manifests/nsde/notes.txt", b"x")
    storage.create("manifests/nsde/2.json", b"x")
    storage.create("silver/nsde/version=2026-11-21/run=20261121T030000Z-bbbbbbbb/part-0.parquet", b"not published")
    assert problems(storage) == [
        ("manifests/nsde/2.json", "no log entry has such a name", "warning"),
        ("manifests/nsde/notes.txt", "no log entry has such a name", "warning"),
        (
            f"{entry.tables[0].path}/part-9.parquet",
            "in the folder of a published table, but no entry lists it",
            "warning",
        ),
    ]


def test_rows_that_do_not_add_up_are_found(storage: LocalStorage, lake: Path) -> None:
    entry = publish(storage, RUN_A)
    table = entry.tables[0].model_dump(mode="json") | {"rows": 8}
    edit(lake, FIRST, tables=[table])
    storage.replace(STATE, storage.read(FIRST))
    assert problems(storage) == [(FIRST, "the rows of the files of table nsde don't add up to 8", "error")]


def test_a_run_published_twice_is_found(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A, RUN_B)
    edit(lake, SECOND, run_id=RUN_A)
    storage.replace(STATE, storage.read(SECOND))
    assert problems(storage) == [("manifests/nsde", f"run {RUN_A} was published 2 times", "error")]


def test_a_stale_or_broken_state_file_is_a_warning_that_a_rebuild_mends(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A, RUN_B)
    for content, problem in [
        (storage.read(FIRST), "stale: it is no copy of entry 2, the newest one"),
        (b"", "the file is empty"),
        (b"{", "truncated (line 1, column 2: Expecting property name enclosed in double quotes)"),
    ]:
        (lake / STATE).write_bytes(content)
        assert manifest.verify(storage, "nsde") == (Finding(STATE, problem, "warning", REBUILD),)
        assert manifest.rebuild_state(storage, "nsde") == manifest.current(storage, "nsde")
        assert manifest.verify(storage, "nsde") == ()


def test_a_log_that_lost_its_end_is_found_and_its_only_copy_is_kept(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A, RUN_B, RUN_C)
    (lake / "manifests/nsde/00000003.json").unlink()
    (found,) = manifest.verify(storage, "nsde")
    assert (found.path, found.severity) == (STATE, "error")
    assert found.problem == "the log has lost its end: this file is a copy of entry 3, the log ends at 2"
    with pytest.raises(CorruptLogError, match="a copy of entry 3, which the log has lost"):
        manifest.rebuild_state(storage, "nsde")
    storage.create("manifests/nsde/00000003.json", storage.read(STATE))
    assert manifest.verify(storage, "nsde") == ()


def test_a_log_that_is_gone_is_found(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A)
    (lake / FIRST).unlink()
    assert [severity for _, _, severity in problems(storage)] == ["error"]


def test_a_run_record_of_a_future_format_is_found(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    runs.save(storage, record(RUN_A, format=2))
    runs.save(storage, record(RUN_B))
    assert problems(storage) == [
        (f"runs/nsde/{RUN_A}.json", "written in format 2; this pharmaetl reads formats up to 1", "warning")
    ]
    assert problems(storage, deep=False) == []
