"""Records taken as columns are those that are read one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splitting import CSV, splitting
from test_blocks import DIALECTS, PIECES, REAL_LOOKING, blocks_of

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.text import columns, delimited
from pharmaetl.text.columns import Collector, Form, Piece
from pharmaetl.text.ordinary import Ordinary
from pharmaetl.text.records import Row, Shape


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("columns")


@contextmanager
def sizes(block: int, piece: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "SMALLEST_BLOCK", 1)
        patch.setattr(columns, "BLOCK_BYTES", block)
        patch.setattr(columns, "FIRST_BYTES", piece)
        yield


def rows_of(pieces: list[Piece], fields: int) -> list[tuple[object, ...]]:
    names = tuple(f"c{number}" for number in range(fields))
    tables = [piece.table(names, "line") for piece in pieces]
    return [(row.pop("line"), *row.values()) for table in tables for row in table.to_pylist()]


def assert_same(
    folder: Path, text: str | bytes, dialect: Dialect, fields: int, block: int, piece: int, limit: int | None = None
) -> None:
    """Records, refusals and counts as the canonical file has them, of which empty values are null to every engine."""
    with blocks_of(0):
        singly = splitting(folder, text, dialect, fields, limit=limit)
    rejects = (folder / "rejects.txt").read_bytes()
    pieces: list[Piece] = []
    with sizes(block, piece):
        sink = partial(Collector, text=folder / "text", hand_on=pieces.append)
        split = delimited.split(folder / "text", dialect, fields, folder, limit=limit, sink=sink)
    assert rows_of(pieces, fields) == [(line, *(value or None for value in values)) for line, *values in singly.rows]
    assert (folder / "rejects.txt").read_bytes() == rejects
    for name in ("rows_read", "rows_rejected", "rules", "blank_lines", "line_breaks"):
        assert getattr(split, name) == getattr(singly.split, name)


OWN_WAY = [CSV.model_copy(update={"delimiter": "¦"}), CSV.model_copy(update={"quote": "«"})]
"""Of more bytes than PyArrow takes for a delimiter or a quote."""


@settings(max_examples=600, deadline=None)
@given(
    text=st.lists(st.sampled_from([*PIECES, "¦", "«"]), max_size=40).map("".join),
    dialect=st.sampled_from([*DIALECTS, *OWN_WAY]),
    fields=st.integers(1, 4),
    block=st.sampled_from([5, 20, 60, 4096]),
    piece=st.sampled_from([1, 30, 4096]),
    limit=st.sampled_from([None, None, 1, 3]),
)
def test_columns_hold_what_single_records_give(
    folder: Path, text: str, dialect: Dialect, fields: int, block: int, piece: int, limit: int | None
) -> None:
    assert_same(folder, text, dialect, fields, block, piece, limit)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.sampled_from(REAL_LOOKING), min_size=1, max_size=30),
    end=st.sampled_from(["\n", "\r\n"]),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3), st.sampled_from(["", *PIECES])), max_size=3),
    block=st.sampled_from([150, 1000, 4096]),
)
def test_columns_hold_what_single_records_give_on_damaged_rows(
    folder: Path, rows: list[str], end: str, changes: list[tuple[int, int, str]], block: int
) -> None:
    text = "".join(row + end for row in rows)
    for at, removed, put in changes:
        place = at % (len(text) + 1)
        text = text[:place] + put + text[place + removed :]
    assert_same(folder, text, CSV, 10, block, 500)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("row", ["a,b\rc\n", 'a,"b"\rc\n', "a\rb,c\n", "a,b\r\r\n", '"a\r",b\n'])
def test_a_cr_that_ends_no_line_is_part_of_a_value_or_refused(folder: Path, row: str, end: str) -> None:
    for block in (1, 4096):
        assert_same(folder, f"x,y{end}{row}z,z{end}", CSV, 2, block, 4096)


@pytest.mark.parametrize("text", ["a,b\rc,d\r", 'a,"b\rc"\r"d",e\r'])
def test_a_text_with_cr_alone_has_its_line_breaks_as_served(folder: Path, text: str) -> None:
    assert_same(folder, text, CSV, 2, 4096, 4096)


def test_bytes_that_are_no_utf8_are_in_no_ordinary_block(folder: Path) -> None:
    assert_same(folder, b"a,b\nc,\xff\n\xc3\xa9,d\n", CSV, 2, 4096, 4096)


def test_the_largest_record_is_read(folder: Path) -> None:
    """One that is read alone, and grows where its quotes are doubled anew."""
    longest = '"' + '""' * 500_000 + '\n",z\n'
    assert_same(folder, "a,b\n" + longest + "c,d\n", CSV, 2, 1024 * 1024, 4096)


@pytest.mark.parametrize(
    ("block", "records"),
    [
        ("a,b\nc,\n", 2),
        ('a,"b"\r\n"c","d"\r\n', 2),
        ('"a, b","c"\n"","d,"\n', 2),
        ('a,"b ""c"""\n"""d""",e\n', 2),
        ('"a,b"\nc,d\n', None),
        ('"a",b"\n"c,d"\n', None),
        ('a,"b"x\nc,d\n', None),
        ('a,x"b"\nc,d\n', None),
        ('a,"b\nc"\nd,e\n', None),
        ('a,"b\rc"\nd,e\n', None),
        ("a,b\rc\nd,e\r\n", None),
        ('"a","b"\rc\n"d","e"\r\n', None),
        ('a,"b\rc"\r\nd,e\r\n', None),
        ('a,"b\0"\nd,e\n', None),
        ('a,"b\x1fc"\nd,e\n', None),
        ('a,"b\n', None),
        ("a,b\r\nc,d\n", None),
        ("a\rb,c\n", None),
        ("a,b\n\nc,d\n", None),
        ("a,b\0\n", None),
        ("a\x1fb\n", None),
    ],
)
def test_an_ordinary_block_is_known_and_no_other(block: str, records: int | None) -> None:
    assert Ordinary(Shape(",", '"', 2)).records(block.encode()) == records


