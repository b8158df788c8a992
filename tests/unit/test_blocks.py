"""Reading by blocks gives exactly what reading record by record gives, and both give what the csv module gives."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from splitting import CSV, RRF, TSV, Result, splitting

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.text import delimited
from pharmaetl.text.blocks import Block, Pattern, records_of
from pharmaetl.text.records import Shape

PIECES = [
    "a", "b", "é", " ", "\t", "\\", "#", ",", ",", ",", "|", '"', '"', '""', '","', ',"', '",', ',""', '"a","b"',
    "\n", "\n", "\r\n", "\r\n", "\r", '"\n"', '"\r\n"', '",\n', "\0", "\x1c", "\x1d", "\x1f",
]  # fmt: skip
DIALECTS = [
    CSV,
    CSV.model_copy(update={"delimiter": "|", "trailing_delimiter": True}),
    RRF,
    TSV.model_copy(update={"delimiter": ","}),
    TSV,
    CSV.model_copy(update={"quote": "'"}),
]
REAL_LOOKING = [
    '0002-0152-01,00002015201,Zepbound,"INJECTION, SOLUTION",NDA,NDA217806,,20231108,,ML',
    '0002-0800-01,00002080001,"Sterile ""Diluent""",LIQUID,NDA,NDA018781,,19870710,20301231,ML',
    '"0003-0893-21","00003089321","Eliquis","TABLET, FILM COATED","NDA","NDA202155","","20121228","","EA"',
    '"0003-0894-21","00003089421","","","","","","","",""',
    '"5 "" x ""","",,"a,b","c",d,"","e,","",","',
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("split")


