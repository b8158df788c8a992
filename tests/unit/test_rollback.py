"""Going back to an older version, and the law that the log stays one chain whatever happens."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publishing import RUN_A, RUN_B, RUN_C, RUN_D, candidate, linear, no_flush, publish

from pharmaetl.errors import ConflictError, RefusedError, UsageError
from pharmaetl.lake import manifest
from pharmaetl.lake.documents import LogEntry
from pharmaetl.lake.local_storage import LocalStorage


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
    monkeypatch.setattr(os, "fsync", no_flush)
    return LocalStorage(tmp_path / "lake")


def back(storage: LocalStorage, to: str | None = None) -> str:
    return manifest.rollback(storage, "nsde", to, "a bad release").run_id


def test_a_rollback_is_a_new_entry_with_the_old_files(storage: LocalStorage) -> None:
    first = publish(storage, RUN_A)
    second = publish(storage, RUN_B)
    entry = manifest.rollback(storage, "nsde", RUN_A, "labels of a draft release")
    assert (entry.sequence, entry.action, entry.parent) == (3, "rollback", second.commit_id)
    assert (entry.tables, entry.source, entry.quality, entry.version) == (
        first.tables,
        first.source,
        first.quality,
        "2026-11-20",
    )
    assert entry.reason == "labels of a draft release"
    assert entry.commit_id not in {first.commit_id, second.commit_id}
    assert manifest.current(storage, "nsde") == entry
    assert linear(storage) == (first, second, entry)
    assert manifest.verify(storage, "nsde") == ()


def test_a_run_that_was_rolled_back_to_is_still_found_as_published(storage: LocalStorage) -> None:
    first = publish(storage, RUN_A)
    publish(storage, RUN_B)
    back(storage)
    assert manifest.find(storage, "nsde", RUN_A) == first


def test_without_a_run_id_each_rollback_goes_one_version_further_back(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B, RUN_C)
    assert [back(storage), back(storage)] == [RUN_B, RUN_A]
    with pytest.raises(UsageError, match=f"no version of nsde before {RUN_A}"):
        back(storage)


def test_without_a_run_id_a_version_that_was_rolled_back_is_not_taken(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)
    back(storage)
    publish(storage, RUN_C)
    assert back(storage) == RUN_A


def test_a_rollback_can_go_forward_again_by_name(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)
    back(storage)
    assert back(storage, RUN_B) == RUN_B


def test_nothing_published_is_nothing_to_go_back_to(storage: LocalStorage) -> None:
    with pytest.raises(UsageError, match="nothing of nsde is published yet"):
        back(storage)


@pytest.mark.parametrize(
    ("to", "reason", "hint"),
    [
        (RUN_B, "is the current version of nsde", "name another"),
        ("20261120T030000Z-aaaaaaab", "no published version of run 20261120T030000Z-aaaaaaab", f"published: {RUN_A}"),
        ("x", "no published version of run x", f"published: {RUN_A}, {RUN_B}"),
    ],
)
def test_a_version_that_can_not_be_meant_is_refused(storage: LocalStorage, to: str, reason: str, hint: str) -> None:
    publish(storage, RUN_A, RUN_B)
    with pytest.raises(UsageError, match=reason) as refused:
        back(storage, to)
    assert hint in refused.value.hint
    assert len(linear(storage)) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "the file is missing"),
        (b"", "the file is empty"),
        (b"rows 1", "6 bytes instead of 35"),
        (b"rows 1 of 20261120T030000Z-aaaaaaab", "its content has changed"),
    ],
)
def test_a_version_with_a_damaged_file_is_not_gone_back_to(
    storage: LocalStorage, content: bytes | None, problem: str
) -> None:
    entry = publish(storage, RUN_A)
    publish(storage, RUN_B)
    path = entry.tables[0].files[1].path
    storage.delete(path)
    if content is not None:
        storage.create(path, content)
    with pytest.raises(RefusedError, match=problem) as refused:
        back(storage)
    assert path in refused.value.reason
    assert refused.value.exit_code == 4
    assert len(linear(storage)) == 2


def test_a_rollback_that_loses_a_race_is_a_conflict(tmp_path: Path) -> None:
    class Raced(LocalStorage):
        """Another run publishes just before this rollback commits."""

        def create(self, path: str, data: bytes) -> bool:
            if path.endswith("00000003.json"):
                publish(LocalStorage(tmp_path / "lake"), RUN_C)
            return super().create(path, data)

    publish(LocalStorage(tmp_path / "lake"), RUN_A, RUN_B)
    with pytest.raises(ConflictError, match=f"run {RUN_C} of nsde was published first") as lost:
        back(Raced(tmp_path / "lake"))
    assert "roll back again" in lost.value.hint


def test_a_run_that_loses_against_a_rollback_is_a_conflict(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    parent = publish(storage, RUN_B)
    back(storage)
    with pytest.raises(ConflictError, match="was made current again by a rollback first"):
        manifest.commit(storage, candidate(storage, RUN_D), parent)


Step = tuple[str, int]
steps = st.lists(
    st.tuples(st.sampled_from(["look", "publish", "again", "rollback", "back"]), st.integers(0, 2)), max_size=14
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_whatever_three_runners_do_in_turn_the_log_stays_one_chain(history: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", no_flush)
        storage = LocalStorage(Path(folder))
        seen: dict[int, LogEntry | None] = {}
        committed: list[str] = []
        for number, (step, runner) in enumerate(history):
            with suppress(ConflictError, UsageError):
                committed += play(storage, step, number, runner, seen)
        assert [entry.commit_id for entry in linear(storage)] == committed
        assert manifest.verify(storage, "nsde") == ()


def play(storage: LocalStorage, step: str, number: int, runner: int, seen: dict[int, LogEntry | None]) -> list[str]:
    """One step of one runner, on top of the version it looked at last; the commit it made."""
    run_id = f"20261123T0300{number:02}Z-{runner:08x}"
    match step:
        case "look":
            seen[runner] = manifest.current(storage, "nsde")
            return []
        case "publish":
            return [manifest.commit(storage, candidate(storage, run_id), seen.get(runner)).commit_id]
        case "again":
            same = candidate(storage, f"20261123T030000Z-{runner:08x}")
            return [manifest.commit(storage, same, seen.get(runner)).commit_id]
        case "rollback":
            log = manifest.entries(storage, "nsde")
            return [manifest.rollback(storage, "nsde", log[number % len(log)].run_id if log else None, "").commit_id]
        case _:
            return [manifest.rollback(storage, "nsde", None, "").commit_id]
