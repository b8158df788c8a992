"""The splitter on generated texts: what it must give is known from how each text was made, line by line."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from splitting import CSV, RRF, TSV, splitting
from test_blocks import DIALECTS, blocks_of, seen
from test_columns import assert_same, rows_of, sizes

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.text import delimited
from pharmaetl.text.columns import Collector, Piece

LETTERS = "ab 1'\\#é💊\u00a0\u2028\x85"
SPOILT = ["field_count", "field_count ", "control_character", "not_utf8", "bad_quote"]
"""The rules that a row can be made to break; `field_count` by a value less, with a blank by a value more."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("split")


@dataclass(frozen=True)
class Made:
    """A text, and what must come of it."""

    text: bytes
    rows: list[tuple[int | str, ...]]
    """Line and values of each sound record."""
    refused: list[tuple[int, str]]
    blank_lines: int


@st.composite
def texts(draw: st.DrawFn, dialect: Dialect, width: int) -> Made:
    """Records under a dialect, some of them spoilt, some empty lines between; line ends of two kinds."""
    breaks = "\r\n" if dialect.quote else ""
    inner = dialect.delimiter + dialect.quote * 2 if dialect.quote else '"'
    values = st.text(LETTERS + breaks + inner, max_size=6)
    text, rows, refused, blanks, line = b"", [], [], 0, 1
    for _ in range(draw(st.integers(0, 12))):
        cells = [draw(values) for _ in range(width)]
        flaw = draw(st.sampled_from(["", "", "", *SPOILT]))
        if width == 1 and flaw == "field_count":
            flaw = ""
        if flaw == "bad_quote" and not dialect.quote:
            flaw = "control_character"
        if flaw:
            cells = [cell.replace("\r", "").replace("\n", "") for cell in cells]
        record = written(cells, dialect, draw(st.booleans()))
        if not flaw and not record:
            blanks, text, line = blanks + 1, text + b"\n", line + 1
            continue
        end = draw(st.sampled_from([b"\n", b"\r\n"]))
        raw = spoilt(record, flaw, dialect).encode("utf-8", "surrogateescape")
        if flaw:
            refused.append((line, flaw.strip()))
        else:
            rows.append((line, *cells))
        text, line = text + raw + end, line + raw.count(b"\n") + 1
        if draw(st.integers(0, 5)) == 0:
            blanks, text, line = blanks + 1, text + end, line + 1
    return Made(text, rows, refused, blanks)


def written(cells: list[str], dialect: Dialect, always: bool) -> str:
    """A record, each value quoted that has to be, or all of them."""
    quote, special = dialect.quote, {dialect.delimiter, dialect.quote, "\r", "\n"}
    texts = [
        f"{quote}{cell.replace(quote, quote * 2)}{quote}" if quote and (always or special & set(cell)) else cell
        for cell in cells
    ]
    return dialect.delimiter.join(texts) + (dialect.delimiter if dialect.trailing_delimiter else "")


def spoilt(record: str, flaw: str, dialect: Dialect) -> str:
    """The record, made to break a rule and no other."""
    delimiter, last = dialect.delimiter, dialect.delimiter if dialect.trailing_delimiter else ""
    match flaw:
        case "field_count":
            return f"a{last}"
        case "field_count ":
            return f"{record}{'' if last else delimiter}x{last}"
        case "control_character":
            return f"\a{record}" if not record.startswith(dialect.quote or "\0") else f"{record[:1]}\a{record[1:]}"
        case "not_utf8":
            return (
                f"\udcff{record}" if not record.startswith(dialect.quote or "\0") else f"{record[:1]}\udcc3{record[1:]}"
            )
        case "bad_quote":
            return f"x{dialect.quote}{record}" if not record.startswith(dialect.quote) else f"x{record}"
    return record


CASES = [
    (CSV, 3),
    (CSV, 1),
    (TSV, 3),
    (RRF, 2),
    (CSV.model_copy(update={"delimiter": "|", "trailing_delimiter": True}), 3),
]


@pytest.mark.parametrize(("dialect", "width"), CASES, ids=lambda case: str(getattr(case, "delimiter", case)))
def test_sound_records_come_back_and_spoilt_ones_are_refused_each_on_its_line(
    folder: Path, dialect: Dialect, width: int
) -> None:
    @fuzz(150)
    @given(texts(dialect, width), st.sampled_from([0, 40, 4096]))
    def check(made: Made, size: int) -> None:
        with blocks_of(size):
            result = splitting(folder, made.text, dialect, width)
        assert result.rows == made.rows
        assert result.refused == made.refused
        assert result.split.blank_lines == made.blank_lines

    check()


@pytest.mark.parametrize(("dialect", "width"), CASES, ids=lambda case: str(getattr(case, "delimiter", case)))
def test_sound_records_come_back_as_columns(folder: Path, dialect: Dialect, width: int) -> None:
    @fuzz(150)
    @given(texts(dialect, width), st.sampled_from([40, 200, 4096]))
    def check(made: Made, block: int) -> None:
        source, pieces = folder / "columns", list[Piece]()
        source.write_bytes(made.text)
        with sizes(block, 100):
            sink = partial(Collector, text=source, hand_on=pieces.append)
            split = delimited.split(source, dialect, width, folder, sink=sink)
        assert rows_of(pieces, width) == [(line, *(value or None for value in values)) for line, *values in made.rows]
        assert (split.rows_rejected, split.blank_lines) == (len(made.refused), made.blank_lines)

    check()


@fuzz(200)
@given(texts(CSV, 3))
def test_joined_back_the_records_are_what_the_csv_module_reads(folder: Path, made: Made) -> None:
    result = splitting(folder, made.text, CSV, 3)
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(result.values)
    back = [tuple(row) for row in csv.reader(io.StringIO(buffer.getvalue(), newline=""), strict=True)]
    assert back == result.values
    if not made.refused:
        text = made.text.decode()
        assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row] == result.values


PIECES = [
    b"a", b"\xc3\xa9", b"\xc3", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f", b",", b"|", b"\t", b'"', b'""', b"\n",
    b"\n", b"\r\n", b"\r", b"\0", b" ",
]  # fmt: skip


@fuzz(600)
@given(
    text=st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
    dialect=st.sampled_from(DIALECTS),
    fields=st.integers(1, 4),
    size=st.sampled_from([5, 20, 60, 4096]),
)
def test_blocks_and_columns_give_what_single_records_give_on_bytes_that_are_no_utf8(
    folder: Path, text: bytes, dialect: Dialect, fields: int, size: int
) -> None:
    with blocks_of(0):
        singly = splitting(folder, text, dialect, fields)
    with blocks_of(size):
        assert seen(splitting(folder, text, dialect, fields)) == seen(singly)
    assert_same(folder, text, dialect, fields, size, 100)
    lines = [line for line, *_ in singly.rows] + [line for line, _ in singly.refused]
    assert len(lines) == len(set(lines))
    assert max(lines, default=0) <= text.count(b"\n") + text.count(b"\r") + 1