@contextmanager
def blocks_of(size: int) -> Iterator[None]:
    """Blocks of at most so many bytes, tried down to one byte; 0: no blocks at all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "SMALLEST_BLOCK", 1)
        patch.setattr(delimited, "BLOCK_BYTES", size or 100)
        if size == 0:
            patch.setattr(delimited, "records_of", lambda block, pattern: None)
        yield


def seen(result: Result) -> tuple[object, ...]:
    split = result.split
    return result.rows, result.rejects, split.rows_read, split.rules, split.blank_lines, split.line_breaks


def assert_same(folder: Path, text: str, dialect: Dialect, fields: int, size: int, limit: int | None = None) -> None:
    with blocks_of(0):
        singly = splitting(folder, text, dialect, fields, limit=limit)
    with blocks_of(size):
        assert seen(splitting(folder, text, dialect, fields, limit=limit)) == seen(singly)


@settings(max_examples=600, deadline=None)
@given(
    text=st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    dialect=st.sampled_from(DIALECTS),
    fields=st.integers(1, 4),
    size=st.sampled_from([5, 20, 60, 4096]),
    limit=st.sampled_from([None, None, 1, 3]),
)
def test_blocks_give_what_single_records_give(
    folder: Path, text: str, dialect: Dialect, fields: int, size: int, limit: int | None
) -> None:
    assert_same(folder, text, dialect, fields, size, limit)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.sampled_from(REAL_LOOKING), min_size=1, max_size=30),
    end=st.sampled_from(["\n", "\r\n"]),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3), st.sampled_from(["", *PIECES])), max_size=3),
    size=st.sampled_from([150, 1000, 4096]),
)
def test_blocks_give_what_single_records_give_on_damaged_rows(
    folder: Path, rows: list[str], end: str, changes: list[tuple[int, int, str]], size: int
) -> None:
    text = "".join(row + end for row in rows)
    for at, removed, put in changes:
        place = at % (len(text) + 1)
        text = text[:place] + put + text[place + removed :]
    assert_same(folder, text, CSV, 10, size)


QUOTING: list[Literal[0, 1, 2]] = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]
VALUES = st.text(st.sampled_from("ab,\"é \t\\'\r\n"), max_size=8)


@settings(max_examples=300, deadline=None)
@given(
    table=st.integers(1, 5).flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width), max_size=20)),
    quoting=st.sampled_from(QUOTING),
    end=st.sampled_from(["\n", "\r\n"]),
    size=st.sampled_from([0, 30, 4096]),
)
def test_what_the_csv_module_writes_comes_back(
    folder: Path, table: list[tuple[str, ...]], quoting: Literal[0, 1, 2], end: str, size: int
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting, lineterminator=end).writerows(table)
    # told to quote no more than it must, the csv module leaves a CR unquoted where lines end with LF
    assume(quoting != csv.QUOTE_MINIMAL or not any("\r" in value for row in table for value in row))
    with blocks_of(size):
        result = splitting(folder, out.getvalue(), CSV, len(table[0]) if table else 1)
    assert result.values == table
    assert result.rejects == []


@settings(max_examples=300, deadline=None)
@given(text=st.lists(st.sampled_from([*PIECES[:25], "\n", "\r\n"]), max_size=30).map("".join), fields=st.integers(1, 4))
def test_what_is_taken_for_a_row_is_what_the_csv_module_reads(folder: Path, text: str, fields: int) -> None:
    """Line by line, strictly: no row is accepted that the csv module refuses or reads otherwise."""
    lines = text.replace("\r\n", "\n").replace("\r", "").split("\n")
    result = splitting(folder, "\n".join(lines), CSV, fields)
    if result.split.line_breaks:
        return
    for line, *values in result.rows:
        assert values == next(csv.reader([lines[line - 1]], strict=True)), line


@pytest.mark.parametrize(
    ("block", "rows"),
    [
        ("a,b\nc,\n", ["a|b", "c|"]),
        ('a,"b"\r\n"c","d"\r\n', ["a|b", "c|d"]),
        ('"a, b","c"\n"","d,"\n', ["a, b|c", "|d,"]),
        ('a,"b, c"\n' + "x" * 99 + ",y\n", ["a|b, c", "x" * 99 + "|y"]),
        ('a,"b ""c"""\n"""d""",e\n', ['a|b "c"', '"d"|e']),
        ('",",b\n"a"",""b",c\n' + "x" * 400 + ",y\n", [",|b", 'a","b|c', "x" * 400 + "|y"]),
        ('"a,b"\nc,d\n', None),
        ('"a",b"\n"c,d"\n', None),
        ('a,"b"x\nc,d\n', None),
        ('a,"b\nc"\nd,e\n', None),
        ("a,b\r\nc,d\n", None),
        ("a\rb,c\n", None),
        ("a,b\n\nc,d\n", None),
        ("a,b\0\n", None),
        ("a\x1fb\n", None),
    ],
)
def test_an_ordinary_block_is_read_at_once_and_no_other(block: str, rows: list[str] | None) -> None:
    pattern = Pattern.of(Shape(",", '"', 2))
    assert pattern is not None
    found = records_of(block.encode(), pattern)
    if rows is None:
        assert found is None
        return
    end = "\r\n" if "\r\n" in block else "\n"
    text = "".join(row.replace("|", "\x1f") + end for row in rows)
    assert found == Block(text.encode(), len(rows), end.encode())
    numbered = "".join(f"{line}\x1f{row}\n".replace("|", "\x1f") for line, row in enumerate(rows, start=998))
    assert found.numbered(998).decode() == numbered
    assert found.first(1) == Block((rows[0].replace("|", "\x1f") + end).encode(), 1, end.encode())
    assert found.first(len(rows)) is found


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("a|b|\nc||\n", b"a\x1fb\nc\x1f\n"),
        ("a|b|\r\nc||\r\n", b"a\x1fb\r\nc\x1f\r\n"),
        ("a|b|c\nd||\n", None),
        ("a|b\nd||\n", None),
        ("a|b|x\r\nd||\r\n", None),
    ],
)
def test_a_trailing_delimiter_ends_every_line_of_an_ordinary_block(block: str, text: bytes | None) -> None:
    pattern = Pattern.of(Shape("|", "", 2, trailing=True))
    assert pattern is not None
    found = records_of(block.encode(), pattern)
    assert (found and found.text) == text


@pytest.mark.parametrize("block_bytes", [0, 4096, 65536, 256 * 1024])
def test_a_large_text_with_a_few_bad_rows_keeps_all_others(block_bytes: int, folder: Path) -> None:
    bad = {777: 'x,"y', 5000: "x", 5001: 'x"y",z,w', 9999: "x,y\0,z"}
    rows = [bad.get(number, f'{number},"value, {number}",z') for number in range(1, 20_001)]
    with blocks_of(block_bytes):
        result = splitting(folder, "\r\n".join(rows), CSV, 3)
    assert result.refused == [
        (777, "unclosed_quote"), (5000, "field_count"), (5001, "bad_quote"), (9999, "control_character"),
    ]  # fmt: skip
    assert result.rows == [(n, str(n), f"value, {n}", "z") for n in range(1, 20_001) if n not in bad]
