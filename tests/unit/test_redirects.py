"""Which redirects are followed, and that nothing is asked of the places the others lead to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import Answer, FaultServer

from pharmaetl.download import addresses, source
from pharmaetl.download.source import Fetched, Limits
from pharmaetl.errors import RefusedError

BODY = Answer(body=b"data")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with FaultServer() as server:
        yield server


def to(location: str, status: int = 302) -> Answer:
    return Answer(status=status, headers={"Location": location})


def fetch(url: str, spool: Path, **limits: Any) -> Fetched:
    fetched = source.fetch(url, spool, limits=Limits(**limits), sleep=lambda seconds: None)
    assert isinstance(fetched, Fetched)
    return fetched


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_site_is_followed(site: FaultServer, tmp_path: Path, status: int) -> None:
    site.url("/2025/release.zip", BODY)
    url = site.url("/current", to("2025/release.zip", status))
    fetched = fetch(url, tmp_path)
    assert (fetched.url, fetched.file_name) == (url, "release.zip")


def test_five_redirects_are_followed_and_six_are_not(site: FaultServer, tmp_path: Path) -> None:
    for hop in range(6):
        site.url(f"/{hop}", to(f"/{hop + 1}"))
    site.url("/6", BODY)
    assert fetch(site.url("/1"), tmp_path).bytes == 4
    with pytest.raises(RefusedError, match="more than 5"):
        fetch(site.url("/0"), tmp_path)


def test_a_loop_is_refused(site: FaultServer, tmp_path: Path) -> None:
    site.url("/a", to("/b"))
    with pytest.raises(RefusedError, match="loop") as caught:
        fetch(site.url("/b", to("/a")), tmp_path)
    assert caught.value.exit_code == 4
    assert len(site.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[64:ff9b::7f00:1]:{port}/",
        "http://0.0.0.0:{port}/",
        "//127.0.0.1:{port}/",
        "http://me@127.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0xa9fea9fe/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
        "http://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://168.63.129.16/",
        "http://100.100.100.200/latest/meta-data/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://[2002:7f00:1::]:{port}/",
        "http://[2001:0:7f00:1::]:{port}/",
        "http://[64:ff9b:1::7f00:1]:{port}/",
        "http://[fe80::1%25lo]:{port}/",
        "http://[::]:{port}/",
        "http://127.0.0.1.:{port}/",
        "http://LOCALHOST.:{port}/",
        "http://017700000001:{port}/",
        "http://0:{port}/",
        "https://10.0.0.1/",
    ],
)
def test_a_redirect_into_a_private_network_is_refused_and_not_tried(
    site: FaultServer, tmp_path: Path, location: str
) -> None:
    with FaultServer() as inner:
        sent = location.format(port=inner.port).encode().decode("latin-1")
        with pytest.raises(RefusedError, match="private network") as caught:
            fetch(site.url("/f", to(sent)), tmp_path)
        assert inner.requests == []
    assert caught.value.exit_code == 4
    assert "--allow-private-hosts" in caught.value.hint


def test_a_name_that_stands_for_a_private_address_is_refused(
    site: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def resolver(host: str, *rest: Any, **more: Any) -> Any:
        return real("10.0.0.5" if host == "harmless.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with pytest.raises(RefusedError, match=r"harmless\.example, an address of a private network"):
        fetch(site.url("/f", to("http://harmless.example/f")), tmp_path)


def test_private_hosts_can_be_allowed(site: FaultServer, tmp_path: Path) -> None:
    with FaultServer() as inner:
        url = site.url("/f", to(inner.url("/g", BODY)))
        assert fetch(url, tmp_path, allow_private_hosts=True).file_name == "g"


def test_a_url_with_a_secret_stays_with_its_host(
    site: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_KEY", "abc-123-def")
    with FaultServer() as other:
        url = site.url("/f?apiKey=${FAKE_KEY}", to(other.url("/f?apiKey=abc-123-def", BODY)))
        with pytest.raises(RefusedError, match="holds a secret"):
            fetch(url, tmp_path, allow_private_hosts=True)
        assert other.requests == []
    site.url("/g", BODY)
    assert fetch(site.url("/f?apiKey=${FAKE_KEY}", to("/g")), tmp_path).file_name == "g"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://ftp.example/x", "data:text/plain,x", "gopher://x/"])
def test_a_redirect_out_of_http_is_refused(site: FaultServer, tmp_path: Path, location: str) -> None:
    with pytest.raises(RefusedError, match=f"leads to a {location.partition(':')[0]} address"):
        fetch(site.url("/f", to(location)), tmp_path)


@pytest.mark.parametrize(
    "location",
    [
        "http://[::1",
        "http://host:99999999/",
        "http://a..b\x7f:x/",
        "http://①②⑦.⓪.⓪.①:{port}/",
        "http://127。0。0。1:{port}/",
        "http://127.0.0.1:{port}\\@[::1]:x/",
    ],
)
def test_a_redirect_that_cannot_be_read_is_refused(site: FaultServer, tmp_path: Path, location: str) -> None:
    with FaultServer() as inner:
        sent = location.format(port=inner.port).encode().decode("latin-1")
        with pytest.raises(RefusedError):
            fetch(site.url("/f", to(sent)), tmp_path)
        assert inner.requests == []


def redirected(current: str, location: str) -> str:
    book = addresses.AddressBook(current, allow_private_hosts=False)
    return addresses.redirected(current, location, first=current, book=book, allow_private_hosts=False)


def test_encryption_may_be_gained_but_not_lost() -> None:
    assert redirected("http://8.8.8.8/a", "https://8.8.8.8/a") == "https://8.8.8.8/a"
    assert redirected("https://8.8.8.8/a", "https://9.9.9.9/b#c") == "https://9.9.9.9/b"
    with pytest.raises(RefusedError, match="without encryption"):
        redirected("https://8.8.8.8/a", "http://8.8.8.8/a")


def test_a_backslash_does_not_hide_the_host() -> None:
    assert redirected("http://8.8.8.8/", "http://9.9.9.9\\@127.0.0.1/") == "http://9.9.9.9/%5C@127.0.0.1/"
    with pytest.raises(RefusedError, match="private"):
        redirected("http://8.8.8.8/", "http://127.0.0.1\\@9.9.9.9/")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a.example/x", "http://A.example:80/y", True),
        ("http://a.example/x", "https://a.example/x", True),
        ("https://a.example/x", "https://a.example:8443/x", False),
        ("http://a.example/x", "http://b.a.example/x", False),
        ("http://a.example:8080/x", "https://a.example/x", False),
    ],
)
def test_a_site_is_a_host_and_a_port(one: str, other: str, same: bool) -> None:
    assert addresses.same_site(one, other) is same


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("8.8.8.8", False),
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.1.1", True),
        ("100.64.0.1", True),
        ("169.254.169.254", True),
        ("168.63.129.16", True),
        ("224.0.0.1", True),
        ("240.0.0.1", True),
        ("255.255.255.255", True),
        ("0.0.0.0", True),
        ("192.0.2.1", True),
        ("192.0.0.192", True),
        ("100.100.100.200", True),
        ("2606:4700:4700::1111", False),
        ("::", True),
        ("::1", True),
        ("::127.0.0.1", True),
        ("fe80::1", True),
        ("fec0::1", True),
        ("fd00:ec2::254", True),
        ("ff02::1", True),
        ("::ffff:8.8.8.8", False),
        ("::ffff:10.0.0.1", True),
        ("64:ff9b::808:808", False),
        ("64:ff9b::a00:1", True),
        ("64:ff9b:1::808:808", True),
        ("2002:a00:1::", True),
        ("2001:0:a00:1::", True),
        ("2001:0:808:808::", True),
        ("2a00::5efe:7f00:1", True),
        ("2a00::200:5efe:7f00:1", True),
        ("2002:a9fe:a9fe::", True),
        ("64:ff9b:1::a9fe:a9fe", True),
        ("3fff::1", True),
    ],
)
def test_only_public_addresses_are_public(address: str, private: bool) -> None:
    assert addresses.is_private(ipaddress.ip_address(address)) is private
