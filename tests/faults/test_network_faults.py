"""Network faults, N1 to N24: what a site, a name server or the way to them may do to a run."""

from __future__ import annotations

import errno
import io
import json
import shutil
import socket
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from fault_server import Answer, FaultServer, File
from faults import network
from faults.certificates import certificate
from faults.network import BODY, DATASETS, FILE, HALF, CutInHandshake, Downloads, Names

from pharmaetl.download import addresses

SHORT = Answer(end_at=HALF)
BARE = {"ETag": "", "Last-Modified": ""}


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Downloads:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    return Downloads(tmp_path, monkeypatch, capsys)


@pytest.fixture
def site() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def to(location: str, status: int = 302) -> Answer:
    return Answer(status=status, headers={"Location": location}, body=b"")


@pytest.mark.parametrize(
    ("number", "says", "lookups"), [(socket.EAI_NONAME, "no such host", 1), (socket.EAI_AGAIN, "looked up", 6)]
)
def test_n1_a_name_that_cannot_be_looked_up(
    downloads: Downloads, monkeypatch: pytest.MonkeyPatch, number: int, says: str, lookups: int
) -> None:
    asked: list[str] = []

    def resolver(host: str, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(number, "the resolver's words")

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    downloads.fails("https://site.example/f", says=rf"^site\.example: .*{says}.*\(DNS\)", hint="network")
    assert asked == ["site.example"] * lookups


def test_n2_a_refused_connection(downloads: Downloads) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    downloads.fails(f"http://127.0.0.1:{port}/f", says=r"connection refused \(6 attempts\)", hint="down")


def test_n3_a_connection_that_is_not_taken(downloads: Downloads) -> None:
    downloads.within(connect_seconds=0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        # With its queue full, the kernel drops what else wants to connect.
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        downloads.fails(f"http://127.0.0.1:{full.getsockname()[1]}/f", says="no connection in time", hint="firewall")
        for client in waiting:
            client.close()


@pytest.mark.parametrize(
    ("host", "days", "says"),
    [("127.0.0.1", -3, "certificate has expired"), ("elsewhere.example", 3, "not valid for '127.0.0.1'")],
    ids=["n4_expired", "n5_wrong_host"],
)
def test_n4_n5_a_certificate_that_is_not_good_for_the_host(
    downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int, says: str
) -> None:
    pem = certificate(tmp_path / "site.pem", host, days=days)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with FaultServer(pem) as site:
        downloads.fails(site.url("/f", file=FILE), says=f"invalid certificate: .*{says}", hint="clock")
        assert site.requests == []


def test_a_good_certificate_is_taken(downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path / "site.pem", "127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with FaultServer(pem) as site:
        downloads.brings(site.url("/f", SHORT, Answer(), file=FILE))


@pytest.mark.parametrize("end", [network.close, network.reset, network.half_a_record, network.alert])
def test_n6_tls_that_is_cut_in_the_handshake(downloads: Downloads, end: Callable[[socket.socket], None]) -> None:
    with CutInHandshake(end) as server:
        downloads.fails(server.url, says=r"(no encrypted connection \(TLS\)|the connection was cut) \(6 attempts\)")
        assert server.connections == 6


def test_n7_a_reset_before_the_first_byte(downloads: Downloads, site: FaultServer) -> None:
    downloads.fails(site.url("/f", Answer(reset_at=0), file=FILE), says=r"connection was cut.* \(6 attempts\)")
    assert downloads.partials() == []
    downloads.brings(site.url("/f", Answer(reset_at=0), Answer()))


def test_n8_a_reset_half_way_is_gone_on_from(downloads: Downloads, site: FaultServer) -> None:
    downloads.brings(site.url("/f", Answer(reset_at=HALF), Answer(), file=FILE))
    assert site.asked("Range") == [None, "bytes=150000-"]
    assert site.asked("If-Range") == [None, '"v1"']


def test_n8_what_a_run_could_not_finish_the_next_one_does(downloads: Downloads, site: FaultServer) -> None:
    downloads.within(attempts=1)
    downloads.fails(site.url("/f", SHORT, file=FILE), says="ended before the file did")
    assert [path.stat().st_size for path in downloads.partials()] == [HALF]
    downloads.brings(site.url("/f", Answer()))
    assert site.asked("Range") == [None, "bytes=150000-"]


def test_n9_resets_at_ten_offsets(downloads: Downloads, site: FaultServer) -> None:
    resets = [Answer(reset_at=at) for at in range(0, 300_000, 30_000)]
    downloads.brings(site.url("/f", *resets, Answer(), file=FILE))
    assert len(site.requests) == 11


@pytest.mark.parametrize("at", [0, HALF])
def test_n10_a_site_that_falls_silent(downloads: Downloads, site: FaultServer, at: int) -> None:
    downloads.within(read_seconds=0.15, attempts=2)
    downloads.fails(site.url("/f", Answer(stall_at=at), file=FILE), says="fell silent", hint="run again")
    downloads.within(read_seconds=0.5)
    downloads.brings(site.url("/f", Answer(stall_at=at), Answer(), file=FILE))


DRIPS = {
    "body": Answer(drip=(1, 0.02)),
    "status line": Answer(raw=b"HTTP/1.1 200 " + b"O" * 1000, raw_pause=0.02),
    "header": Answer(raw=b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000, raw_pause=0.02),
    "interim answers": Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 50, raw_pause=0.01),
    "chunk's length": Answer(
        raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 999, raw_pause=0.004
    ),
    "redirect": Answer(raw=b"HTTP/1.1 302 Found\r\nLocation: /" + b"x" * 1000, raw_pause=0.02),
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS.keys())
def test_n11_a_drip_ends_the_run_without_another_try(downloads: Downloads, site: FaultServer, drip: Answer) -> None:
    downloads.within(read_seconds=0.4, window_seconds=0.3)
    downloads.fails(site.url("/f", drip, file=FILE), says="too slow", hint="run again later")
    assert len(site.requests) == 1


def test_a_body_that_takes_its_time_at_a_good_pace_arrives(downloads: Downloads, site: FaultServer) -> None:
    downloads.within(read_seconds=0.3, window_seconds=0.3)
    downloads.brings(site.url("/f", Answer(drip=(20_000, 0.06)), file=FILE))


@pytest.mark.parametrize("drip", [Answer(drip=(5000, 0.02)), DRIPS["header"], DRIPS["chunk's length"]])
def test_n12_the_deadline_ends_the_run_whatever_comes_in(downloads: Downloads, site: FaultServer, drip: Answer) -> None:
    downloads.within(total_seconds=0.4)
    downloads.fails(site.url("/f", drip, file=FILE), says=r"not done within 0\.4 s", hint="run again")
    assert len(site.requests) == 1


def test_n13_a_short_body(downloads: Downloads, site: FaultServer) -> None:
    downloads.fails(site.url("/f", SHORT, file=FILE), says=r"ended before the file did \(6 attempts\)")
    assert len(site.requests) == 6
    assert [path.stat().st_size for path in downloads.partials()] == [HALF]
    downloads.brings(site.url("/f", SHORT, Answer()))


def test_n13_a_short_body_without_validators_is_not_kept(downloads: Downloads, site: FaultServer) -> None:
    short = Answer(end_at=HALF, headers=BARE)
    downloads.fails(site.url("/f", short, file=FILE), says="ended before the file did")
    assert downloads.partials() == []
    downloads.brings(site.url("/f", short, Answer(headers=BARE)))
    assert set(site.asked("Range")) == {None}


def test_n14_a_short_body_of_no_said_length_is_caught_by_the_zip(downloads: Downloads, site: FaultServer) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("nsde.csv", BODY)
    short = Answer(raw=network.whole(site, "Connection: close", buffer.getvalue()[:HALF]))
    ended = downloads.command("run", "nsde", "--source", site.url("/f.zip", short))
    assert (ended.code, ended.error["code"], len(site.requests)) == (4, "source_format", 1)
    assert "f.zip" in ended.error["reason"]
    assert downloads.partials() == []
    downloads.assert_published_untouched()


@pytest.mark.parametrize("more", [b"x", b"\r\n", BODY, b"HTTP/1.1 200 OK\r\n\r\n"])
def test_n15_a_body_longer_than_said_is_not_cut(downloads: Downloads, site: FaultServer, more: bytes) -> None:
    longer = Answer(raw=network.whole(site, "Content-Length: 300000", BODY + more))
    downloads.fails(site.url("/f", longer), says=r"malformed answer: more .* than .* declared \(6 attempts\)")
    assert downloads.partials() == []
    downloads.brings(site.url("/f", longer, Answer(), file=FILE))


def test_n15_a_part_longer_than_said_is_not_cut(downloads: Downloads, site: FaultServer) -> None:
    head = 'HTTP/1.1 206 Partial Content\r\nETag: "v1"\r\nContent-Range: bytes 150000-299999/300000\r\n'
    longer = Answer(raw=f"{head}Content-Length: 150000\r\n\r\n".encode() + BODY[HALF:] + b"more")
    downloads.brings(site.url("/f", SHORT, longer, Answer(), file=FILE))
    assert site.asked("Range") == [None, "bytes=150000-", None]


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: -5",
        "Content-Length: many",
        "Content-Length: 0x493e0",
        "Content-Length: 300000.0",
        "Content-Length: +300000",
        "Content-Length: 300000, 5",
        "Content-Length: 300000\r\nContent-Length: 5",
        "Content-Length: " + "9" * 400,
        "Content-Length: ",
    ],
)
def test_n16_a_wrong_length(downloads: Downloads, site: FaultServer, head: str) -> None:
    wrong = Answer(raw=network.whole(site, head))
    downloads.fails(site.url("/f", wrong), says=r"malformed answer.* \(6 attempts\)", hint="broken")
    downloads.brings(site.url("/f", wrong, Answer(), file=FILE))


