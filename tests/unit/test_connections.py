"""Sites that can't be reached: each failure has its own reason, and is tried again only where that may help."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from fetching import FILE, Fetching

from pharmaetl.errors import UnavailableError


@pytest.fixture
def get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetching:
    monkeypatch.setenv("NO_PROXY", "*")
    return Fetching(tmp_path / "spool")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key, and a certificate for example.org that nobody has signed but itself."""
    openssl, path = shutil.which("openssl"), tmp_path / "site.pem"
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    subject = ["-subj", "/CN=example.org", "-addext", "subjectAltName=DNS:example.org", "-days", "1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = [openssl, "req", "-x509", *key, *subject, "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def unavailable(get: Fetching, url: str, **limits: Any) -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        get(url, attempts=3, **limits)
    assert caught.value.exit_code == 5
    assert caught.value.hint
    assert get.left() == []
    return caught.value


def resolver(number: int) -> Any:
    def fail(*args: Any, **more: Any) -> None:
        raise socket.gaierror(number, "the resolver's words")

    return fail


def test_a_name_that_does_not_exist_is_not_asked_for_again(get: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(socket.EAI_NONAME))
    assert unavailable(get, "https://site.example/f").reason == "site.example: no such host (DNS)"
    assert get.naps == []


def test_a_name_server_that_is_away_is_asked_again(get: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(socket.EAI_AGAIN))
    error = unavailable(get, "https://site.example/f")
    assert error.reason == "site.example: its name can't be looked up (DNS) (3 attempts)"


def test_a_port_where_nothing_listens_refuses(get: Fetching) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert unavailable(get, f"http://127.0.0.1:{port}/f").reason == (
        f"127.0.0.1:{port}: connection refused (3 attempts)"
    )


def test_a_site_that_does_not_take_the_connection_times_out(get: Fetching) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        # With its queue full, the kernel drops what else wants to connect.
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        error = unavailable(get, f"http://127.0.0.1:{full.getsockname()[1]}/f", connect_seconds=0.05)
        for client in waiting:
            client.close()
    assert "no connection in time (3 attempts)" in error.reason


def test_a_port_that_speaks_no_tls_is_said_so(get: Fetching) -> None:
    with FaultServer() as site:
        error = unavailable(get, f"https://127.0.0.1:{site.port}/f")
    assert error.reason == f"127.0.0.1:{site.port}: no encrypted connection (TLS) (3 attempts)"


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(get: Fetching, certificate: Path) -> None:
    with FaultServer(certificate) as site:
        error = unavailable(get, site.url("/f", file=FILE))
        assert site.requests == []
    assert error.reason.startswith(f"127.0.0.1:{site.port}: invalid certificate: self")
    assert "REQUESTS_CA_BUNDLE" in error.hint
    assert get.naps == []


def test_a_certificate_for_another_host_is_not_trusted(
    get: Fetching, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with FaultServer(certificate) as site:
        error = unavailable(get, site.url("/f", file=FILE))
        assert site.requests == []
    assert "certificate is not valid for '127.0.0.1'" in error.reason
    assert get.naps == []
