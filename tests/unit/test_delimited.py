"""Delimited text to records: every well-formed row comes out exactly, every other one with its line and its rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from splitting import CSV, RRF, TSV, splitting

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.errors import LocalIOError, SourceFormatError
from pharmaetl.text import delimited

CSV_WITH_HEADER = CSV.model_copy(update={"header": True})
MANY_NAMES = tuple(f"column {number}" for number in range(10_000))
TSV_WITH_HEADER = TSV.model_copy(update={"header": True})


def header_of(folder: Path, text: str | bytes, dialect: Dialect = CSV_WITH_HEADER) -> tuple[str, ...]:
    path = folder / "text"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return delimited.read_header(path, dialect)


def test_a_record_is_a_line_with_its_number_and_its_values(tmp_path: Path) -> None:
    result = splitting(tmp_path, 'id,name\r\n1,"INJECTION, SOLUTION"\r\n2,\r\n', CSV_WITH_HEADER, 2)
    assert result.split.records.read_bytes() == b"2\x1f1\x1fINJECTION, SOLUTION\n3\x1f2\x1f\n"
    assert result.split.rejects.read_bytes() == b""
    assert result.split.header == ("id", "name")
    assert (result.split.rows_read, result.split.rows_rejected, result.split.blank_lines) == (2, 0, 0)
    assert (result.split.fields, result.split.rules, result.split.line_breaks) == (2, {}, False)


def test_line_numbers_run_on_beyond_a_thousand(tmp_path: Path) -> None:
    result = splitting(tmp_path, "".join(f"{number},x\n" for number in range(1, 12_346)), CSV, 2)
    assert result.rows == [(number, str(number), "x") for number in range(1, 12_346)]


@pytest.mark.parametrize("text", ["id,name", "id,name\r\n", "id,name\n\n"])
def test_a_header_alone_gives_no_rows(text: str, tmp_path: Path) -> None:
    result = splitting(tmp_path, text, CSV_WITH_HEADER, 2)
    assert (result.split.header, result.split.rows_read) == (("id", "name"), 0)


@pytest.mark.parametrize(
    ("text", "dialect", "names"),
    [
        ("id,name\n1,x\n", CSV_WITH_HEADER, ("id", "name")),
        ("\ufeffItem Code,NDC11\r\n", CSV_WITH_HEADER, ("Item Code", "NDC11")),
        ('\r\n \t\r\n"id"," na""me "\r\n', CSV_WITH_HEADER, ("id", 'na"me')),
        ("\xa0id\xa0, name\xa0\r\n", CSV_WITH_HEADER, ("id", "name")),
        ("id,name\r1,x\r", CSV_WITH_HEADER, ("id", "name")),
        ("id,name\r1,x\n2,y\n", CSV_WITH_HEADER, ("id", "name")),
        ('"item\r\ncode",name\r\n1,x\r\n', CSV_WITH_HEADER, ("item\r\ncode", "name")),
        ("id,,ID,id", CSV_WITH_HEADER, ("id", "", "ID", "id")),
        ('ID\t"NAME"\t\n', TSV_WITH_HEADER, ("ID", '"NAME"', "")),
        ("RXCUI|LAT|\n", RRF.model_copy(update={"header": True}), ("RXCUI", "LAT")),
        ("whole;row;in;one\n", CSV_WITH_HEADER, ("whole;row;in;one",)),
        (",".join(MANY_NAMES), CSV_WITH_HEADER, MANY_NAMES),
    ],
)  # fmt: skip
def test_a_header_is_read_as_its_cells(text: str, dialect: Dialect, names: tuple[str, ...], tmp_path: Path) -> None:
    assert header_of(tmp_path, text, dialect) == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "text: no header row: the file is empty"),
        ("\ufeff\r\n\n  \n", "text: no header row: the file is empty"),
        ('id,"name\n1,x\n', "text: line 1: the header can't be read: unclosed_quote"),
        ('\nid,na"me"\n1,x\n', "text: line 2: the header can't be read: bad_quote"),
        ("i\0d\0,\0n\0\n\0", "text: line 1: the header can't be read: control_character"),
        ("x" * 2_000_000, "text: line 1: no header row ends within 1,048,576 bytes"),
    ],
)
def test_a_text_without_a_usable_header_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError) as caught:
        header_of(tmp_path, text)
    assert caught.value.reason.startswith(words)
    with pytest.raises(SourceFormatError):
        splitting(tmp_path, text, CSV_WITH_HEADER, 2)


def test_an_empty_text_without_a_header_has_no_rows(tmp_path: Path) -> None:
    assert splitting(tmp_path, "", RRF, 3).split.rows_read == 0


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(end: str, tmp_path: Path) -> None:
    expected = [(2, "1", "a"), (3, "2", "b"), (4, "3", "c")]
    for last in ("", end):
        text = end.join(["id,name", "1,a", '2,"b"', "3,c"]) + last
        assert splitting(tmp_path, text, CSV_WITH_HEADER, 2).rows == expected


def test_mixed_line_ends_are_read(tmp_path: Path) -> None:
    result = splitting(tmp_path, 'id,name\r\n1,a\n2,b\r3,"c"\r4,d\r\r\n5,e\n6,f', CSV_WITH_HEADER, 2)
    assert result.values == [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d"), ("5", "e"), ("6", "f")]
    assert [row[0] for row in result.rows] == [2, 3, 4, 5, 7, 8]
    assert result.split.blank_lines == 1


def test_a_byte_order_mark_belongs_to_no_value(tmp_path: Path) -> None:
    assert splitting(tmp_path, "\ufeff1,a\n", CSV, 2).rows == [(1, "1", "a")]


def test_blank_lines_are_counted_and_are_no_rows(tmp_path: Path) -> None:
    result = splitting(tmp_path, "\r\nid,name\r\n\r\n1,a\r\n\r\n\r\n2,b\r\n", CSV_WITH_HEADER, 2)
    assert (result.rows, result.split.blank_lines) == ([(4, "1", "a"), (7, "2", "b")], 4)
    one_column = splitting(tmp_path, 'a\n\n""\n \nb\n', CSV, 1)
    assert (one_column.rows, one_column.split.blank_lines) == ([(1, "a"), (3, ""), (4, " "), (5, "b")], 1)


@pytest.mark.parametrize(
    ("record", "values"),
    [
        ('a,"x, y",c', ("a", "x, y", "c")),
        ('a,"x ""y"" z",c', ("a", 'x "y" z', "c")),
        ('"a","",""', ("a", "", "")),
        ('"""","a","b"', ('"', "a", "b")),
        ('a,"""x""","y"', ("a", '"x"', "y")),
        ('",",",",","', (",", ",", ",")),
        ('"a"",""b",c,d', ('a","b', "c", "d")),
        ('a,"b\\",c', ("a", "b\\", "c")),
        (r"a\,b,c", ("a\\", "b", "c")),
        ("# not a comment,b,c", ("# not a comment", "b", "c")),
        (" a ,\xa0b\xa0,\tc\t", (" a ", "\xa0b\xa0", "\tc\t")),
        ("NULL,NA,N/A", ("NULL", "NA", "N/A")),
        ("=cmd|' /C calc'!A0,+1,@x", ("=cmd|' /C calc'!A0", "+1", "@x")),
        ("\U0001f48a,e\u0301,\u202eabc", ("\U0001f48a", "e\u0301", "\u202eabc")),
        ("00002015201,,", ("00002015201", "", "")),
        ("a\u2028b,c\u0085d,e\x7f", ("a\u2028b", "c\u0085d", "e\x7f")),
    ],
)
def test_a_csv_record_keeps_its_values_exactly(record: str, values: tuple[str, ...], tmp_path: Path) -> None:
    result = splitting(tmp_path, f"0,before,it\r\n{record}\r\n9,behind,it\r\n", CSV, 3)
    assert result.values == [("0", "before", "it"), values, ("9", "behind", "it")]


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ("a,b", "field_count"),
        ("a,b,c,d", "field_count"),
        ("a;b;c", "field_count"),
        (" ", "field_count"),
        ('a,"b,c', "unclosed_quote"),
        ('a,b,"', "unclosed_quote"),
        ('a,"b""', "unclosed_quote"),
        ('a,"b"x,c', "bad_quote"),
        ('a,"b" ,c', "bad_quote"),
        ('a,b"x",c', "bad_quote"),
        ('a, "b",c', "bad_quote"),
        ('5" tube,b,c', "bad_quote"),
        ("a,b\0,c", "control_character"),
        ('a,"b\0",c', "control_character"),
        ("a,b\x1fx,c", "control_character"),
        ("a,b\x1cx,c", "control_character"),
        ("a,b\x1d,c", "control_character"),
        ('a,"b\x1e",c', "control_character"),
        ("a,b\x0b\x0c,c", "control_character"),
        ("a,b\rx,c", "control_character"),
        ('a,"b",c\rx', "control_character"),
    ],
)
def test_a_malformed_record_is_refused_alone(record: str, rule: str, tmp_path: Path) -> None:
    result = splitting(tmp_path, f"0,before,it\r\n{record}\r\n9,behind,it\r\n", CSV, 3)
    assert result.rows == [(1, "0", "before", "it"), (3, "9", "behind", "it")]
    assert result.refused == [(2, rule)]
    assert result.split.rules == {rule: 1}


