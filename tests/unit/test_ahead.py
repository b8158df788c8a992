"""Records in files of bounded size, and bronze made of them while the splitter goes on."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from pharmaetl.engine import Engine
from pharmaetl.local import ahead
from pharmaetl.local.ahead import Ahead, Records, Sink
from pharmaetl.text.blocks import Block


class AnEngine:
    """Starts once, and gives a session to each thread."""

    def __init__(self) -> None:
        self.started = 0

    def work_in_callers(self) -> None:
        self.started += 1

    def session_beside(self) -> object:
        return object()


@pytest.fixture
def engine() -> AnEngine:
    return AnEngine()


def begin(engine: AnEngine) -> Ahead:
    return Ahead(cast(Engine, engine))


@dataclass(frozen=True)
class Handed:
    """A file as it was when it was handed on."""

    name: str
    content: bytes
    first_line: int | None = None
    line_breaks: bool = False
    crlf: bool = False

    @classmethod
    def of(cls, records: Records) -> Handed:
        path = records.path
        return cls(path.name, path.read_bytes(), records.first_line, records.line_breaks, records.crlf)


def test_files_double_in_size_up_to_the_largest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "FIRST_BYTES", 4)
    monkeypatch.setattr(ahead, "MOST_BYTES", 8)
    handed: list[Handed] = []
    with Sink(tmp_path, lambda records: handed.append(Handed.of(records))) as sink:
        for text in (b"1\n", b"2\n", b"3\x1e\n", b"4444444\n", b"5555555\n", b"6\n"):
            sink.write(text)
    assert handed == [
        Handed("records-00000.txt", b"1\n2\n"),
        Handed("records-00001.txt", b"3\x1e\n4444444\n", line_breaks=True),
        Handed("records-00002.txt", b"5555555\n"),
        Handed("records-00003.txt", b"6\n"),
    ]


def test_records_of_lines_in_a_row_stand_without_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "FIRST_BYTES", 9)
    handed: list[Handed] = []
    with Sink(tmp_path, lambda records: handed.append(Handed.of(records))) as sink:
        sink.take(Block(b"a\nb\n", 2), 2)
        sink.take(Block(b"c\n", 1), 4)
        sink.take(Block(b"f\n", 1), 7)  # lines are left out before it
        sink.take(Block(b"g\r\n", 1, b"\r\n"), 8)
        sink.write(b"9\x1fh\n")
        sink.take(Block(b"i\r\nj\r\n", 2, b"\r\n"), 10)  # goes with the one before, whose file is still small
        sink.take(Block(b"k\n", 1), 12)
    assert handed == [
        Handed("records-00000.txt", b"a\nb\nc\n", 2),
        Handed("records-00001.txt", b"f\n", 7),
        Handed("records-00002.txt", b"g\r\n", 8, crlf=True),
        Handed("records-00003.txt", b"9\x1fh\n10\x1fi\n11\x1fj\n"),
        Handed("records-00004.txt", b"k\n", 12),
    ]


def test_no_record_makes_no_file(tmp_path: Path) -> None:
    handed: list[Records] = []
    with Sink(tmp_path, handed.append):
        pass
    assert handed == list(tmp_path.iterdir()) == []


def test_a_file_that_the_splitter_could_not_finish_is_not_handed_on(tmp_path: Path) -> None:
    handed: list[Records] = []
    sink = Sink(tmp_path, handed.append)
    sink.write(b"1\n")
    sink.__exit__(OSError, OSError("full"), None)
    assert handed == []


def test_bronze_is_made_of_every_file_once_in_the_order_of_the_source(
    engine: AnEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FIRST_BYTES", 2)
    monkeypatch.setattr(ahead, "MOST_BYTES", 2)
    made: dict[int, bytes] = {}
    sessions = []

    def convert(session: Any, records: Records, number: int) -> None:
        sessions.append(session)
        made[number] = records.path.read_bytes()

    with closing(begin(engine)) as work:
        with work.sink("nsde", tmp_path, convert) as sink:
            for number in range(20):
                sink.write(b"%d\n" % number)
        assert work.wait("nsde") == 20
        assert work.wait("another table") == 0
    assert [made[number] for number in range(20)] == [b"%d\n" % number for number in range(20)]
    assert (engine.started, len(set(map(id, sessions)))) == (1, 20)
    assert list(tmp_path.iterdir()) == []


def test_what_the_engine_raises_is_raised_to_whom_waits(engine: AnEngine, tmp_path: Path) -> None:
    def convert(session: object, records: Records, number: int) -> None:
        raise ValueError("no such column")

    with closing(begin(engine)) as work:
        with work.sink("nsde", tmp_path, convert) as sink:
            sink.write(b"1\n")
        with pytest.raises(ValueError, match="no such column"):
            work.wait("nsde")


def test_closing_waits_for_what_is_under_way_and_begins_nothing_more(
    engine: AnEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "FIRST_BYTES", 2)
    monkeypatch.setattr(ahead, "MOST_BYTES", 2)
    under_way, go_on = threading.Semaphore(0), threading.Event()
    ended: list[int] = []

    def convert(session: object, records: Records, number: int) -> None:
        under_way.release()
        go_on.wait(10)
        ended.append(number)

    work = begin(engine)
    with work.sink("nsde", tmp_path, convert) as sink:
        for _ in range(9):
            sink.write(b"1\n")
    for _ in range(2):
        assert under_way.acquire(timeout=10)
    called_off = threading.Event()
    work._begun["nsde"][-1].add_done_callback(lambda _: called_off.set())
    closing_it = threading.Thread(target=work.close)
    closing_it.start()
    assert called_off.wait(10)
    go_on.set()
    closing_it.join(10)
    assert sorted(ended) == [0, 1]
