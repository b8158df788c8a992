"""A licence key is a canary here: whatever fails, and in whichever step, it sings in no artefact of a run."""

from __future__ import annotations

import base64
import http.client
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fault_server import Answer, FaultServer, File
from faults.certificates import certificate
from faults.malformed import GOOD_TEXT, packed

from pharmaetl.cli.app import answer
from pharmaetl.download.transfer import Limits
from pharmaetl.engine import Shared
from pharmaetl.local import quality, runner, steps

pytestmark = pytest.mark.engine

CANARY = "Qz7Canary/&+Kx9Vulture"
DATASETS = Path(__file__).parents[2] / "datasets"
WAYS = ((), ("-v",), ("--json",), ("-v", "--json"))
"""How a command may be asked to speak."""
LOUD = (("-v",), ("-v", "--json"))
"""Those that say all that the others say."""


def songs(secret: str) -> set[str]:
    """What of the secret would be recognised, in lower case: its plain parts, and it in Base64 and hex."""
    data, found = secret.encode(), {"qz7canary", "kx9vulture", secret.encode().hex()}
    for skipped in range(3):
        found.add(base64.b64encode(bytes(skipped) + data).decode()[6 : len(data) - 2])
    return {text.lower() for text in found}


def sings(text: bytes | str) -> bool:
    data = (text.encode() if isinstance(text, str) else text).lower()
    return any(song.encode() in data for song in songs(CANARY))