def test_an_open_quote_costs_its_own_row_and_not_the_rest_of_the_file(tmp_path: Path) -> None:
    rows = [f'{number},"x, {number}",y\r\n' for number in range(1, 400)]
    rows[99] = '100,"x, 100,y\r\n'
    rows[199] = '"200,x,y\r\n'
    result = splitting(tmp_path, "".join(rows), CSV, 3)
    assert result.refused == [(100, "unclosed_quote"), (200, "unclosed_quote")]
    assert result.rows == [(n, str(n), f"x, {n}", "y") for n in range(1, 400) if n not in {100, 200}]


def test_an_open_quote_in_the_last_row_costs_that_row(tmp_path: Path) -> None:
    assert splitting(tmp_path, 'a,b\nc,"d', CSV, 2).refused == [(2, "unclosed_quote")]
    assert splitting(tmp_path, 'a,b\nc,"d\n', CSV, 2).refused == [(2, "unclosed_quote")]


def test_a_quoted_line_break_is_part_of_the_value(tmp_path: Path) -> None:
    result = splitting(tmp_path, '1,"a\r\nb"\r\n2,"c\n\nd"\r\n3,"e\rf"\r\n4,"g, ""h""\r\n"\r\n5,i\r\n', CSV, 2)
    assert result.rows == [
        (1, "1", "a\r\nb"), (3, "2", "c\n\nd"), (6, "3", "e\rf"), (7, "4", 'g, "h"\r\n'), (9, "5", "i"),
    ]  # fmt: skip
    assert result.split.line_breaks
    assert result.split.records.read_bytes().startswith(b"1\x1f1\x1fa\x1d\x1eb\n")


