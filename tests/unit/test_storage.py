"""From a lake's URL to its storage, and a storage that refuses every write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pharmaetl.errors import ConfigError
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.storage import ReadOnlyStorage, WriteRefusedError, open_storage


def test_a_lake_that_is_a_file_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(ConfigError, match="is a file, not a folder"):
        open_storage(str(tmp_path / "lake"))


@pytest.mark.parametrize("url", ["{}", "file://{}", "file://localhost{}"])
def test_a_lake_opens_by_path_or_file_url(tmp_path: Path, url: str) -> None:
    assert open_storage(url.format(tmp_path / "lake")).root == str(tmp_path / "lake")


def test_a_relative_lake_has_an_absolute_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_storage("lake").root == str(tmp_path / "lake")


def test_percent_signs_of_a_file_url_are_decoded(tmp_path: Path) -> None:
    assert open_storage(f"file://{tmp_path}/my%20lake").root == str(tmp_path / "my lake")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://host/lake", "a lake can't be on ftp://"),
        ("https://user:secret@example.org/lake", "a lake can't be on https://"),
        ("file://host/share", "names no file on this machine"),
        ("", "the lake has no path"),
        ("~no-such-user-here/lake", "can't be opened"),
    ],
)
def test_other_lakes_are_config_errors(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as refused:
        open_storage(url)
    assert refused.value.hint
    assert "secret" not in refused.value.reason


def test_a_read_only_storage_reads_and_refuses_every_write(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "lake")
    storage.create("a/1", b"one")
    guarded = ReadOnlyStorage(storage)
    assert guarded.root == storage.root
    assert guarded.url("a") == storage.url("a")
    assert guarded.read("a/1") == b"one"
    assert (guarded.size("a/1"), guarded.exists("a/1"), guarded.sha256("a/1")[:8]) == (3, True, "7692c3ad")
    assert [stored.path for stored in guarded.list("a")] == ["a/1"]
    guarded.fetch("a/1", tmp_path / "copy")
    writes: list[Callable[[], object]] = [
        lambda: guarded.create("a/2", b""),
        lambda: guarded.replace("a/1", b""),
        lambda: guarded.put("a/2", tmp_path / "copy"),
        lambda: guarded.sync(["a/1"]),
        lambda: guarded.delete("a/1"),
    ]
    for write in writes:
        with pytest.raises(WriteRefusedError, match="a dry run writes nothing"):
            write()
    assert [(stored.path, stored.bytes) for stored in storage.list("")] == [("a/1", 3)]
