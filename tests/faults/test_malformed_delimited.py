"""Malformed input, M32 to M66: headers, encodings, line ends, quotes and rows of delimited files."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from faults.malformed import COLUMNS, GOOD_TEXT, HEADER, LakeUnderTest, a_row, good_rows, packed, prices, text_of

pytestmark = pytest.mark.engine


def headed(*cells: str) -> bytes:
    """The good rows under another header."""
    return text_of(header=",".join(cells))


def without_last_cell(text: bytes) -> bytes:
    return b"\r\n".join(line.rpartition(b",")[0] for line in text.split(b"\r\n"))


def released(lake: LakeUnderTest, text: bytes) -> Path:
    return packed(lake.folder / "release.zip", {"nsde.csv": text})


WIDE = ",".join([HEADER, *(f"More {number}" for number in range(9_988))])
UNENDED = b"x" * (1024 * 1024 + 1)

REFUSED = {
    "M32 a header and no row": (f"{HEADER}\r\n".encode(), r"^nsde\.csv: no data rows, only a header"),
    "M33 no header": (
        "\r\n".join(good_rows()).encode(),
        r"^nsde\.csv:1: there is no header row: none of '0037-0022-00'",
    ),
    "M34 a column renamed": (
        headed(*COLUMNS[:1], "NDC 11", *COLUMNS[2:]),
        r"^nsde\.csv:1: the header lacks 'NDC11' \(renamed to 'NDC 11'\?\)",
    ),
    "M36 a column missing": (without_last_cell(GOOD_TEXT), r"^nsde\.csv:1: the header lacks 'Reactivation Date'"),
    "M38 a header twice": (
        headed(*COLUMNS[:11], "NDC11"),
        r"^nsde\.csv:1: header 'NDC11' is there 2 times, in columns 2, 12",
    ),
    "M39 two headers that differ in case": (
        headed(*COLUMNS[:11], "ndc11"),
        r"^nsde\.csv:1: headers 'NDC11' and 'ndc11' differ in case or blanks only",
    ),
    "M40 a header cell without text": (
        headed(*COLUMNS[:5], "", *COLUMNS[6:]),
        r"^nsde\.csv:1: header cell 6 of 12 is empty",
    ),
    "M42 UTF-16 without a byte order mark": (
        GOOD_TEXT.decode().encode("utf-16-le"),
        r"^nsde\.csv.*(UTF-16|no header row|header can't be read)",
    ),
    "M51 a header whose quote stays open": (
        text_of(header='"' + HEADER),
        r"^nsde\.csv: line 1: the header can't be read: bad_quote",
    ),
    "M56 another delimiter": (
        GOOD_TEXT.replace(b",", b";"),
        r"^nsde\.csv:1: there is no header row: none of 'Item Code;NDC11;",
    ),
    "M58 a header that doesn't end within a megabyte": (
        UNENDED,
        r"^nsde\.csv: line 1: no header row ends within 1,048,576 bytes",
    ),
    "M59 ten thousand columns": (text_of(header=WIDE), r"^nsde\.csv:1: the header has 10000 cells"),
    "M65 a required column without a value": (
        "\r\n".join([HEADER, *(a_row(n, code=f"W1640-S1393-{n:02d}", ndc11="") for n in range(40))]).encode(),
        r"CriticalNulls nsde\.ndc11: ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused(case: str, lake: LakeUnderTest) -> None:
    text, says = REFUSED[case]
    lake.refuses(released(lake, text), says=says)


def test_m37_an_unknown_column_is_refused_where_the_columns_are_frozen(lake: LakeUnderTest) -> None:
    lake.with_config("prices", tables=[{**_table(lake), "contract": {"columns": "freeze"}}])
    source = prices(lake.folder / "prices.txt")
    source.write_text(source.read_text().replace("\n", "\tx\n").replace("PACKS\tx", "PACKS\tNOTE"))
    lake.refuses(source, dataset="prices", says=r"^prices\.txt:1: unknown column 'NOTE'")


def _table(lake: LakeUnderTest) -> dict[str, object]:
    from pharmaetl.catalog import Catalog

    config = Catalog(lake.datasets).find("prices").config
    return dict(config.tables[0].model_dump(mode="json", exclude_defaults=True))


@dataclass(frozen=True)
class Accepted:
    """A text that must be read with exact values: the good rows, and what comes beside them."""

    text: bytes
    more: Sequence[tuple[str, str]] = ()
    """Code and name of rows beside the good ones."""
    said: str = ""


def reordered(text: bytes) -> bytes:
    """The last four columns in front."""
    lines = [line.split(b",") for line in text.replace(b'"INJECTION, SOLUTION"', b"LIQUID").split(b"\r\n")[:-1]]
    return b"".join(b",".join([*cells[8:], *cells[:8]]) + b"\r\n" for cells in lines)


def with_one_more_column(text: bytes) -> bytes:
    lines = text.split(b"\r\n")[:-1]
    return b"\r\n".join([lines[0] + b",Colour", *(line + b",red" for line in lines[1:]), b""])


ACCEPTED = {
    "M35 columns in another order": Accepted(reordered(GOOD_TEXT), said="columns in another order"),
    "M37 a column more": Accepted(with_one_more_column(GOOD_TEXT), said="unknown column 'Colour'"),
    "M41 a byte order mark": Accepted(b"\xef\xbb\xbf" + GOOD_TEXT),
    "M42 UTF-16 with a byte order mark": Accepted(
        text_of(a_row(50, name="Crème")).decode().encode("utf-16"), [("0037-0022-50", "Crème")]
    ),
    "M43 Windows-1252": Accepted(
        text_of(a_row(50, name="Dr. Reddy’s Crème")).decode().encode("cp1252"), [("0037-0022-50", "Dr. Reddy’s Crème")]
    ),
    "M46 CRLF": Accepted(text_of(a_row(50)), [("0037-0022-50", "Drug 50")]),
    "M46 LF": Accepted(text_of(a_row(50), end="\n"), [("0037-0022-50", "Drug 50")]),
    "M47 CR alone": Accepted(text_of(a_row(50), end="\r"), [("0037-0022-50", "Drug 50")]),
    "M48 mixed line ends": Accepted(
        GOOD_TEXT + f"{a_row(50)}\n{a_row(51)}\r{a_row(52)}\r\n{a_row(53)}\n".encode(),
        [(f"0037-0022-{n}", f"Drug {n}") for n in range(50, 54)],
    ),
    "M53 a line break in quotes": Accepted(
        text_of(a_row(50, name='"two\r\nlines"')), [("0037-0022-50", "two\r\nlines")]
    ),
    "M54 doubled quotes": Accepted(
        text_of(a_row(50, name='"Rowasa ""XR"" 5"""')), [("0037-0022-50", 'Rowasa "XR" 5"')]
    ),
    "M55 a backslash before a quote": Accepted(
        text_of(a_row(50, name='"ends in \\"'), a_row(51)),
        [("0037-0022-50", "ends in \\"), ("0037-0022-51", "Drug 51")],
    ),
    "M60 blank lines": Accepted(
        b"\r\n\r\n"
        + GOOD_TEXT.replace(b"Drug 7,", b"Drug 7,").replace(b"EA,,\r\n0037-0022-09", b"EA,,\r\n\r\n\r\n0037-0022-09")
        + b"\r\n\r\n"
    ),
    "M66 no line end at the end": Accepted(text_of(a_row(50))[:-2], [("0037-0022-50", "Drug 50")]),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_is_accepted_with_exact_values(case: str, lake: LakeUnderTest) -> None:
    given = ACCEPTED[case]
    found = lake.publishes(released(lake, given.text), "--force")
    expected = [(f"0037-0022-{n:02d}", f"000370022{n:02d}", f"Drug {n}", "EA") for n in range(40)]
    expected += [(code, f"000370022{code[-2:]}", name, "EA") for code, name in given.more]
    values = [(row["item_code"], row["ndc11"], row["proprietary_name"], row["billing_unit"]) for row in found.rows]
    assert sorted(values) == sorted(expected)
    assert found.refused == []
    assert [reason for _, reason in found.counted("HeaderContract")] == ([given.said] if given.said else [])