def test_a_quoted_line_break_in_a_text_of_cr_lines_is_a_cr(tmp_path: Path) -> None:
    assert splitting(tmp_path, '1,"a\rb"\r2,c\r', CSV, 2).rows == [(1, "1", "a\rb"), (3, "2", "c")]


def test_a_quoted_value_may_have_fifty_lines_and_no_more(tmp_path: Path) -> None:
    fifty, more = "x\n" * 49 + "x", "x\n" * 50 + "x"
    assert splitting(tmp_path, f'1,"{fifty}"\n2,b\n', CSV, 2).rows == [(1, "1", fifty), (51, "2", "b")]
    result = splitting(tmp_path, f'1,"{more}"\n2,b\n', CSV, 2)
    assert result.rows == [(52, "2", "b")]
    assert result.split.rules == {"unclosed_quote": 1, "field_count": 49, "bad_quote": 1}


def test_a_record_over_lines_that_has_the_wrong_number_of_fields_costs_its_first_line(tmp_path: Path) -> None:
    result = splitting(tmp_path, '1,"a\nb",c\n2,d\n', CSV, 2)
    assert (result.rows, result.refused) == ([(3, "2", "d")], [(1, "unclosed_quote"), (2, "bad_quote")])


@pytest.mark.parametrize(("character", "rule"), [(b"\x01", "control_character"), (b"\xff", "not_utf8")])
def test_no_line_inside_a_refused_record_is_taken_for_a_record(character: bytes, rule: str, tmp_path: Path) -> None:
    result = splitting(tmp_path, b'0,x\n1,"a%b\n2,not a record\nb"\n3,d\n' % character, CSV, 2)
    assert (result.rows, result.refused) == ([(1, "0", "x"), (5, "3", "d")], [(2, rule)])


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ("a|b|c", "missing_trailing_delimiter"),
        ("a|b|", "field_count"),
        ("a|b", "field_count"),
        ("a|b|c|d|", "field_count"),
        ("a|b|c|d", "field_count"),
        ("a|b\0|c|", "control_character"),
        ("|||x", "field_count"),
    ],
)
def test_a_malformed_rrf_record_is_refused_alone(record: str, rule: str, tmp_path: Path) -> None:
    result = splitting(tmp_path, f"0|before|it|\n{record}\n9|behind|it|\n", RRF, 3)
    assert result.values == [("0", "before", "it"), ("9", "behind", "it")]
    assert result.refused == [(2, rule)]


