"""Sources on this machine, and what can be said of a source without fetching it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fault_server import Answer, FaultServer, File

from pharmaetl.download import source
from pharmaetl.download.source import Fetched, Known, Limits, Probed
from pharmaetl.errors import DeniedError, LocalIOError, RefusedError, SourceFormatError, UnavailableError

HELLO_SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "my release.zip"
    path.write_bytes(b"hello")
    return path


def fetch(where: object, tmp_path: Path, **limits: Any) -> Fetched:
    fetched = source.fetch(str(where), tmp_path / "spool", limits=Limits(**limits))
    assert isinstance(fetched, Fetched)
    return fetched


def test_a_file_is_copied_and_hashed(release: Path, tmp_path: Path) -> None:
    fetched = fetch(release, tmp_path)
    assert fetched.path.read_bytes() == b"hello"
    assert (fetched.sha256, fetched.bytes, fetched.file_name) == (HELLO_SHA256, 5, "my release.zip")
    assert fetched.url == f"file://{tmp_path}/my%20release.zip"
    assert (fetched.etag, fetched.last_modified) == (None, None)
    assert list((tmp_path / "spool").iterdir()) == [fetched.path]
    assert release.read_bytes() == b"hello"


def test_every_way_to_write_a_path_leads_to_the_file(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FAKE_FOLDER", str(tmp_path))
    urls = [f"file://{tmp_path}/my%20release.zip", f"FILE://localhost{tmp_path}/my release.zip"]
    for where in ["my release.zip", "./my release.zip", "~/my release.zip", "${FAKE_FOLDER}/my release.zip", *urls]:
        assert fetch(where, tmp_path).sha256 == HELLO_SHA256
    assert fetch("${FAKE_FOLDER}/my release.zip", tmp_path).url == "file://${FAKE_FOLDER}/my%20release.zip"


@pytest.mark.parametrize("where", ["missing.zip", "my release.zip/inside", "missing\x00.zip", ".", ""])
def test_what_is_no_file_is_not_available(release: Path, tmp_path: Path, where: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        fetch(tmp_path / where, tmp_path)
    assert str(tmp_path / where) in caught.value.reason
    assert caught.value.exit_code == 5


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnavailableError, match="no regular file"):
        fetch(tmp_path / "pipe", tmp_path)


def test_an_unreadable_file_is_a_failure_of_this_machine(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")

    # Permission bits don't hold back root, who may run the tests.
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(LocalIOError, match="Permission denied"):
        source.probe(str(release))


def test_an_empty_file_and_one_too_large_are_refused(release: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="5 bytes, larger than the 4"):
        fetch(release, tmp_path, max_bytes=4)
    release.write_bytes(b"")
    with pytest.raises(SourceFormatError, match="empty file"):
        fetch(release, tmp_path)
    assert not (tmp_path / "spool").exists()


def test_a_file_that_grows_while_it_is_read_is_not_taken(release: Path, tmp_path: Path) -> None:
    def grow(done: int, total: int | None) -> None:
        release.write_bytes(b"hello world")

    with pytest.raises(UnavailableError, match="changed while it was read"):
        source.fetch(str(release), tmp_path / "spool", progress=grow)
    assert list((tmp_path / "spool").iterdir()) == []


def test_looking_at_a_file_tells_its_hash_and_writes_nothing(release: Path, tmp_path: Path) -> None:
    known = Known("file:///elsewhere", HELLO_SHA256, None, None)
    url = f"file://{tmp_path}/my%20release.zip"
    assert source.probe(str(release)) == Probed(url, 5, HELLO_SHA256, None, None, None)
    assert source.probe(str(release), known=known).modified is False
    release.write_bytes(b"other")
    assert source.probe(str(release), known=known).modified is True
    assert list(tmp_path.iterdir()) == [release]


@pytest.mark.parametrize(
    ("etag", "last_modified", "modified"),
    [
        ('"v1"', None, False),
        ('"v0"', None, True),
        (None, "Mon, 06 Jan 2025 08:00:00 GMT", False),
        (None, "Sun, 05 Jan 2025 08:00:00 GMT", True),
        (None, None, None),
    ],
)
def test_looking_at_a_site_tells_whether_the_file_changed(
    monkeypatch: pytest.MonkeyPatch, etag: str | None, last_modified: str | None, modified: bool | None
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with FaultServer() as site:
        url = site.url("/f", file=File(b"hello"))
        probed = source.probe(url, known=Known(url, HELLO_SHA256, etag, last_modified))
        assert probed.modified is modified
        assert [request.method for request in site.requests] == ["HEAD"]


def test_looking_at_a_site_that_has_no_head_reads_no_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with FaultServer() as site:
        url = site.url("/f", Answer(status=405), Answer(stall_at=0), file=File(b"hello"))
        assert source.probe(url) == Probed(url, 5, None, '"v1"', "Mon, 06 Jan 2025 08:00:00 GMT", None)


def test_looking_at_a_site_that_says_no_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with FaultServer() as site, pytest.raises(DeniedError, match="404 Not Found"):
        source.probe(site.url("/missing"))