@pytest.mark.parametrize(
    ("block", "records"), [("a|b|\nc||\n", 2), ("a|b|\r\nc||\r\n", 2), ("a|b|c\nd||\n", None), ("a|b\nd||\n", None)]
)
def test_a_trailing_delimiter_ends_every_line_of_an_ordinary_block(block: str, records: int | None) -> None:
    assert Ordinary(Shape("|", "", 2, trailing=True)).records(block.encode()) == records


def collector(folder: Path, pieces: list[Piece]) -> Collector:
    (folder / "text").touch()
    return Collector(Shape(",", '"', 2), text=folder / "text", hand_on=pieces.append)


def test_pieces_double_in_size_and_lines_in_a_row_are_one_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(columns, "FIRST_BYTES", 8)
    monkeypatch.setattr(columns, "MOST_BYTES", 16)
    pieces: list[Piece] = []
    at = 0
    with collector(tmp_path, pieces) as sink:
        for block, line in ((b"a,b\nc,d\n", 2), (b"e,f\n", 4), (b"g,h\ni,j\n", 7), (b"k,l\n", 9), (b"m,n\n", 10)):
            assert sink.take(block, at, line, None) == block.count(b"\n")
            at += len(block)
        sink.add(Row(11, "o\x1fp"))
    assert [piece.runs for piece in pieces] == [((2, 2),), ((4, 1), (7, 3)), ((10, 2),)]
    assert [piece.parts for piece in pieces] == [(range(8),), (range(8, 24),), (range(24, 28), b"o,p\n")]


def test_records_that_could_not_all_be_split_are_not_handed_on(tmp_path: Path) -> None:
    pieces: list[Piece] = []
    sink = collector(tmp_path, pieces)
    sink.take(b"a,b\n", 0, 1, None)
    sink.__exit__(OSError, OSError("full"), None)
    assert pieces == []


def test_no_record_makes_no_piece(tmp_path: Path) -> None:
    pieces: list[Piece] = []
    with collector(tmp_path, pieces):
        pass
    assert pieces == []


@pytest.mark.parametrize("text", [b"a,b\nc\n", b"a,b\n", b"a,b\nc,d\ne,f\n"])
def test_a_piece_that_is_not_what_it_says_is_no_table(text: bytes) -> None:
    with pytest.raises(pa.ArrowInvalid):
        Piece(Form(",", '"', trailing=False), pa.BufferReader(b""), (text,), ((2, 2),), line_breaks=False).table(
            ("a", "b"), "line"
        )