ROWS: dict[str, tuple[Callable[[], Sequence[bytes]], list[str | None]]] = {
    "M44 bytes that are no UTF-8 in a UTF-8 file": (
        lambda: [a_row(50, name="Crème").encode(), a_row(51, name="bad X").encode().replace(b"X", b"\xc3\x28")],
        [None, "not_utf8"],
    ),
    "M45 NUL bytes": (lambda: [a_row(50, name="a\0b").encode()], ["control_character"]),
    "M49 a row that is too short": (lambda: [b"0037-0022-50,00037002250,Drug"], ["field_count"]),
    "M50 a row that is too long": (lambda: [a_row(50).encode() + b",,"], ["field_count"]),
    "M51 a quote that stays open": (
        lambda: [a_row(50, name='"Drug 50', form="TABLET").encode(), a_row(51, form="TABLET").encode()],
        ["unclosed_quote", None],
    ),
    "M52 a quote that stays open, and quotes behind it": (
        lambda: [a_row(50, name='"Drug 50', form="TABLET").encode(), a_row(51).encode(), a_row(52).encode()],
        ["unclosed_quote", None, None],
    ),
    "M51 text behind a closing quote": (lambda: [a_row(50, name='"Drug" 50').encode()], ["bad_quote"]),
    "M58 a value of twenty megabytes": (
        lambda: [a_row(50, name=b64encode(Random(58).randbytes(15 * 1024**2)).decode()).encode(), a_row(51).encode()],
        ["record_too_long", None],
    ),
    "M62 a comment": (lambda: [b"# 2 rows", a_row(50).encode()], ["field_count", None]),
    "M62 a row that begins with #": (lambda: [a_row(50, code="#1").encode()], [None]),
    "M66 a last row cut off in the middle": (lambda: [a_row(50).encode()[:33]], ["field_count"]),
    "M66 a last row cut off in quotes": (lambda: [a_row(50).encode()[:45]], ["unclosed_quote"]),
}


