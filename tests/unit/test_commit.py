"""Publishing at the same time as others, and over a storage that loses answers."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import publishing
import pytest
from publishing import RUN_A, RUN_B, RUN_C, candidate, linear, no_flush, publish

from pharmaetl.errors import (
    AlreadyPublishedError,
    CommitUnknownError,
    ConflictError,
    DeniedError,
    LocalIOError,
    PharmaetlError,
    UnavailableError,
)
from pharmaetl.lake import manifest
from pharmaetl.lake.local_storage import LocalStorage


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", no_flush)
    return tmp_path / "lake"


@pytest.fixture
def storage(lake: Path) -> LocalStorage:
    return LocalStorage(lake)


def test_of_two_runs_on_the_same_version_the_second_is_a_conflict(storage: LocalStorage) -> None:
    parent = publish(storage, RUN_A)
    manifest.commit(storage, candidate(storage, RUN_B), parent)
    with pytest.raises(ConflictError, match=f"run {RUN_B} of nsde was published first") as lost:
        manifest.commit(storage, candidate(storage, RUN_C), parent)
    assert lost.value.exit_code == 6
    assert "pharmaetl run nsde" in lost.value.hint
    assert lost.value.run_id == RUN_C
    assert [entry.run_id for entry in linear(storage)] == [RUN_A, RUN_B]


@pytest.mark.parametrize("same", [{"source": "s"}, {"members": "m"}])
def test_of_two_runs_with_the_same_inputs_the_second_is_told_who_published(
    storage: LocalStorage, same: dict[str, str]
) -> None:
    manifest.commit(storage, candidate(storage, RUN_A, **same), None)
    with pytest.raises(AlreadyPublishedError, match=f"already published by {RUN_A}") as late:
        manifest.commit(storage, candidate(storage, RUN_B, **same), None)
    assert late.value.by == RUN_A
    assert len(linear(storage)) == 1


def test_the_same_source_with_other_code_is_a_conflict(storage: LocalStorage) -> None:
    manifest.commit(storage, candidate(storage, RUN_A, source="s"), None)
    with pytest.raises(ConflictError) as lost:
        manifest.commit(storage, candidate(storage, RUN_B, source="s", code="newer"), None)
    assert not isinstance(lost.value, AlreadyPublishedError)


def test_no_run_is_published_twice(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)
    with pytest.raises(AlreadyPublishedError, match="as entry 1"):
        manifest.commit(storage, candidate(storage, RUN_A), manifest.current(storage, "nsde"))
    assert len(linear(storage)) == 2


def test_a_parent_that_is_not_in_the_log_is_a_conflict(storage: LocalStorage) -> None:
    parent = publish(storage, RUN_A)
    with pytest.raises(ConflictError, match="not the one that this run started from"):
        manifest.commit(storage, candidate(storage, RUN_B), parent.model_copy(update={"commit_id": "0" * 32}))


def test_eight_processes_publish_200_versions_and_lose_none(storage: LocalStorage, lake: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, publishing.__file__, str(lake)]
    workers = [subprocess.Popen([*command, str(worker), "25"], env=environment) for worker in range(8)]
    assert [process.wait(120) for process in workers] == [0] * 8
    log = linear(storage)
    assert {entry.run_id for entry in log} == {f"20261123T03{w:02}{n:02}Z-{w:08x}" for w in range(8) for n in range(25)}
    assert storage.read("manifests/nsde.json") == storage.read("manifests/nsde/00000200.json")
    assert manifest.verify(storage, "nsde") == ()
    assert list(storage.list(".work")) == []


class Flaky(LocalStorage):
    """Loses answers: the n-th create of a log entry does its work or not, and then fails."""

    def __init__(self, root: Path, *, plan: list[str], error: PharmaetlError, readable: bool = True) -> None:
        super().__init__(root)
        self.plan, self.error, self.readable = plan, error, readable

    def create(self, path: str, data: bytes) -> bool:
        step = self.plan.pop(0) if self.plan and path.startswith("manifests/") else "works"
        if step == "not sent":
            raise self.error
        created = super().create(path, data)
        if step == "answer lost":
            raise self.error
        return created and step != "asked twice"

    def read(self, path: str) -> bytes:
        if not self.readable and path.startswith("manifests/"):
            raise UnavailableError("connection reset")
        return super().read(path)


@pytest.mark.parametrize("error", [UnavailableError("timeout"), LocalIOError("input/output error")])
@pytest.mark.parametrize("step", ["answer lost", "asked twice"])
def test_a_commit_whose_answer_was_lost_is_a_success(lake: Path, error: PharmaetlError, step: str) -> None:
    storage = Flaky(lake, plan=[step], error=error)
    entry = manifest.commit(storage, candidate(storage, RUN_A), None)
    assert linear(storage) == (entry,)


def test_a_commit_that_was_not_sent_is_sent_again(lake: Path) -> None:
    storage = Flaky(lake, plan=["not sent", "works"], error=UnavailableError("timeout"))
    entry = manifest.commit(storage, candidate(storage, RUN_A), None)
    assert linear(storage) == (entry,)


def test_a_commit_that_never_gets_through_is_unknown_and_deletes_nothing(lake: Path) -> None:
    storage = Flaky(lake, plan=["not sent"] * 9, error=UnavailableError("timeout"))
    with pytest.raises(CommitUnknownError, match="may be published or not") as unknown:
        manifest.commit(storage, candidate(storage, RUN_A), None)
    assert unknown.value.exit_code == 6
    assert unknown.value.run_id == RUN_A
    assert len(list(storage.list("silver"))) == 2


def test_a_commit_that_can_not_be_read_back_is_unknown_and_deletes_nothing(lake: Path) -> None:
    storage = Flaky(lake, plan=["answer lost"], error=UnavailableError("timeout"), readable=False)
    with pytest.raises(CommitUnknownError, match="connection reset"):
        manifest.commit(storage, candidate(storage, RUN_A), None)
    storage.readable = True
    assert len(linear(storage)) == 1


@pytest.mark.parametrize("error", [LocalIOError("disk full"), DeniedError("403")])
def test_a_commit_that_surely_failed_is_that_failure(lake: Path, error: PharmaetlError) -> None:
    storage = Flaky(lake, plan=["not sent"], error=error)
    with pytest.raises(type(error)) as failed:
        manifest.commit(storage, candidate(storage, RUN_A), None)
    assert failed.value is error
    assert linear(storage) == ()


def test_a_lost_answer_to_the_loser_of_a_race_is_still_a_conflict(lake: Path) -> None:
    storage = Flaky(lake, plan=[], error=UnavailableError("timeout"))
    publish(storage, RUN_A)
    storage.plan = ["answer lost"]
    with pytest.raises(ConflictError, match=f"run {RUN_A} of nsde was published first"):
        manifest.commit(storage, candidate(storage, RUN_B), None)


def test_a_full_disk_publishes_nothing_and_keeps_what_is_there(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = publish(storage, RUN_A)
    version = candidate(storage, RUN_B)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocalIOError, match="No space left on device"):
        manifest.commit(storage, version, parent)
    monkeypatch.undo()
    assert manifest.current(storage, "nsde") == parent
    assert manifest.commit(storage, version, parent).sequence == 2


def test_a_failure_to_refresh_the_state_is_no_failure_of_the_commit(
    lake: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class NoState(LocalStorage):
        def replace(self, path: str, data: bytes) -> None:
            raise LocalIOError("disk full")

    storage = NoState(lake)
    entry = publish(storage, RUN_A)
    assert manifest.current(storage, "nsde") == entry
    assert "entry 1 of nsde is published" in caplog.text
    assert [finding.problem for finding in manifest.verify(storage, "nsde")] == ["the file is missing"]
    assert manifest.rebuild_state(LocalStorage(lake), "nsde") == entry
    assert manifest.verify(storage, "nsde") == ()


def test_the_state_never_stays_behind_a_run_that_published_meanwhile(lake: Path) -> None:
    class Slow(LocalStorage):
        """Another run publishes just before this one writes the state."""

        def replace(self, path: str, data: bytes) -> None:
            if not self.exists("manifests/nsde/00000002.json"):
                publish(LocalStorage(lake), RUN_B)
            super().replace(path, data)

    storage = Slow(lake)
    publish(storage, RUN_A)
    assert json.loads(storage.read("manifests/nsde.json"))["run_id"] == RUN_B