def test_n16_the_right_length_twice_is_right(downloads: Downloads, site: FaultServer) -> None:
    twice = "Content-Length: 300000\r\nContent-Length: 300000"
    downloads.brings(site.url("/f", Answer(raw=network.whole(site, twice))))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 149999-299999/300000"},
        {"Content-Range": "bytes 0-299999/300000"},
        {"Content-Range": "bytes 150000-299998/300000"},
        {"Content-Range": "bytes 150000-299999/300001"},
        {"Content-Range": "bytes */300000"},
        {"Content-Range": "nonsense"},
        {"Content-Range": ""},
    ],
)
def test_n17_a_part_from_elsewhere_is_never_spliced(
    downloads: Downloads, site: FaultServer, headers: dict[str, str]
) -> None:
    downloads.brings(site.url("/f", SHORT, Answer(headers=headers), Answer(), file=FILE))
    assert site.asked("Range") == [None, "bytes=150000-", None]


def test_n18_a_site_that_ignores_ranges_is_read_from_the_start(downloads: Downloads, site: FaultServer) -> None:
    downloads.brings(site.url("/f", SHORT, Answer(ranges=False), file=FILE))


@pytest.mark.parametrize("status", [None, 206])
def test_n19_a_file_that_changes_between_two_parts_is_read_anew(
    downloads: Downloads, site: FaultServer, status: int | None
) -> None:
    old = Answer(raw=network.whole(site, 'Content-Length: 300000\r\nETag: "v0"', b"old" * 50_000))
    # Without If-Range the second part is of the new file: it says so by its ETag.
    part = Answer(status=206, headers={"Content-Range": "bytes 150000-299999/300000"}, body=BODY[HALF:])
    answers = [old, Answer()] if status is None else [old, part, Answer()]
    downloads.brings(site.url("/f", *answers, file=FILE))


