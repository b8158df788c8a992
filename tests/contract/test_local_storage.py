"""The local file system as a storage: the contract, and what only a disk can do wrong."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from storage_contract import StorageContract

from pharmaetl.errors import ConfigError, LocalIOError
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.storage import Storage


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def storage(lake: Path) -> LocalStorage:
    return LocalStorage(lake)


class TestLocalStorage(StorageContract):
    @pytest.fixture
    def storage(self, lake: Path) -> Storage:
        return LocalStorage(lake)


def files_of(lake: Path) -> list[str]:
    return sorted(path.relative_to(lake).as_posix() for path in lake.rglob("*") if path.is_file())


def failing(number: int) -> Callable[..., object]:
    """A stand-in for a system call that fails."""

    def call(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return call


def test_opening_a_lake_makes_no_folder(lake: Path, storage: LocalStorage) -> None:
    assert list(storage.list("")) == []
    assert not storage.exists("manifests/nsde.json")
    assert not lake.exists()


def test_writes_leave_nothing_in_the_work_folder(lake: Path, storage: LocalStorage, tmp_path: Path) -> None:
    storage.create("a/1", b"1")
    storage.create("a/1", b"2")
    storage.replace("a/2", b"2")
    (tmp_path / "local").write_bytes(b"3")
    storage.put("a/3", tmp_path / "local")
    assert files_of(lake) == ["a/1", "a/2", "a/3"]


def test_files_are_readable_for_whom_the_umask_lets(lake: Path, storage: LocalStorage) -> None:
    before = os.umask(0o022)
    try:
        storage.create("a", b"")
        storage.replace("b", b"")
    finally:
        os.umask(before)
    assert [(lake / name).stat().st_mode & 0o777 for name in "ab"] == [0o644, 0o644]


def test_put_copies_a_file_that_has_another_name(lake: Path, storage: LocalStorage, tmp_path: Path) -> None:
    local, other_name = tmp_path / "local", tmp_path / "other"
    local.write_bytes(b"as published")
    os.link(local, other_name)
    storage.put("raw/file", local)
    other_name.write_bytes(b"changed later")
    assert storage.read("raw/file") == b"as published"


def test_put_copies_what_a_symbolic_link_points_at(storage: LocalStorage, lake: Path, tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"bytes")
    (tmp_path / "local").symlink_to(tmp_path / "real")
    storage.put("raw/file", tmp_path / "local")
    assert (tmp_path / "real").read_bytes() == b"bytes"
    assert storage.read("raw/file") == b"bytes"
    assert not (lake / "raw/file").is_symlink()


def test_put_copies_from_another_file_system(
    storage: LocalStorage, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local").write_bytes(b"bytes")
    real = os.link

    def link(source: Path, target: Path) -> None:
        if not Path(source).is_relative_to(lake):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    storage.put("raw/file", tmp_path / "local")
    assert storage.read("raw/file") == b"bytes"
    assert files_of(tmp_path) == ["lake/raw/file"]


def test_delete_removes_emptied_folders_but_no_top_level_one(storage: LocalStorage, lake: Path) -> None:
    storage.create("silver/nsde/version=2026-11-23/run=1/part-0", b"")
    storage.create("silver/nsde/version=2026-11-23/run=2/part-0", b"")
    storage.delete("silver/nsde/version=2026-11-23/run=1/part-0")
    assert [path.name for path in (lake / "silver/nsde/version=2026-11-23").iterdir()] == ["run=2"]
    storage.delete("silver/nsde/version=2026-11-23/run=2/part-0")
    assert list((lake / "silver").iterdir()) == []


def test_a_create_survives_that_another_process_removes_its_empty_folder(
    storage: LocalStorage, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.link, []

    def link(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 1:
            Path(target).parent.rmdir()
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    assert storage.create("runs/nsde/1.json", b"{}") is True


def test_a_link_whose_answer_was_lost_counts_as_made(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def link(source: Path, target: Path) -> None:
        real(source, target)
        real(source, target)  # as a file server that was asked twice

    monkeypatch.setattr(os, "link", link)
    assert storage.create("log/00000001.json", b"ours") is True


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV])
def test_a_file_system_without_hard_links_is_refused(
    storage: LocalStorage, lake: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "link", failing(number))
    with pytest.raises(ConfigError, match="makes no hard links") as refused:
        storage.create("log/00000001.json", b"")
    assert "ext4" in refused.value.hint
    assert files_of(lake) == []


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EROFS, "not writable"),
        (errno.EACCES, "not writable"),
        (errno.EIO, "check the disk"),
    ],
)
@pytest.mark.parametrize("write", ["create", "replace"])
def test_a_disk_that_refuses_is_a_local_io_error_with_a_hint(
    storage: LocalStorage, lake: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str, write: str
) -> None:
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(LocalIOError) as failed:
        getattr(storage, write)("runs/nsde/1.json", b"{}")
    assert failed.value.reason == f"can't write {lake}/runs/nsde/1.json: {os.strerror(number)}"
    assert hint in failed.value.hint
    assert failed.value.exit_code == 7
    assert files_of(lake) == []


def test_a_file_in_the_place_of_a_folder_is_a_local_io_error(storage: LocalStorage) -> None:
    storage.create("runs", b"not a folder")
    with pytest.raises(LocalIOError, match=r"can't write .*/runs/nsde/1\.json"):
        storage.create("runs/nsde/1.json", b"{}")


def test_an_unreadable_file_is_a_local_io_error(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.create("a", b"")
    monkeypatch.setattr(Path, "read_bytes", failing(errno.EACCES))
    with pytest.raises(LocalIOError, match=r"can.t read .*: Permission denied") as failed:
        storage.read("a")
    assert failed.value.hint == "give this user permission to read it"


def test_whichever_system_call_fails_a_create_is_whole_or_not_there(tmp_path: Path) -> None:
    outcomes = set()
    for nth in range(1, 40):
        lake = tmp_path / f"lake{nth}"
        with pytest.MonkeyPatch.context() as patch:
            fail_call(patch, nth)
            try:
                created = LocalStorage(lake).create("log/00000001.json", b"whole")
            except LocalIOError:
                created = False
        found = lake / "log/00000001.json"
        assert found.exists() or not created
        assert not found.exists() or found.read_bytes() == b"whole"
        outcomes.add((created, found.exists()))
    assert outcomes == {(False, False), (False, True), (True, True)}


def fail_call(patch: pytest.MonkeyPatch, nth: int) -> None:
    """Let the n-th of the calls that change a disk fail with ENOSPC."""
    count = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count == nth:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        return call

    for name in ["mkdir", "open", "fsync", "link", "unlink"]:
        patch.setattr(os, name, counted(getattr(os, name)))


def die_at(lake: str, step: str) -> None:
    """Create a file in another process, which is killed when it comes to a system call."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, step, die)
    LocalStorage(Path(lake)).create("log/00000002.json", b"never seen")


@pytest.mark.parametrize("step", ["link", "fsync"])
def test_a_process_killed_before_the_link_leaves_nothing_visible(storage: LocalStorage, lake: Path, step: str) -> None:
    storage.create("log/00000001.json", b"{}")
    process = multiprocessing.get_context("spawn").Process(target=die_at, args=(str(lake), step))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert [stored.path for stored in storage.list("log")] == ["log/00000001.json"]
    assert len(list(storage.list(".work"))) == 1
    assert storage.create("log/00000002.json", b"{}") is True


def test_a_symbolic_link_to_a_folder_is_not_entered(storage: LocalStorage, lake: Path, tmp_path: Path) -> None:
    storage.create("a/1", b"")
    (lake / "a/loop").symlink_to(lake / "a")
    (lake / "a/nowhere").symlink_to(tmp_path / "missing")
    assert [stored.path for stored in storage.list("a") if stored.path != "a/loop"] == ["a/1"]
