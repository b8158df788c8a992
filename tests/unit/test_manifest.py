"""The publish log: what it holds, and what is done about a damaged one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from publishing import RUN_A, RUN_B, RUN_C, candidate, edit, linear, no_flush, publish

from pharmaetl.errors import (
    CorruptLogError,
    NotStoredError,
)
from pharmaetl.lake import manifest
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.storage import Stored

FIRST, SECOND = "manifests/nsde/00000001.json", "manifests/nsde/00000002.json"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", no_flush)
    return tmp_path / "lake"


@pytest.fixture
def storage(lake: Path) -> LocalStorage:
    return LocalStorage(lake)


def current_run(storage: LocalStorage) -> str | None:
    entry = manifest.current(storage, "nsde")
    return entry.run_id if entry else None


def test_an_empty_lake_has_an_empty_log(storage: LocalStorage, lake: Path) -> None:
    assert manifest.entries(storage, "nsde") == ()
    assert manifest.current(storage, "nsde") is None
    assert manifest.find(storage, "nsde", RUN_A) is None
    assert manifest.verify(storage, "nsde") == ()
    assert manifest.rebuild_state(storage, "nsde") is None
    assert not lake.exists()


def test_a_commit_becomes_current_and_lists_every_file(storage: LocalStorage) -> None:
    entry = publish(storage, RUN_A)
    assert (entry.sequence, entry.parent, entry.action, entry.version) == (1, None, "publish", "2026-11-20")
    assert manifest.current(storage, "nsde") == entry
    stored = json.loads(storage.read(FIRST))
    assert stored["run_id"] == RUN_A
    assert [file["path"] for file in stored["tables"][0]["files"]] == [
        "silver/nsde/version=2026-11-20/run=20261120T030000Z-aaaaaaaa/part-0.parquet",
        "silver/nsde/version=2026-11-20/run=20261120T030000Z-aaaaaaaa/part-1.parquet",
    ]
    assert storage.read("manifests/nsde.json") == storage.read(FIRST)


def test_commits_form_a_chain(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B, RUN_C)
    assert [entry.run_id for entry in linear(storage)] == [RUN_A, RUN_B, RUN_C]
    found = manifest.find(storage, "nsde", RUN_B)
    assert found is not None
    assert found.sequence == 2
    assert manifest.verify(storage, "nsde") == ()


def test_the_log_of_one_dataset_is_not_that_of_another_with_a_longer_name(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    storage.create("manifests/nsde_old/00000001.json", b"{}")
    assert [entry.run_id for entry in manifest.entries(storage, "nsde")] == [RUN_A]


def test_a_commit_whose_files_are_missing_is_refused(storage: LocalStorage) -> None:
    version = candidate(storage, RUN_A)
    storage.delete(version.tables[0].files[1].path)
    with pytest.raises(NotStoredError, match=r"part-1\.parquet is not there"):
        manifest.commit(storage, version, None)
    assert manifest.current(storage, "nsde") is None


def test_current_does_not_trust_the_state_file(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)
    storage.replace("manifests/nsde.json", storage.read(FIRST))
    assert current_run(storage) == RUN_B


def test_current_reads_no_older_entry(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A, RUN_B)
    (lake / FIRST).write_text("not JSON")
    assert current_run(storage) == RUN_B


def test_keys_of_a_newer_writer_of_the_same_format_are_ignored(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A)
    edit(lake, FIRST, added_later={"x": 1})
    assert current_run(storage) == RUN_A


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda file: file.write_bytes(b""), "the file is empty"),
        (lambda file: file.write_bytes(file.read_bytes()[:-20]), "truncated (line "),
        (lambda file: file.write_bytes(b'{"format": 1, "dataset": "ns'), "truncated (line 1, column 26: Unterminated"),
        (lambda file: file.write_bytes(b"<html>"), "not JSON (line 1, column 1: Expecting value)"),
        (lambda file: file.write_bytes(b"\xff\xfe\x00"), "not JSON ("),
        (lambda file: file.write_bytes(b"[" * 200_000), "not JSON ("),
        (lambda file: file.write_bytes(b"[]"), "not a JSON object"),
        (lambda file: file.write_bytes(b"{}"), "dataset: Field required"),
        (
            lambda file: edit(file.parent, file.name, format=2),
            "written in format 2; this pharmaetl reads formats up to 1",
        ),
        (
            lambda file: edit(file.parent, file.name, sequence=3),
            "it says it is entry 3 of nsde, its name says otherwise",
        ),
        (lambda file: edit(file.parent, file.name, dataset="x"), "it says it is entry 2 of x, its name says otherwise"),
        (lambda file: edit(file.parent, file.name, tables=7), "tables: Input should be a valid array"),
        (
            lambda file: edit(file.parent, file.name, tables=[{"name": "t", "path": "../x", "rows": 0, "files": []}]),
            "it lists a file outside the lake: '../x'",
        ),
    ],
)
def test_a_damaged_entry_is_refused_by_name_and_found_by_verify(
    storage: LocalStorage, lake: Path, damage: Callable[[Path], object], problem: str
) -> None:
    publish(storage, RUN_A, RUN_B)
    damage(lake / SECOND)
    for reader in (manifest.current, manifest.entries):
        with pytest.raises(CorruptLogError) as refused:
            reader(storage, "nsde")
        assert refused.value.reason.startswith(f"{SECOND}: {problem}")
        assert refused.value.exit_code == 7
        assert refused.value.hint
    finding = next(finding for finding in manifest.verify(storage, "nsde") if finding.path == SECOND)
    assert finding.problem.startswith(problem)
    assert finding.severity == "error"


def test_a_gap_is_refused_and_found(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A, RUN_B, RUN_C)
    (lake / SECOND).unlink()
    for reader in (manifest.current, manifest.entries):
        with pytest.raises(CorruptLogError, match="gap in the log: entry 2 is missing"):
            reader(storage, "nsde")
    assert [(finding.path, finding.severity) for finding in manifest.verify(storage, "nsde")] == [(SECOND, "error")]


def test_a_gap_of_millions_is_refused_at_once(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    storage.create("manifests/nsde/99999999.json", b"{}")
    with pytest.raises(CorruptLogError, match="entries 2 to 99999998 are missing"):
        manifest.current(storage, "nsde")
    assert len(manifest.verify(storage, "nsde")) == 3


def test_a_folder_listed_while_it_grows_is_no_gap(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B, RUN_C)

    class Late(LocalStorage):
        """Lists what is there but the second entry."""

        def list(self, prefix: str) -> Iterator[Stored]:
            return (stored for stored in super().list(prefix) if stored.path != SECOND)

    assert len(linear(Late(Path(storage.root)))) == 3


def test_a_broken_chain_is_refused_and_found(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A, RUN_B)
    edit(lake, SECOND, parent="0" * 32)
    with pytest.raises(CorruptLogError, match="the chain is broken: its parent is 00000000"):
        manifest.entries(storage, "nsde")
    assert manifest.verify(storage, "nsde")[0].problem.startswith("the chain is broken")