def test_n20_a_range_that_is_not_there_is_asked_for_whole(downloads: Downloads, site: FaultServer) -> None:
    downloads.brings(site.url("/f", SHORT, Answer(status=416, body=b""), Answer(), file=FILE))
    assert site.asked("Range") == [None, "bytes=150000-", None]
    downloads.fails(site.url("/g", Answer(status=416, body=b"")), says="416", hint="source_url")


@pytest.mark.parametrize(
    "wait", ["1", "0", "-5", "soon", "", "1e3", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Foo 2015", "9" * 300]
)
def test_n21_too_many_requests_are_waited_out(downloads: Downloads, site: FaultServer, wait: str) -> None:
    busy = Answer(status=429, headers={"Retry-After": wait}, body=b"")
    downloads.brings(site.url("/f", busy, Answer(), file=FILE))
    assert len(site.requests) == 2


def test_n21_a_wait_until_a_date(downloads: Downloads, site: FaultServer) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    downloads.brings(site.url("/f", Answer(status=429, headers={"Retry-After": soon}), Answer(), file=FILE))


@pytest.mark.parametrize(
    "wait",
    ["86400", format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True), "31"],
    ids=["a day", "until tomorrow", "a second too long"],
)
def test_n21_a_wait_that_is_longer_than_the_run_may_take_ends_it(
    downloads: Downloads, site: FaultServer, wait: str
) -> None:
    busy = Answer(status=429, headers={"Retry-After": wait}, body=b"")
    says = r"429 Too Many Requests, and not to ask again for \d+ s"
    downloads.fails(site.url("/f", busy), says=says, hint=r"run again after 20\d\d-.* UTC")
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_n22_a_site_that_is_broken_for_a_while(downloads: Downloads, site: FaultServer, status: int) -> None:
    downloads.brings(site.url("/f", *[Answer(status=status, body=b"")] * 5, Answer(), file=FILE))
    downloads.fails(site.url("/g", Answer(status=status)), says=rf"{status} .* \(6 attempts\)", hint="later")
    assert len(site.requests) == 6 + 6


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "licence key"), (403, "key"), (404, "source_url"), (410, "withdrawn"), (451, "check")]
)
def test_n23_a_no_is_not_asked_again(downloads: Downloads, site: FaultServer, status: int, hint: str) -> None:
    said_no = Answer(status=status, headers={"Retry-After": "1"}, body=b"<html>no")
    ended = downloads.fails(site.url("/f", said_no), says=str(status), hint=hint)
    assert (ended.error["code"], len(site.requests)) == ("denied", 1)
    site.requests.clear()
    downloads.fails(site.url("/g", SHORT, said_no, file=FILE), says=str(status), hint=hint)
    assert len(site.requests) == 2
    downloads.brings(site.url("/g", Answer()))
    assert site.asked("Range")[2:] == ["bytes=150000-"]


