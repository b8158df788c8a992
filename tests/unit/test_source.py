"""Fetching over HTTP: what is taken, under which name, within which bounds, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fault_server import Answer, FaultServer
from fetching import FILE, Fetching, is_whole

from pharmaetl.download.source import Known, NotModified
from pharmaetl.errors import ConfigError, LocalIOError, RefusedError, SourceFormatError, UnavailableError

HALF = 150_000
END = Answer(end_at=HALF)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with FaultServer() as server:
        yield server


@pytest.fixture
def get(tmp_path: Path) -> Fetching:
    return Fetching(tmp_path / "spool")


def test_a_file_arrives_whole_with_its_hash_and_validators(site: FaultServer, get: Fetching) -> None:
    fetched = get(site.url("/data/release.zip", file=FILE))
    assert is_whole(fetched)
    assert (fetched.file_name, fetched.bytes, fetched.etag) == ("release.zip", 300_000, '"v1"')
    assert fetched.last_modified == "Mon, 06 Jan 2025 08:00:00 GMT"
    assert fetched.url == f"http://127.0.0.1:{site.port}/data/release.zip"
    assert datetime.fromisoformat(fetched.fetched_at).tzinfo == UTC
    assert fetched.fetched_at.endswith("Z")
    assert get.left() == [fetched.path.name]


def test_requests_name_the_tool_and_ask_for_no_compression(site: FaultServer, get: Fetching) -> None:
    get(site.url("/f", file=FILE))
    assert site.asked("User-Agent") == ["pharmaetl/0.1.0 (+public drug data pipeline)"]
    assert site.asked("Accept-Encoding") == ["identity"]


def test_a_version_that_the_site_still_serves_is_not_downloaded_again(site: FaultServer, get: Fetching) -> None:
    url = site.url("/f", file=FILE)
    known = Known(url, "0" * 64, '"v1"', None)
    assert get(url, known) == NotModified(known)
    assert get.left() == []


def test_what_is_known_of_another_url_is_no_condition(site: FaultServer, get: Fetching) -> None:
    assert is_whole(get(site.url("/f", file=FILE), Known("http://elsewhere.example/f", "0" * 64, '"v1"', None)))


def test_progress_is_told_up_to_the_last_byte(site: FaultServer, get: Fetching) -> None:
    steps: list[tuple[int, int | None]] = []
    get(site.url("/f", file=FILE), progress=lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps)
    assert steps[-1] == (300_000, 300_000)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(headers={"Content-Length": "-5"}),
        Answer(headers={"Content-Length": "many"}),
        Answer(headers={"Content-Length": "5, 300000"}),
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
        Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"),
        Answer(raw=b""),
        Answer(status=302),
        Answer(reset_at=0),
    ],
)
def test_a_malformed_answer_is_asked_for_again_and_then_given_up(
    site: FaultServer, get: Fetching, answer: Answer
) -> None:
    with pytest.raises(UnavailableError, match=r"\(2 attempts\)"):
        get(site.url("/f", answer, file=FILE), attempts=2)
    assert len(site.requests) == 2
    assert is_whole(get(site.url("/f", answer, Answer(), file=FILE)))


def test_a_chunked_body_arrives_whole(site: FaultServer, get: Fetching) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"
    assert get(site.url("/f", Answer(raw=raw))).path.read_bytes() == b"helloyou"


def test_a_file_larger_than_declared_to_be_allowed_is_refused_unread(site: FaultServer, get: Fetching) -> None:
    with pytest.raises(RefusedError, match="max_bytes"):
        get(site.url("/f", Answer(stall_at=0), file=FILE), max_bytes=299_999)
    assert get.left() == []


def test_a_file_that_grows_past_the_limit_undeclared_is_refused(site: FaultServer, get: Fetching) -> None:
    with pytest.raises(RefusedError, match="max_bytes"):
        get(site.url("/f", Answer(headers={"Content-Length": ""}), file=FILE), max_bytes=299_999)
    assert get.left() == []


def test_a_site_that_falls_silent_is_given_up_after_the_read_timeout(site: FaultServer, get: Fetching) -> None:
    with pytest.raises(UnavailableError, match="fell silent"):
        get(site.url("/f", Answer(stall_at=HALF), file=FILE), read_seconds=0.1, attempts=1)


def test_a_drip_is_given_up(site: FaultServer, get: Fetching) -> None:
    with pytest.raises(UnavailableError, match="too slow"):
        get(site.url("/f", Answer(drip=(1, 0.02)), file=FILE), window_seconds=0.2)


def test_the_deadline_holds_for_everything_together(site: FaultServer, get: Fetching) -> None:
    with pytest.raises(UnavailableError, match=r"not done within 0\.3 s"):
        get(site.url("/f", Answer(drip=(5000, 0.02)), file=FILE), total_seconds=0.3)
    with pytest.raises(UnavailableError, match="503"):
        get(site.url("/g", Answer(status=503, headers={"Retry-After": "60"})), total_seconds=5)


@pytest.mark.parametrize("answer", [Answer(body=b""), Answer(status=204, body=b"")])
def test_an_empty_file_is_refused(site: FaultServer, get: Fetching, answer: Answer) -> None:
    with pytest.raises(SourceFormatError, match="empty file"):
        get(site.url("/f", answer, file=FILE))
    assert get.left() == []


def test_a_web_page_is_refused_as_such(site: FaultServer, get: Fetching) -> None:
    page = Answer(body=b"\n<!doctype html><title>Sign in</title>", headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(SourceFormatError, match="answered with a web page"):
        get(site.url("/f", page))
    assert get.left() == []


def test_a_file_that_is_merely_labelled_as_a_web_page_is_taken(site: FaultServer, get: Fetching) -> None:
    assert is_whole(get(site.url("/f", Answer(headers={"Content-Type": "text/html"}), file=FILE)))


def test_a_compressed_answer_is_refused(site: FaultServer, get: Fetching) -> None:
    with pytest.raises(SourceFormatError, match="Content-Encoding gzip"):
        get(site.url("/f", Answer(headers={"Content-Encoding": "gzip"}), file=FILE))


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="RxNorm_full_01062025.zip"', "RxNorm_full_01062025.zip"),
        ("attachment; filename*=UTF-8''m%C3%A9dicaments.zip", "médicaments.zip"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="..\\\\..\\\\boot.ini"', "boot.ini"),
        ('attachment; filename=".."', "f.zip"),
        ('attachment; filename="source.json"', "file_source.json"),
        ('attachment; filename="a*b?{c}.zip"', "a_b__c_.zip"),
        ("attachment", "f.zip"),
        ('attachment; filename="' + "x" * 300 + '.zip"', "x" * 146 + ".zip"),
    ],
)
def test_the_served_name_is_kept_where_it_is_safe(
    site: FaultServer, get: Fetching, disposition: str, name: str
) -> None:
    fetched = get(site.url("/f.zip", Answer(headers={"Content-Disposition": disposition}), file=FILE))
    assert fetched.file_name == name
    assert fetched.path.name == f"{fetched.sha256[:16]}-{name}"


def test_a_spool_that_cannot_be_written_is_named(site: FaultServer, get: Fetching, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises(LocalIOError, match="spool"):
        get(site.url("/f", file=FILE))


def test_a_full_disk_is_named_and_leaves_no_partial(site: FaultServer, get: Fetching) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(LocalIOError, match=r"spool/[0-9a-f]{16}\.partial: File too large"):
            get(site.url("/f", file=FILE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert get.left() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://ftp.example.gov/x.zip", "ftp URLs are not supported"),
        ("s3://bucket/x.zip", "s3 URLs are not supported"),
        ("http://", "no URL"),
        ("http://[::1/x", "no URL"),
        ("http://host.example:port/x", "no URL"),
        ("file://host.example/x", "with a host"),
    ],
)
def test_a_url_that_cannot_be_asked_is_an_error_of_the_config(get: Fetching, url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        get(url)
