"""What every storage must do. A storage joins by a test class that inherits StorageContract and provides `storage`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pharmaetl.errors import NotStoredError
from pharmaetl.lake.storage import Storage, Stored

BAD_PATHS = ["", "/etc/passwd", "../outside", "a/../../b", "a/./b", "a//b", "a/", "a\\b", "a\0b", ".."]


class StorageContract:
    """Tests over a fixture `storage`: an empty lake."""

    @pytest.fixture
    def storage(self) -> Storage:
        """Where the lake is: each storage's own."""
        pytest.fail("a storage that joins the suite overrides this fixture")

    def test_a_created_file_reads_back(self, storage: Storage) -> None:
        assert storage.create("manifests/nsde/00000001.json", b"one") is True
        assert storage.read("manifests/nsde/00000001.json") == b"one"
        assert storage.size("manifests/nsde/00000001.json") == 3
        assert storage.exists("manifests/nsde/00000001.json")
        assert storage.sha256("manifests/nsde/00000001.json") == hashlib.sha256(b"one").hexdigest()

    def test_a_second_create_changes_nothing_and_says_so(self, storage: Storage) -> None:
        storage.create("a/b.json", b"first")
        assert storage.create("a/b.json", b"second") is False
        assert storage.read("a/b.json") == b"first"

    def test_of_many_creates_at_once_exactly_one_wins(self, storage: Storage) -> None:
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n: storage.create("log/00000001.json", f"writer {n}".encode() * 100), range(32)))
        assert won.count(True) == 1
        assert storage.read("log/00000001.json") == f"writer {won.index(True)}".encode() * 100

    def test_a_replaced_file_has_the_new_bytes(self, storage: Storage) -> None:
        storage.replace("state.json", b"a longer first version")
        storage.replace("state.json", b"short")
        assert storage.read("state.json") == b"short"

    def test_readers_see_the_old_or_the_new_file_never_a_part(self, storage: Storage) -> None:
        versions = {bytes([n]) * 50_000 for n in range(20)}
        storage.replace("state.json", bytes([0]) * 50_000)
        with ThreadPoolExecutor(1) as pool:
            written = pool.map(lambda version: storage.replace("state.json", version), versions)
            seen = {storage.read("state.json") for _ in range(200)}
            assert list(written) == [None] * 20
        assert seen <= versions

    def test_an_empty_file_is_a_file(self, storage: Storage) -> None:
        assert storage.create("empty", b"")
        assert storage.exists("empty")
        assert storage.size("empty") == 0
        assert storage.create("empty", b"x") is False

    def test_put_moves_a_local_file_in(self, storage: Storage, tmp_path: Path) -> None:
        local = tmp_path / "spool"
        local.write_bytes(b"release")
        storage.put("raw/nsde/file.zip", local)
        assert storage.read("raw/nsde/file.zip") == b"release"
        assert not local.exists()

    def test_put_keeps_what_is_there(self, storage: Storage, tmp_path: Path) -> None:
        storage.create("raw/nsde/file.zip", b"there")
        local = tmp_path / "spool"
        local.write_bytes(b"other")
        storage.put("raw/nsde/file.zip", local)
        assert storage.read("raw/nsde/file.zip") == b"there"
        assert not local.exists()

    def test_fetch_copies_a_file_out(self, storage: Storage, tmp_path: Path) -> None:
        storage.create("raw/file.zip", b"release")
        storage.fetch("raw/file.zip", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"release"
        assert storage.exists("raw/file.zip")
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["copy"]

    def test_list_yields_every_file_below_a_folder_sorted_by_path(self, storage: Storage) -> None:
        for path in ["a/c/1", "a/b", "a/c-1", "a/c/0/x", "a/ü", "ab", "b/z"]:
            storage.create(path, b"12")
        found = list(storage.list("a"))
        assert found == [Stored(path, 2) for path in ["a/b", "a/c-1", "a/c/0/x", "a/c/1", "a/ü"]]
        assert {"ab", "b/z"} < {stored.path for stored in storage.list("")}

    def test_list_of_a_folder_that_is_not_there_is_empty(self, storage: Storage) -> None:
        assert list(storage.list("manifests/nsde")) == []
        storage.create("manifests/nsde.json", b"{}")
        assert list(storage.list("manifests/nsde")) == []

    def test_list_says_when_a_file_was_last_written(self, storage: Storage) -> None:
        before = time.time()
        storage.replace("a/state.json", b"1")
        (first,) = storage.list("a")
        storage.replace("a/state.json", b"2")
        (second,) = storage.list("a")
        # to the second: S3 tells no fractions
        assert before - 2 <= first.modified <= second.modified <= time.time() + 2

    def test_delete_removes_one_file_and_nothing_else(self, storage: Storage) -> None:
        storage.create("silver/run=1/part-0", b"0")
        storage.create("silver/run=1/part-1", b"1")
        storage.delete("silver/run=1/part-0")
        storage.delete("silver/run=1/part-0")
        storage.delete("never/was/there")
        assert [stored.path for stored in storage.list("silver")] == ["silver/run=1/part-1"]

    def test_a_deleted_path_can_be_created_again(self, storage: Storage) -> None:
        storage.create("a/b/c", b"1")
        storage.delete("a/b/c")
        assert storage.create("a/b/c", b"2") is True

    def test_what_is_not_there_is_a_not_stored_error(self, storage: Storage, tmp_path: Path) -> None:
        storage.create("folder/file", b"")
        calls: list[Callable[[str], object]] = [
            storage.read,
            storage.size,
            storage.sha256,
            lambda path: storage.fetch(path, tmp_path / "copy"),
            lambda path: storage.sync([path]),
        ]
        for missing in ["nothing", "folder/nothing", "folder/file/below"]:
            for call in calls:
                with pytest.raises(NotStoredError):
                    call(missing)
            assert not storage.exists(missing)
        assert not storage.exists("folder")
        with pytest.raises(NotStoredError):
            storage.size("folder")

    def test_synced_files_are_as_before(self, storage: Storage) -> None:
        storage.create("silver/nsde/run=1/part-0", b"0")
        storage.sync(["silver/nsde/run=1/part-0"])
        assert storage.read("silver/nsde/run=1/part-0") == b"0"

    @pytest.mark.parametrize("path", BAD_PATHS)
    def test_a_path_out_of_the_lake_is_refused(self, storage: Storage, path: str, tmp_path: Path) -> None:
        local = tmp_path / "local"
        local.write_bytes(b"")
        calls: list[Callable[[], object]] = [
            lambda: storage.read(path),
            lambda: storage.size(path),
            lambda: storage.exists(path),
            lambda: storage.sha256(path),
            lambda: storage.create(path, b""),
            lambda: storage.replace(path, b""),
            lambda: storage.put(path, local),
            lambda: storage.fetch(path, local),
            lambda: storage.delete(path),
            lambda: storage.sync([path]),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="no plain path"):
                call()

    def test_the_url_of_a_path_is_below_the_root(self, storage: Storage) -> None:
        assert storage.url("silver/nsde") == f"{storage.root}/silver/nsde"
        assert storage.url("") == storage.root
        assert not storage.root.endswith("/")