def test_n24_redirects_in_a_loop_or_without_end(downloads: Downloads, site: FaultServer) -> None:
    site.url("/a", to("/b"))
    downloads.fails(site.url("/b", to("/a")), code=4, says="loop", hint="source_url")
    for hop in range(6):
        site.url(f"/{hop}", to(f"/{hop + 1}"))
    site.url("/6", file=FILE)
    downloads.fails(site.url("/0"), code=4, says="more than 5", hint="source_url")
    downloads.brings(site.url("/1"))


def test_n24_from_https_to_http(downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path / "site.pem", "127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    with FaultServer(pem) as site, FaultServer() as plain:
        url = site.url("/f", to(plain.url("/f", file=FILE)))
        downloads.fails(url, "--allow-private-hosts", code=4, says="from https to http.*without encryption")
        assert plain.requests == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://ftp.example/f", "data:,x", "FILE:/etc/passwd"])
def test_n24_out_of_http(downloads: Downloads, site: FaultServer, location: str) -> None:
    downloads.fails(site.url("/f", to(location)), "--allow-private-hosts", code=4, says="a redirect leads to a ")


PRIVATE = [
    "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0",
    "127.0.0.1.", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1%25lo]", "[fd00:ec2::254]", "[ff02::1]",
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "0xa9fea9fe", "2852039166",
    "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "168.63.129.16",
    "100.100.100.200", "224.0.0.1", "255.255.255.255", "me:pw@127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_n24_into_a_private_network(downloads: Downloads, site: FaultServer, host: str) -> None:
    with FaultServer() as inner:
        url = site.url("/f", to(f"http://{host}:{inner.port}/latest/meta-data/"))
        downloads.fails(url, code=4, says="redirect leads to .*private network", hint="--allow-private-hosts")
        assert inner.requests == []
    assert len(site.requests) == 1


def test_n24_private_hosts_are_a_matter_of_an_option_or_the_config(
    downloads: Downloads, site: FaultServer, tmp_path: Path
) -> None:
    with FaultServer() as inner:
        url = site.url("/f", to(inner.url("/f", file=FILE)))
        downloads.fails(url, code=4, says="private network", hint="allow_private_hosts in the config")
        assert inner.requests == []
        downloads.brings(url, "--allow-private-hosts")
        downloads.datasets = tmp_path / "datasets"
        folder = downloads.datasets / "fda" / "nsde"
        shutil.copytree(DATASETS / "fda" / "nsde", folder)
        config = json.loads((folder / "config" / "dataset.json").read_bytes()) | {"allow_private_hosts": True}
        (folder / "config" / "dataset.json").write_text(json.dumps(config))
        downloads.brings(url)


def test_n24_plan_and_dataset_new_follow_the_same_rule(downloads: Downloads, site: FaultServer, tmp_path: Path) -> None:
    downloads.datasets = tmp_path / "own"
    text = File(b"CODE,NAME\n" + b"".join(b"%d,name %d\n" % (row, row) for row in range(200)))
    with FaultServer() as inner:
        url = site.url("/f.csv", to(inner.url("/f.csv", file=text)))
        for words in (["dataset", "new", "org/codes", "--from", url], ["plan", "codes"]):
            refused = downloads.command(*words)
            if words[0] == "dataset":
                assert (refused.code, "--allow-private-hosts" in refused.error["hint"]) == (4, True)
                assert downloads.command(*words, "--allow-private-hosts").code == 0
        config = json.loads((tmp_path / "own" / "org" / "codes" / "config" / "dataset.json").read_bytes())
        assert config["allow_private_hosts"] is True
        assert downloads.command("plan", "codes").code == 0
        refused = downloads.command("plan", "codes", "--source", site.url("/g.csv", to("http://169.254.169.254/")))
        assert refused.code == 5
        downloads.datasets = DATASETS
        assert downloads.command("plan", "nsde", "--source", url).code == 4
        assert downloads.command("plan", "nsde", "--source", url, "--allow-private-hosts").code == 0


@pytest.mark.parametrize("url", ["http://169.254.169.254/x", "http://[fe80::1%25lo]/x", "http://[fd00:ec2::254]/x"])
def test_a_source_where_clouds_keep_credentials_needs_the_option(downloads: Downloads, url: str) -> None:
    downloads.fails(url, code=4, says="private network", hint="--allow-private-hosts")


@pytest.mark.parametrize("secret", ["/f?apiKey=${SITE_KEY}", "/${SITE_KEY}/f"])
def test_n24_a_secret_stays_with_its_host(
    downloads: Downloads, site: FaultServer, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("SITE_KEY", "canary-81b4")
    with FaultServer() as other:
        site.url("/canary-81b4/f", to(other.url("/f?apiKey=canary-81b4")))
        site.url("/f", to(other.url("/f")))
        downloads.fails(site.url(secret), "--allow-private-hosts", code=4, says="holds a secret meant for 127.0.0.1")
        assert other.requests == []


def test_n24_a_password_stays_with_its_host(
    downloads: Downloads, site: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SITE_USER", "somebody")
    monkeypatch.setenv("SITE_PASSWORD", "canary-2f77")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("default login somebody password canary-77aa\n")
    (tmp_path / "netrc").chmod(0o600)
    with FaultServer() as other:
        other.url("/f", file=FILE)
        url = site.url("/f", to(f"http://a:b@localhost:{other.port}/f"))
        named = url.replace("//", "//${SITE_USER}:${SITE_PASSWORD}@")
        downloads.fails(named, "--allow-private-hosts", code=4, says="holds a secret")
        assert other.requests == []
        downloads.brings(url, "--allow-private-hosts")
        assert other.asked("Authorization") == [None]


def test_a_password_typed_into_the_source_is_refused_and_not_shown(downloads: Downloads, site: FaultServer) -> None:
    url = site.url("/f", file=FILE).replace("//", "//somebody:canary-9d31@")
    ended = downloads.fails(url, code=3, says="user name or password stands in", hint=r"\$\{USER\}:\$\{PASSWORD\}@")
    assert "canary" not in str(ended)
    assert site.requests == []


def test_an_address_that_was_judged_is_the_one_that_is_asked(
    downloads: Downloads, site: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_private", lambda address: str(address) == "127.0.0.1")
    # Its name server says first that it is at a public address, where nothing listens, then that it is on loopback.
    names = Names(monkeypatch, rebinding_example=["127.0.0.2", "127.0.0.1"])
    with FaultServer() as inner:
        url = site.url("/f", to(f"http://rebinding.example:{inner.port}/f"))
        downloads.fails(url, says=r"^rebinding\.example:\d+: connection refused \(6 attempts\)")
        assert inner.requests == []
    assert names.asked.count("rebinding.example") == 1


def test_an_address_is_kept_for_every_retry_and_the_name_for_the_host_header_and_the_certificate(
    downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path / "site.pem", "site.example")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    names = Names(monkeypatch, site_example=["127.0.0.1", "127.0.0.2"])
    with FaultServer(pem) as site:
        url = site.url("/f", Answer(status=503, body=b""), SHORT, to("/g"), file=FILE).replace(
            "127.0.0.1", "site.example"
        )
        site.url("/g", file=FILE)
        downloads.brings(url)
        assert site.asked("Host") == [f"site.example:{site.port}"] * 4
    assert names.asked.count("site.example") == 1


def test_the_next_address_of_a_name_is_tried_where_one_does_not_answer(
    downloads: Downloads, site: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def resolver(host: str, *rest: Any, **more: Any) -> Any:
        return [entry for each in ("127.0.0.2", "127.0.0.1") for entry in real(each, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    downloads.brings(site.url("/f", file=FILE).replace("127.0.0.1", "site.example"))


def test_behind_a_proxy_the_proxy_looks_names_up_and_numbers_are_still_judged(
    downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolver(host: str, *rest: Any, **more: Any) -> Any:
        if host.endswith(".example"):
            raise socket.gaierror(socket.EAI_NONAME, "only the proxy knows")
        return real(host, *rest, **more)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with FaultServer() as proxy:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        proxy.url("http://site.example/f", to("http://mirror.example/f"))
        proxy.url("http://mirror.example/f", DRIPS["header"], Answer(), file=FILE)
        downloads.within(window_seconds=0.3, read_seconds=0.4)
        downloads.fails("http://site.example/f", says="too slow")
        downloads.brings("http://site.example/f")
        proxy.url("http://site.example/g", to("http://169.254.169.254/latest/meta-data/"))
        downloads.fails("http://site.example/g", code=4, says="private network", hint="--allow-private-hosts")
        assert not any("169.254" in request.path for request in proxy.requests)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_a_compressed_answer_is_refused_cut_or_not(downloads: Downloads, site: FaultServer, encoding: str) -> None:
    head = f"Content-Encoding: {encoding}\r\nContent-Length: 300000"
    cut = Answer(raw=network.whole(site, head, BODY[:HALF]))
    downloads.fails(site.url("/f", cut), code=4, says="sent with Content-Encoding", hint="--source FILE")
    assert (len(site.requests), downloads.partials()) == (1, [])


def test_a_full_disk_ends_the_run_with_7_and_without_a_partial(
    downloads: Downloads, site: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pharmaetl.download.partial import Partial

    def full(self: Partial, chunk: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "f.partial")

    monkeypatch.setattr(Partial, "append", full)
    downloads.fails(site.url("/f", file=FILE), code=7, says="No space left", hint="free some space")