class Cage:
    """A lake, a site and the command line, with everything that they leave behind."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], logs: pytest.LogCaptureFixture) -> None:
        self.folder = folder
        self._capture = capture
        self._logs = logs

    def run(self, source: str, *words: str) -> int:
        """Run the dataset; its exit code. What was printed and logged is looked at."""
        return self.command("run", "nsde", "--source", source, *words)

    def command(self, *words: str) -> int:
        """Any command."""
        self._capture.readouterr()
        code = answer([*words, "--lake", str(self.folder / "lake"), "--datasets", str(DATASETS)])
        for said in (*self._capture.readouterr(), self._logs.text):
            assert not sings(said), said[-3000:]
        return code

    def is_silent(self) -> bool:
        """Is the canary in no file's content, and in no file's name?"""
        loud = [path for path in self.folder.rglob("*") if sings(str(path.relative_to(self.folder)))]
        loud += [path for path in self.folder.rglob("*") if path.is_file() and sings(path.read_bytes())]
        assert loud == []
        return any(self.folder.rglob("*.json"))


@pytest.fixture
def cage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Cage:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("UMLS_API_KEY", CANARY)
    monkeypatch.setenv("UMLS_USER", "somebody")
    quick = partial(Limits, attempts=2, read_seconds=0.3, window_seconds=0.2, connect_seconds=2, backoff_seconds=0.001)
    monkeypatch.setattr(steps, "Limits", quick)
    return Cage(tmp_path, capsys, caplog)


@pytest.fixture
def site() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def test_the_songs_are_known() -> None:
    assert all(sings(text) for text in (CANARY, CANARY.swapcase(), quote(CANARY, safe=""), repr(CANARY.upper())))
    assert all(sings(base64.b64encode(b"ab: "[:skip] + CANARY.encode() + b"!")) for skip in range(5))
    assert not sings("https://host/f?apiKey=${UMLS_API_KEY}")


ECHOES = {
    "denied": Answer(status=403, headers={"X-Echo": CANARY, "Set-Cookie": f"key={CANARY}"}, body=CANARY.encode()),
    "denied in its status line": Answer(raw=f"HTTP/1.1 403 no {CANARY}\r\n\r\n".encode()),
    "busy": Answer(status=429, headers={"Retry-After": CANARY}, body=CANARY.encode()),
    "busy for long": Answer(status=503, headers={"Retry-After": "86400"}, body=CANARY.encode()),
    "reset": Answer(reset_at=0),
    "cut": Answer(end_at=10, headers={"ETag": f'"{CANARY}"'}),
    "cut, resumable": Answer(end_at=10),
    "silent": Answer(stall_at=10, headers={"Last-Modified": CANARY}),
    "dripping": Answer(drip=(1, 0.02)),
    "dripping head": Answer(raw=b"HTTP/1.1 200 OK\r\nX: " + CANARY.encode() * 9, raw_pause=0.02),
    "too long": Answer(headers={"Content-Length": "999999999999"}),
    "longer": Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc" + CANARY.encode()),
    "wrong length": Answer(headers={"Content-Length": CANARY}),
    "two lengths": Answer(headers={"Content-Length": f"5, {CANARY}"}),
    "wrong chunks": Answer(raw=f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n".encode()),
    "no HTTP": Answer(raw=CANARY.encode()),
    "header without colon": Answer(raw=f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n".encode()),
    "web page": Answer(body=f"<html>{CANARY}".encode(), headers={"Content-Type": "text/html"}),
    "compressed": Answer(headers={"Content-Encoding": CANARY}),
    "to another host": Answer(status=302, headers={"Location": f"https://other.example/?apiKey={CANARY}"}),
    "to a host of that name": Answer(status=302, headers={"Location": "https://qz7canary.kx9vulture.example/"}),
    "to a file": Answer(status=302, headers={"Location": f"file:///{CANARY}"}),
    "to a scheme of that name": Answer(status=302, headers={"Location": "Qz7Canary://x"}),
    "to nowhere": Answer(status=302, headers={"Location": f"http://[{CANARY}/"}),
    "to a loop": Answer(status=302, headers={"Location": f"/f?key={CANARY}"}),
    "no zip": Answer(
        body=b"PK\x03\x04 no zip", headers={"Content-Disposition": f'attachment; filename="{CANARY}.zip"'}
    ),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_no_answer_of_a_site_makes_it_sing(cage: Cage, site: FaultServer, echo: Answer) -> None:
    url = site.url("/f", echo, file=File(b"x" * 1000)) + "?apiKey=${UMLS_API_KEY}"
    for words in LOUD:
        assert cage.run(url, *words) in {4, 5}
        assert site.requests[-1].path == f"/f?apiKey={quote(CANARY, safe='')}" or echo.status == 302
    assert cage.is_silent()


@pytest.mark.parametrize("wrap", [str, str.upper, str.swapcase, lambda text: quote(text, safe=""), "base64", "hex"])
def test_an_etag_made_from_the_key_or_the_password_is_not_kept(
    cage: Cage, site: FaultServer, wrap: Callable[[str], str] | str
) -> None:
    basic = base64.b64encode(f"somebody:{CANARY}".encode()).decode()
    echo = basic if wrap == "base64" else CANARY.encode().hex() if isinstance(wrap, str) else wrap(CANARY)
    url = site.url("/f", Answer(end_at=500), file=File(b"x" * 1000, etag=f'"{echo}"'))
    named = url.replace("//", "//${UMLS_USER}:${UMLS_API_KEY}@")
    assert cage.run(named, "-v") == 5
    assert site.asked("Authorization") == [f"Basic {basic}"] * 2
    assert cage.is_silent()


@pytest.mark.parametrize("kind", ["no name", "no server", "no TLS", "no trust"])
def test_no_failure_on_the_way_makes_it_sing(
    cage: Cage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def no_name(*args: Any, **more: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, CANARY)

    pem = certificate(tmp_path / "site.pem", "127.0.0.1")
    with FaultServer(pem if kind == "no trust" else None) as server, socket.create_server(("127.0.0.1", 0)) as unused:
        port = server.port
        if kind == "no server":
            port = unused.getsockname()[1]
            unused.close()
        if kind == "no name":
            monkeypatch.setattr(socket, "getaddrinfo", no_name)
        scheme = "http" if kind == "no server" else "https"
        for words in WAYS:
            assert cage.run(f"{scheme}://127.0.0.1:{port}/${{UMLS_API_KEY}}/f?k=${{UMLS_API_KEY}}", *words) == 5
    assert cage.is_silent()


STEPS = ("fetch", "skip_if_unchanged", "unpack_source", "bronze", "silver", "gate", "publish")


def break_in(step: str, patch: pytest.MonkeyPatch, raised: Exception) -> None:
    """Let a step fail as a library would that writes out what it was given."""

    def fail(*args: Any, **more: Any) -> None:
        logging.getLogger("urllib3.connectionpool").warning("retrying %s", raised)
        raise raised

    if step in {"bronze", "silver"}:
        patch.setitem(runner._LAYERS, step, fail)
    else:
        patch.setattr(quality if step == "gate" else steps, step, fail)


@pytest.mark.parametrize("kind", [RuntimeError, OSError])
@pytest.mark.parametrize("step", STEPS)
def test_no_failure_of_a_step_makes_it_sing(
    cage: Cage,
    site: FaultServer,
    one_engine: None,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    kind: type[Exception],
) -> None:
    # this site is sound, and only slow where the machine is
    monkeypatch.setattr(steps, "Limits", Limits)
    release = packed(cage.folder / "release.zip", {"nsde.csv": GOOD_TEXT}).read_bytes()
    url = site.url("/f.zip", file=File(release)) + "?apiKey=${UMLS_API_KEY}"
    assert cage.run(url, "--until", "fetch") == 0
    cause = ValueError(f"Max retries exceeded with url: /f.zip?apiKey={quote(CANARY, safe='')} ({CANARY!r})")
    raised = kind(f"GET {url.partition('?')[0]}?apiKey={CANARY} failed")
    raised.__cause__ = cause
    break_in(step, monkeypatch, raised)
    ways = LOUD if kind is RuntimeError else LOUD[:1]
    for words in WAYS if step == "fetch" else ways:
        assert cage.run(url, *words) == (1 if kind is RuntimeError else 7)
    assert cage.command("runs", "list", "--json") == 0
    assert cage.command("lineage", "nsde") in {0, 2, 7}
    assert cage.is_silent()


def test_a_published_run_does_not_sing_either(
    cage: Cage, site: FaultServer, one_engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "Limits", Limits)
    release = packed(cage.folder / "release.zip", {"nsde.csv": GOOD_TEXT}).read_bytes()
    url = site.url("/${UMLS_API_KEY}.zip?apiKey=${UMLS_API_KEY}")
    site.files[f"/{CANARY}.zip"] = site.files["/" + quote(CANARY, safe="") + ".zip"] = File(release)
    assert cage.run(site.url("/f.zip", file=File(release)) + "?apiKey=${UMLS_API_KEY}", "-v") == 0
    assert cage.run(url, "--json") in {0, 5}
    for words in (["status"], ["lineage", "nsde"], ["manifest", "show", "nsde"], ["manifest", "history", "nsde"]):
        for way in LOUD:
            assert cage.command(*words, *way) == 0
    assert cage.is_silent()


def children() -> Iterable[Path]:
    """The processes below this one, in /proc."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            yield path.parent


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_the_engine_is_given_no_key(cage: Cage, site: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_TOKEN", CANARY)
    monkeypatch.setenv("COPY_OF_IT", CANARY)
    monkeypatch.setenv("PLAIN_SETTING", "kept")
    seen: list[bytes] = []

    def look(run: Any) -> None:
        assert run.engine.session is not None
        seen.extend((path / name).read_bytes() for path in children() for name in ("environ", "cmdline"))
        raise RuntimeError("seen enough")

    monkeypatch.setitem(runner._LAYERS, "bronze", look)
    monkeypatch.setattr(runner, "Shared", Shared)
    release = packed(cage.folder / "release.zip", {"nsde.csv": GOOD_TEXT}).read_bytes()
    url = site.url("/f.zip", file=File(release)) + "?apiKey=${UMLS_API_KEY}"
    assert cage.run(url, "--engine", "sail") == 1  # the one that has a process of its own
    assert any(b"pharmaetl.sail_server" in text for text in seen)
    assert any(b"PLAIN_SETTING=kept" in text for text in seen)
    assert not any(sings(text) for text in seen)
    assert os.environ["OTHER_TOKEN"] == CANARY


def test_a_whole_process_that_logs_everything_does_not_sing(tmp_path: Path, site: FaultServer) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        f"import http.client, logging; http.client.HTTPConnection.debuglevel = 1\n"
        f"logging.basicConfig(level=logging.DEBUG, filename={str(tmp_path / 'all.log')!r})\n"
    )
    site.url("/f", Answer(end_at=10), Answer(status=403, body=CANARY.encode()), file=File(b"x" * 1000))
    url = f"http://127.0.0.1:{site.port}/f?apiKey=${{UMLS_API_KEY}}"
    words = ["run", "nsde", "--source", url, "-v", "--json", "--lake", str(tmp_path / "lake"), "--datasets", DATASETS]
    known = {**os.environ, "UMLS_API_KEY": CANARY, "NO_PROXY": "*", "PYTHONPATH": f"{tmp_path / 'site'}:{Path.cwd()}"}
    process = subprocess.run([sys.executable, "-m", "pharmaetl", *words], env=known, capture_output=True, check=False)
    assert (process.returncode, len(site.requests)) == (5, 2)
    assert b"urllib3" in (tmp_path / "all.log").read_bytes()
    assert not any(sings(text) for text in (process.stdout, process.stderr, (tmp_path / "all.log").read_bytes()))
    assert not any(sings(path.read_bytes()) for path in (tmp_path / "lake").rglob("*") if path.is_file())