def test_quotes_backslashes_and_empty_fields_are_data_in_rrf(tmp_path: Path) -> None:
    text = '"a|b"|c\\|\n\\"||\\\\|\n|"||\n|||\n'
    expected = [('"a', 'b"', "c\\"), ('\\"', "", "\\\\"), ("", '"', ""), ("", "", "")]
    for served in (text, text.replace("\n", "\r\n")):
        assert splitting(tmp_path, served, RRF, 3).values == expected


def test_an_rrf_file_cut_off_in_a_row_loses_that_row(tmp_path: Path) -> None:
    assert splitting(tmp_path, "1|a|b|\n2|a|b|\n3|a", RRF, 3).refused == [(3, "field_count")]


def test_quotes_are_data_in_tsv_and_a_tab_too_many_is_a_field_too_many(tmp_path: Path) -> None:
    result = splitting(tmp_path, 'a\t"b\n"x\t"y"\np\tq\tr\n\t\n', TSV, 2)
    assert result.values == [("a", '"b'), ('"x', '"y"'), ("", "")]
    assert result.refused == [(3, "field_count")]


def test_a_record_that_is_too_long_costs_no_more_than_itself(tmp_path: Path) -> None:
    result = splitting(tmp_path, f"1,a\n2,{'x' * 20_000_000}\n3,c\n", CSV, 2)
    assert result.rows == [(1, "1", "a"), (3, "3", "c")]
    assert result.rejects == [(2, "record_too_long", "2," + "x" * 1998)]
    over_lines = splitting(tmp_path, f'1,"{"x" * 90}\n12345"\n2,"{"x" * 90}\n123456"\n', CSV, 2, max_record_bytes=100)
    assert (over_lines.values, over_lines.split.rules) == (
        [("1", "x" * 90 + "\n12345")],
        {"bad_quote": 1, "unclosed_quote": 1},
    )
    longest = splitting(tmp_path, f"1,{'x' * 98}\r\n2,{'x' * 99}\r\n3,c\r\n", CSV, 2, max_record_bytes=100)
    assert (longest.refused, [row[0] for row in longest.rows]) == ([(2, "record_too_long")], [1, 3])


def test_refused_records_are_shown_on_one_line(tmp_path: Path) -> None:
    result = splitting(tmp_path, 'é\0\x1f\t"\n' + "x" * 3000 + "\na,b\rc\n", CSV, 3)
    assert result.rejects[0] == (1, "bad_quote", 'é\\x00\\x1f\t"')
    assert result.rejects[1] == (2, "field_count", "x" * 2000)
    assert result.rejects[2] == (3, "control_character", "a,b\\rc")


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_a_limit_stops_after_so_many_records(limit: int, tmp_path: Path) -> None:
    text = "id,name\n" + "".join(f"{n},x\n" if n % 3 else f"{n}\n" for n in range(50))
    result = splitting(tmp_path, text, CSV_WITH_HEADER, 2, limit=limit)
    assert result.split.rows_read == min(limit, 50)
    assert sorted([row[0] for row in result.rows] + [line for line, _ in result.refused]) == [
        *range(2, 2 + min(limit, 50))
    ]


def test_a_limit_is_kept_where_many_records_are_read_at_once(tmp_path: Path) -> None:
    assert splitting(tmp_path, "1,a\n" * 100, CSV, 2, limit=7).split.rows_read == 7
    assert splitting(tmp_path, "1,a\r2,b\r3,c\n4,d\n", CSV, 2, limit=2).values == [("1", "a"), ("2", "b")]


def test_a_delimiter_of_several_bytes_works_too(tmp_path: Path) -> None:
    dialect = CSV.model_copy(update={"delimiter": "¦"})
    assert splitting(tmp_path, 'a¦"b¦c"\nd¦e\n', dialect, 2).values == [("a", "b¦c"), ("d", "e")]


def test_progress_reaches_the_size_of_the_text(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    splitting(tmp_path, "1,a\n" * 200_000, CSV, 2, progress=lambda done, total: seen.append((done, total)))
    assert (seen[-1], len(seen) > 2) == ((800_000, 800_000), True)


def test_a_folder_that_is_not_there_is_no_fault_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError):
        delimited.read_header(tmp_path / "absent", CSV_WITH_HEADER)
    (tmp_path / "text").write_text("a,b\n")
    with pytest.raises(LocalIOError):
        delimited.split(tmp_path / "text", CSV, 2, tmp_path / "absent")
