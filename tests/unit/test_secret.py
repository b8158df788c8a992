"""Secrets in source URLs: where they come from, and that they turn up nowhere else."""

from __future__ import annotations

import logging
import socket
import traceback
from pathlib import Path

import pytest
from fault_server import Answer, FaultServer, File

from pharmaetl import secret
from pharmaetl.download import source
from pharmaetl.download.source import Limits
from pharmaetl.errors import ConfigError, PharmaetlError

KEY = "0f8fad5b-d9cb-469f/a165&70867728950e"
ENCODED = "0f8fad5b-d9cb-469f%2Fa165%2670867728950e"


def test_a_placeholder_is_filled_in_and_hidden_from_then_on() -> None:
    url = secret.resolve("https://uts.example/download?file=a.zip&apiKey=${FAKE_KEY}", {"FAKE_KEY": f" {KEY}\n"})
    assert url == f"https://uts.example/download?file=a.zip&apiKey={ENCODED}"
    assert secret.redact(f"GET {url} failed") == "GET https://uts.example/download?file=a.zip&apiKey=${FAKE_KEY} failed"
    assert secret.redact(f"wrong key {KEY}") == "wrong key ${FAKE_KEY}"


def test_a_secret_that_starts_with_another_is_hidden_whole() -> None:
    secret.resolve("https://h.example/${FAKE_SHORT}/${FAKE_LONG}", {"FAKE_SHORT": "abcXYZ", "FAKE_LONG": "abcXYZ123"})
    assert secret.redact("abcXYZ123 and abcXYZ") == "${FAKE_LONG} and ${FAKE_SHORT}"


def test_a_placeholder_in_front_of_the_query_is_taken_as_it_is() -> None:
    assert secret.resolve("${FAKE_SITE}/x", {"FAKE_SITE": "https://mirror.example/a"}) == "https://mirror.example/a/x"


@pytest.mark.parametrize("env", [{}, {"FAKE_KEY": ""}, {"FAKE_KEY": " \n"}])
def test_a_variable_that_is_not_set_is_named(env: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="FAKE_KEY is not set") as caught:
        secret.resolve("https://uts.example/?apiKey=${FAKE_KEY}", env)
    assert "export FAKE_KEY=" in caught.value.hint


def test_a_placeholder_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"\$\{a-b\}"):
        secret.resolve("https://uts.example/?apiKey=${a-b}", {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h.example/x?apiKey=abc&y=1", "https://h.example/x?apiKey=***&y=1"),
        ("https://h.example/x?y=1&API_KEY=abc#top", "https://h.example/x?y=1&API_KEY=***#top"),
        ("https://h.example/x?access_token=abc", "https://h.example/x?access_token=***"),
        ("https://h.example/x?password=a%20b&user=me", "https://h.example/x?password=***&user=me"),
        ("https://h.example/x?X-Amz-Signature=abc", "https://h.example/x?X-Amz-Signature=***"),
        ("https://h.example/x?sig=abc&design=round", "https://h.example/x?sig=***&design=round"),
        ("https://h.example/x?client_secret=${NAME}", "https://h.example/x?client_secret=${NAME}"),
        ("https://me:pass@h.example/x", "https://***@h.example/x"),
        ("https://me:p@ss@h.example/x", "https://***@h.example/x"),
        ("https://${USER}:${PASS}@h.example/x", "https://${USER}:${PASS}@h.example/x"),
        ("/x?url=https%3A%2F%2Fh%2F%3FapiKey%3Dabc%26y%3D1", "/x?url=https%3A%2F%2Fh%2F%3FapiKey%3D***%26y%3D1"),
        ("mail me@h.example or see https://h.example/@me", "mail me@h.example or see https://h.example/@me"),
        ("https://h.example/x?apiKey=", "https://h.example/x?apiKey="),
    ],
)
def test_keys_and_passwords_are_hidden(text: str, shown: str) -> None:
    assert secret.redact(text) == shown


FAILURES = {
    "denied": Answer(status=403, headers={"X-Echo": KEY}, body=KEY.encode()),
    "broken": Answer(status=503, body=KEY.encode()),
    "reset": Answer(reset_at=0),
    "short": Answer(end_at=10),
    "silent": Answer(stall_at=10),
    "too long": Answer(headers={"Content-Length": "999999999999"}),
    "web page": Answer(body=b"<html>", headers={"Content-Type": "text/html"}),
    "malformed": Answer(headers={"Content-Length": "5, 6"}),
    "not HTTP": Answer(raw=b"nonsense\r\n"),
    "elsewhere": Answer(status=302, headers={"Location": f"https://elsewhere.example/?apiKey={ENCODED}"}),
    "https to file": Answer(status=302, headers={"Location": f"file:///{KEY}"}),
    "unreadable": Answer(status=302, headers={"Location": f"http://[{KEY}/"}),
}


@pytest.mark.parametrize("answer", FAILURES.values(), ids=FAILURES.keys())
def test_no_failure_shows_or_stores_the_secret(
    answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("FAKE_KEY", KEY)
    with FaultServer() as site:
        url = site.url("/f?apiKey=${FAKE_KEY}", answer, file=File(b"x" * 100))
        text = error_of(url, tmp_path)
        assert site.requests[0].path == f"/f?apiKey={ENCODED}"
    spooled = "".join(path.name + path.read_text() for path in tmp_path.iterdir())
    for shown in (text, spooled, caplog.text):
        assert not any(part in shown for part in (KEY, ENCODED, "70867728950e"))


def error_of(url: str, spool: Path) -> str:
    with pytest.raises(PharmaetlError) as caught:
        source.fetch(url, spool, limits=Limits(attempts=2, read_seconds=0.1), sleep=lambda seconds: None)
    error = caught.value
    assert error.__context__ is None
    return "".join([*traceback.format_exception(error), str(error), repr(error), error.reason, error.hint])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("FAKE_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    text = error_of(f"{scheme}://127.0.0.1:{port}/?apiKey=${{FAKE_KEY}}", tmp_path)
    assert f"127.0.0.1:{port}: connection refused (2 attempts)" in text
    assert "70867728950e" not in text


def test_what_is_returned_holds_the_placeholder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("FAKE_KEY", "tell-nobody-7")
    with FaultServer() as site:
        site.url("/tell-nobody-7", Answer(body=b"data"))
        fetched = source.fetch(site.url("/${FAKE_KEY}?token=${FAKE_KEY}"), tmp_path)
        assert site.requests[0].path == "/tell-nobody-7?token=tell-nobody-7"
        assert "tell-nobody-7" not in repr(fetched)
        assert isinstance(fetched, source.Fetched)
        assert fetched.url == f"http://127.0.0.1:{site.port}/${{FAKE_KEY}}?token=${{FAKE_KEY}}"
        assert fetched.file_name == "__FAKE_KEY_"