@pytest.mark.parametrize("case", ROWS)
def test_the_row_alone_is_refused_with_rule_and_line(case: str, lake: LakeUnderTest) -> None:
    made, expected = ROWS[case]
    text = GOOD_TEXT + b"\r\n".join(made())
    found = lake.publishes(released(lake, text))
    assert found.refused == [(42 + place, rule) for place, rule in enumerate(expected) if rule]
    assert len(found.rows) == 40 + expected.count(None)
    for rule in filter(None, expected):
        assert found.rules == {rule: 1}


def test_m57_a_tab_in_a_value_of_a_tab_separated_file_costs_its_row(lake: LakeUnderTest) -> None:
    source = prices(lake.folder / "prices.txt", "B1\ttwo\twords\t1\t1", 'B2\t"quotes\t2.5\t2')
    found = lake.publishes(source, dataset="prices")
    assert found.refused == [(7, "field_count")]
    assert found.by("code")["B2"]["label"] == '"quotes'


def test_m61_blanks_around_values_go_and_blanks_within_stay(lake: LakeUnderTest) -> None:
    rows = [a_row(50, name=" \u00a0two  words\u00a0 "), a_row(51, name='" \u3000 "'), a_row(52, name="a\u00a0b")]
    found = lake.publishes(released(lake, text_of(*rows))).by("item_code")
    names = [found[f"0037-0022-{number}"]["proprietary_name"] for number in (50, 51, 52)]
    assert names == ["two  words", None, "a\u00a0b"]


def test_m63_words_for_nothing_are_words(lake: LakeUnderTest) -> None:
    words = ["NULL", "NA", "N/A", "null", "None", "nan", "\\N", "-"]
    rows = [a_row(50 + place, name=word, start=word) for place, word in enumerate(words)]
    found = lake.publishes(released(lake, text_of(*rows)))
    by = found.by("item_code")
    assert [by[f"0037-0022-{50 + place}"]["proprietary_name"] for place in range(len(words))] == words
    assert {by[f"0037-0022-{50 + place}"]["marketing_start_date"] for place in range(len(words))} == {None}
    counted = found.counted("Readable", "marketing_start_date")
    assert counted == [(len(words), "unreadable_date, first on line 42: published as null")]


def test_m64_repeated_keys_are_kept_and_reported_and_repeated_rows_are_counted(lake: LakeUnderTest) -> None:
    found = lake.publishes(released(lake, text_of(a_row(50), a_row(50, name="Other"), a_row(50))))
    assert sorted(row["proprietary_name"] for row in found.rows if row["item_code"] == "0037-0022-50") == [
        "Drug 50",
        "Other",
    ]
    assert found.record["tables"][0]["rows_duplicate"] == 1
    assert [rows for rows, _ in found.counted("IsUnique", "item_code")] == [2]
