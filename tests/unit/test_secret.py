"""Secrets in source URLs: where they come from, and that they turn up nowhere else."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import logging
import os
import pickle
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from fault_server import Answer, FaultServer, File

from pharmaetl import secret
from pharmaetl.download import source
from pharmaetl.download.source import Limits
from pharmaetl.errors import ConfigError, PharmaetlError

KEY = "0f8fad5b-d9cb-469f/a165&70867728950e"
ENCODED = "0f8fad5b-d9cb-469f%2Fa165%2670867728950e"


def test_a_placeholder_is_filled_in_and_hidden_from_then_on() -> None:
    url = secret.resolve(
        "https://uts.example/download?file=a.zip&apiKey=${FAKE_KEY}", {"FAKE_KEY": f" {KEY}\n"}
    ).reveal()
    assert url == f"https://uts.example/download?file=a.zip&apiKey={ENCODED}"
    assert secret.redact(f"GET {url} failed") == "GET https://uts.example/download?file=a.zip&apiKey=${FAKE_KEY} failed"
    assert secret.redact(f"wrong key {KEY}") == "wrong key ${FAKE_KEY}"


def test_a_secret_is_shown_by_nothing_that_shows_things(caplog: pytest.LogCaptureFixture) -> None:
    @dataclasses.dataclass(frozen=True)
    class Holder:
        url: secret.Secret

    held = secret.Secret("https://h.example/?k=tell-nobody", "https://h.example/?k=${K}")
    logging.getLogger("any").warning("asked %s, %r", held, {"url": held})
    error = ValueError(held, Holder(held))
    shown = [
        str(held),
        repr(held),
        f"{held:>60}",
        f"{held!r}",
        repr(Holder(held)),
        str(error),
        repr(error),
    ]
    shown += [
        repr(dataclasses.asdict(Holder(held))),
        repr(copy.deepcopy([held])),
        caplog.text,
        repr(vars(Holder(held))),
    ]
    shown += traceback.format_exception(error)
    assert not any("tell-nobody" in text for text in shown)
    assert held.reveal() == "https://h.example/?k=tell-nobody"
    assert str(held) == "https://h.example/?k=${K}"


@pytest.mark.parametrize("write", [pickle.dumps, json.dumps, lambda held: "".join([held]), bytes])
def test_a_secret_is_written_down_by_nothing(write: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        write(secret.Secret("tell-nobody"))


def test_two_secrets_are_equal_where_their_values_are() -> None:
    assert secret.Secret("a", "x") == secret.Secret("a", "y") != secret.Secret("b", "x")
    assert len({secret.Secret("a", "x"), secret.Secret("a", "y")}) == 1


SPELLINGS = {
    "upper case": str.upper,
    "swapped case": str.swapcase,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "lower-case percent": lambda text: quote(text, safe="").lower(),
    "plus for space": quote_plus,
    "in JSON": json.dumps,
    "as a repr": repr,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after one byte": lambda text: base64.b64encode(b"x" + text.encode()).decode(),
    "base64 after two bytes": lambda text: base64.b64encode(b"me" + text.encode() + b"!").decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"me:" + text.encode()).decode(),
    "a group of it": lambda text: text.partition("/")[2][:11],
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_of_a_secret_is_hidden(spell: Callable[[str], str]) -> None:
    value = 'q7>?\xff"Ab\\ 9/Zw81kk20LmN&'
    secret.resolve("https://h.example/?key=${FAKE_SPELT}", {"FAKE_SPELT": value})
    shown = secret.redact(f"it was {spell(value)} once")
    assert "${FAKE_SPELT}" in shown
    assert len(shown) < len("it was ${FAKE_SPELT} once") + 8


def test_a_short_secret_is_hidden_as_it_is_and_no_word_that_only_looks_like_it() -> None:
    secret.resolve("https://h.example/${FAKE_TINY}", {"FAKE_TINY": "Zq7"})
    assert secret.redact("Zq7 zq7 ZQ7") == "${FAKE_TINY} zq7 ZQ7"


def test_a_key_that_was_typed_into_the_url_is_hidden_from_then_on() -> None:
    secret.resolve("https://h.example/x?apiKey=typed%2Fin-by-hand", {})
    assert secret.redact("no such key: typed/in-by-hand") == "no such key: ***"


def test_a_password_in_front_of_the_host_is_encoded() -> None:
    env = {"FAKE_WHO": "me@home", "FAKE_PASS": "p/a:s?s"}
    url = secret.resolve("https://${FAKE_WHO}:${FAKE_PASS}@h.example/x", env)
    assert url.reveal() == "https://me%40home:p%2Fa%3As%3Fs@h.example/x"


@pytest.mark.parametrize(
    ("url", "held"),
    [
        ("https://me:pw@h.example/x", True),
        ("https://me@h.example/x", True),
        ("https://${ME}:pw@h.example/x", True),
        ("https://${ME}:${PW}@h.example/x", False),
        ("https://h.example/@x?mail=me@h.example", False),
    ],
)
def test_only_placeholders_may_stand_in_front_of_the_host(url: str, held: bool) -> None:
    assert secret.holds_userinfo(url) is held


def test_children_get_the_environment_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"UMLS_API_KEY": "a", "GITHUB_TOKEN": "b", "PWD": "/here", "PLAIN": "c", "AWS_SECRET_ACCESS_KEY": "d"}
    given |= {"https_proxy": "http://me:pw@proxy.example:3128", "ALL_PROXY": "me:pw@proxy.example", "no_proxy": "@"}
    given |= {"http_proxy": "http://proxy.example:3128"}
    for name, value in {**given, "ALIAS": "tell-nobody-3"}.items():
        monkeypatch.setenv(name, value)
    secret.resolve("https://h.example/${ALIAS}", os.environ)
    kept = {"PWD", "PLAIN", "AWS_SECRET_ACCESS_KEY", "no_proxy", "http_proxy"}
    assert {*given, "ALIAS"} & secret.environment_for_children().keys() == kept
    with secret.hidden_from_children():
        assert {*given, "ALIAS"} & os.environ.keys() == kept
    assert os.environ["UMLS_API_KEY"] == "a"


def test_a_log_record_is_redacted_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    secret.resolve("https://h.example/?key=${FAKE_LOGGED}", {"FAKE_LOGGED": "tell-nobody-4"})
    logger, rule = logging.getLogger("chatty"), secret.RedactingFilter()
    logger.addFilter(rule)
    try:
        raise ValueError("GET /?key=tell-nobody-4")
    except ValueError:
        logger.exception("no answer to %s", "tell-nobody-4")
    logger.removeFilter(rule)
    assert "tell-nobody" not in caplog.text
    assert caplog.text.count("${FAKE_LOGGED}") == 3


def test_a_secret_that_starts_with_another_is_hidden_whole() -> None:
    secret.resolve("https://h.example/${FAKE_SHORT}/${FAKE_LONG}", {"FAKE_SHORT": "abcXYZ", "FAKE_LONG": "abcXYZ123"})
    assert secret.redact("abcXYZ123 and abcXYZ") == "${FAKE_LONG} and ${FAKE_SHORT}"


def test_a_placeholder_in_front_of_the_query_is_taken_as_it_is() -> None:
    url = secret.resolve("${FAKE_SITE}/x", {"FAKE_SITE": "https://mirror.example/a"})
    assert url.reveal() == "https://mirror.example/a/x"


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
