"""Fetching over HTTP from sites that break off, change, stumble or say no: the bytes are exact, or there are none."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from fault_server import Answer, FaultServer, File
from fetching import BODY, FILE, Fetching, is_whole

from pharmaetl.errors import DeniedError, UnavailableError

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


def test_a_download_that_broke_off_goes_on_where_it_stopped(site: FaultServer, get: Fetching) -> None:
    assert is_whole(get(site.url("/f", END, Answer(), file=FILE)))
    assert site.asked("Range") == [None, "bytes=150000-"]
    assert site.asked("If-Range") == [None, '"v1"']


def test_an_interrupted_run_leaves_a_partial_that_the_next_run_goes_on_with(site: FaultServer, get: Fetching) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    url = site.url("/f?apiKey=letmein-1", file=FILE)
    with pytest.raises(KeyboardInterrupt):
        get(url, progress=interrupt)
    note, partial = sorted(get.spool.iterdir())
    assert (note.suffix, partial.suffix, len(partial.stem)) == (".json", ".partial", 16)
    assert BODY.startswith(partial.read_bytes())
    assert json.loads(note.read_text()) == {
        "url": f"http://127.0.0.1:{site.port}/f?apiKey=***",
        "etag": '"v1"',
        "last_modified": "Mon, 06 Jan 2025 08:00:00 GMT",
        "total": 300_000,
    }
    begun = partial.stat().st_size
    assert is_whole(get(url))
    assert site.asked("Range") == [None, f"bytes={begun}-"]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        '{"url": "URL", "etag": 1, "last_modified": null, "total": null}',
        '{"url": "URL", "etag": null, "last_modified": null, "total": null}',
        '{"url": "URL", "etag": "W/\\"v1\\"", "last_modified": null, "total": null}',
        '{"url": "URL", "etag": "\\"v1\\"", "last_modified": null, "total": 13}',
        '{"url": "another", "etag": "\\"v1\\"", "last_modified": null, "total": null}',
    ],
)
def test_a_partial_that_nothing_vouches_for_is_dropped(site: FaultServer, get: Fetching, note: str) -> None:
    url = site.url("/f", file=FILE)
    get.leave(url, b"something else", note.replace("URL", url))
    fetched = get(url)
    assert is_whole(fetched)
    assert site.asked("Range") == [None]
    assert get.left() == [fetched.path.name]


def test_a_partial_that_is_complete_is_confirmed_by_its_last_byte(site: FaultServer, get: Fetching) -> None:
    url = site.url("/f", file=FILE)
    note = {"url": url, "etag": '"v1"', "last_modified": None, "total": 300_000}
    get.leave(url, BODY, json.dumps(note))
    assert is_whole(get(url))
    assert site.asked("Range") == ["bytes=299999-"]


def test_two_fetches_of_one_url_at_a_time_do_not_mix(site: FaultServer, get: Fetching) -> None:
    url, others = site.url("/f", file=FILE), []

    def meanwhile(done: int, total: int | None) -> None:
        if not others:
            others.append(get(url))

    assert is_whole(get(url, progress=meanwhile))
    assert is_whole(others[0])
    assert len(get.left()) == 1


def test_what_a_second_fetch_at_a_time_leaves_behind_is_cleared_away(site: FaultServer, get: Fetching) -> None:
    url = site.url("/f", file=FILE)

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    def meanwhile(done: int, total: int | None) -> None:
        with pytest.raises(KeyboardInterrupt):
            get(url, progress=interrupt)

    assert is_whole(get(url, progress=meanwhile))
    assert len(get.left()) == 1


def test_a_file_that_another_fetch_has_just_finished_is_left_alone(
    site: FaultServer, get: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = site.url("/f", file=FILE)
    get.leave(url, b"their whole file", "")
    (theirs,) = get.spool.glob("*.partial")
    flock = fcntl.flock

    def finish_first(file: Any, operation: int) -> None:
        if theirs.exists() and theirs.stat().st_size:
            theirs.rename(get.spool / "theirs.zip")
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    assert is_whole(get(url))
    assert (get.spool / "theirs.zip").read_bytes() == b"their whole file"


def test_a_site_that_ignores_ranges_is_read_from_the_start(site: FaultServer, get: Fetching) -> None:
    assert is_whole(get(site.url("/f", END, Answer(ranges=False), file=FILE)))


def test_a_file_that_changed_between_two_parts_is_read_anew(site: FaultServer, get: Fetching) -> None:
    url = site.url("/f", END, Answer(), file=File(b"x" * 300_000, etag='"old"'))

    def replace(done: int, total: int | None) -> None:
        site.files["/f"] = FILE

    assert is_whole(get(url, progress=replace))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 149999-299999/300000"},
        {"Content-Range": "bytes 150000-299998/300000"},
        {"Content-Range": "bytes 150000-299999/300001"},
        {"Content-Range": "bytes 150000-300000/300001"},
        {"Content-Range": "nonsense"},
        {"Content-Range": ""},
        {"ETag": '"v2"'},
        {"ETag": ""},
    ],
)
def test_a_part_that_is_not_the_rest_of_the_file_is_never_spliced(
    site: FaultServer, get: Fetching, headers: dict[str, str]
) -> None:
    assert is_whole(get(site.url("/f", END, Answer(headers=headers), Answer(), file=FILE)))
    assert site.asked("Range") == [None, "bytes=150000-", None]


def test_a_site_that_has_no_such_range_is_asked_for_the_whole_file(site: FaultServer, get: Fetching) -> None:
    assert is_whole(get(site.url("/f", END, Answer(status=416, body=b""), Answer(), file=FILE)))
    assert site.asked("Range") == [None, "bytes=150000-", None]


def test_a_part_that_nobody_asked_for_is_malformed(site: FaultServer, get: Fetching) -> None:
    part = Answer(status=206, headers={"Content-Range": "bytes 0-299999/300000"})
    with pytest.raises(UnavailableError, match="malformed"):
        get(site.url("/f", part, file=FILE), attempts=2)


def test_resets_at_ten_offsets_in_turn_give_the_exact_bytes(site: FaultServer, get: Fetching) -> None:
    resets = [Answer(reset_at=at) for at in range(0, 300_000, 30_000)]
    assert is_whole(get(site.url("/f", *resets, Answer(), file=FILE)))


def test_without_validators_every_attempt_starts_from_the_first_byte(site: FaultServer, get: Fetching) -> None:
    bare = {"ETag": "", "Last-Modified": ""}
    url = site.url("/f", Answer(end_at=HALF, headers=bare), Answer(headers=bare), file=FILE)
    assert is_whole(get(url))
    assert site.asked("Range") == [None, None]


def test_a_body_that_always_ends_early_fails_in_the_end_and_keeps_what_came(site: FaultServer, get: Fetching) -> None:
    with pytest.raises(UnavailableError, match="ended before the file did") as caught:
        get(site.url("/f", END, file=FILE), attempts=3)
    assert type(caught.value) is UnavailableError
    assert [Path(name).suffix for name in get.left()] == [".json", ".partial"]
    assert len(site.requests) == 3


def test_waits_double_up_to_the_limit_and_never_exceed_it(site: FaultServer, get: Fetching) -> None:
    with pytest.raises(UnavailableError, match=r"503 Service Unavailable \(6 attempts\)") as caught:
        get(site.url("/f", Answer(status=503), file=FILE), max_backoff_seconds=3)
    assert caught.value.exit_code == 5
    assert len(get.naps) == 5
    assert all(nap <= limit for nap, limit in zip(get.naps, [1, 2, 3, 3, 3], strict=True))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_failure_that_passes_is_waited_out(site: FaultServer, get: Fetching, status: int) -> None:
    assert is_whole(get(site.url("/f", *[Answer(status=status, body=b"")] * 4, Answer(), file=FILE)))


def test_a_site_that_asks_for_time_gets_it(site: FaultServer, get: Fetching) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)
    waits = ["3", soon, "Wed, 21 Oct 2015 07:28:00 GMT", "-1", "soon", "1.5", "9" * 400]
    answers = [Answer(status=429, headers={"Retry-After": wait}) for wait in waits]
    get(site.url("/f", *answers, Answer(), file=FILE), attempts=9, max_backoff_seconds=1, backoff_seconds=0.01)
    assert get.naps[0] == 3
    assert 3 < get.naps[1] <= 5
    assert max(get.naps[2:]) < 1


@pytest.mark.parametrize("days", [1, 20_000])
@pytest.mark.parametrize("dated", [False, True])
def test_a_site_that_asks_for_more_time_than_a_run_has_is_not_waited_for(
    site: FaultServer, get: Fetching, dated: bool, days: int
) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)
    busy = Answer(status=429, headers={"Retry-After": until if dated else f"{days * 86_400}"})
    with pytest.raises(UnavailableError, match=r"429 Too Many Requests, and not to ask again for [0-9]+ s") as caught:
        get(site.url("/f", busy, file=FILE), total_seconds=3600)
    assert caught.value.hint.startswith("run again after 20")
    assert (get.naps, len(site.requests)) == ([], 1)


@pytest.mark.parametrize(("status", "hint"), [(401, "key"), (403, "User-Agent"), (404, "moved"), (410, "withdrawn")])
def test_a_no_is_not_asked_again(site: FaultServer, get: Fetching, status: int, hint: str) -> None:
    with pytest.raises(DeniedError, match=str(status)) as caught:
        get(site.url("/f", Answer(status=status, body=b"no")))
    assert hint in caught.value.hint
    assert caught.value.exit_code == 5
    assert len(site.requests) == 1


def test_a_validator_that_repeats_the_licence_key_is_written_nowhere(
    site: FaultServer, get: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LICENCE_KEY", "canary-4e1d")
    url = site.url("/f", file=File(BODY, etag='"/f?apiKey=canary-4e1d"')) + "?apiKey=${LICENCE_KEY}"
    notes: list[bytes] = []

    def look(done: int, total: int | None) -> None:
        notes.extend(path.read_bytes() for path in get.spool.glob("*.json"))

    fetched = get(url, progress=look)
    assert is_whole(fetched)
    assert fetched.etag is None
    assert not any(b"canary" in note for note in notes)
