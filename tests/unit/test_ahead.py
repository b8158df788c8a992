"""Bronze is made of pieces of a text while the splitter goes on."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest
from splitting import TSV

from pharmaetl.local.ahead import Ahead
from pharmaetl.text import columns, delimited
from pharmaetl.text.columns import Piece


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "FIRST_BYTES", 2)
    monkeypatch.setattr(columns, "MOST_BYTES", 2)
    monkeypatch.setattr(columns, "BLOCK_BYTES", 2)


def split(work: Ahead, folder: Path, records: int, convert: object) -> None:
    """Records of one digit, each a piece."""
    text = folder / "text"
    text.write_bytes(b"".join(b"%d\n" % (number % 10) for number in range(records)))
    delimited.split(text, TSV, 1, folder, sink=work.sink("nsde", text, convert))  # type: ignore[arg-type]


def bytes_of(piece: Piece) -> bytes:
    return b"".join(map(piece._bytes, piece.parts))


def test_every_piece_is_made_once_and_numbered_in_the_order_of_the_source(tmp_path: Path) -> None:
    made: dict[int, bytes] = {}
    started = []
    with closing(Ahead(lambda: started.append(1), 0)) as work:
        split(work, tmp_path, 20, lambda piece, number: made.setdefault(number, bytes_of(piece)))
        assert work.wait("nsde")
        assert not work.wait("another table")
    assert [made[number] for number in range(20)] == [b"%d\n" % (number % 10) for number in range(20)]
    assert started == [1]


def test_what_making_it_raises_is_raised_to_whom_waits(tmp_path: Path) -> None:
    def convert(piece: Piece, number: int) -> None:
        raise ValueError("no such column")

    with closing(Ahead(lambda: None, 0)) as work:
        split(work, tmp_path, 20, convert)
        with pytest.raises(ValueError, match="no such column"):
            work.wait("nsde")


def test_what_starting_the_engine_raises_is_raised_to_whom_waits() -> None:
    def start() -> None:
        raise ValueError("no engine")

    with closing(Ahead(start, 0)) as work, pytest.raises(ValueError, match="no engine"):
        work.wait("nsde")


def test_a_splitter_that_is_faster_waits(tmp_path: Path) -> None:
    """Pieces are in memory: no more of them than are being worked on, and one."""
    go_on = threading.Event()
    begun, most = [], 0

    def convert(piece: Piece, number: int) -> None:
        begun.append(number)
        go_on.wait(10)

    with closing(Ahead(lambda: None, 0)) as work:
        splitter = threading.Thread(target=split, args=(work, tmp_path, 50, convert))
        splitter.start()
        splitter.join(0.5)
        assert splitter.is_alive()
        most = len(work._begun["nsde"])
        go_on.set()
        splitter.join(10)
        work.wait("nsde")
    assert most <= work._pool._max_workers + 1
    assert sorted(begun) == list(range(50))


def test_closing_waits_for_what_is_under_way_and_begins_nothing_more(tmp_path: Path) -> None:
    under_way, go_on = threading.Semaphore(0), threading.Event()
    ended: list[int] = []

    def convert(piece: Piece, number: int) -> None:
        under_way.release()
        go_on.wait(10)
        ended.append(number)

    work = Ahead(lambda: None, 0)
    workers = work._pool._max_workers
    split(work, tmp_path, workers + 1, convert)
    for _ in range(workers):
        assert under_way.acquire(timeout=10)
    called_off = threading.Event()
    work._begun["nsde"][-1].add_done_callback(lambda _: called_off.set())
    closing_it = threading.Thread(target=work.close)
    closing_it.start()
    assert called_off.wait(10)
    go_on.set()
    closing_it.join(10)
    assert sorted(ended) == list(range(workers))
