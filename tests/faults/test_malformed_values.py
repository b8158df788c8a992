"""Malformed input, M67 to M76: values that aren't what their column says; and many odd rows in one file."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from faults.malformed import LakeUnderTest, a_row, packed, prices, text_of

pytestmark = pytest.mark.engine


def released(lake: LakeUnderTest, *rows: str) -> Path:
    return packed(lake.folder / "release.zip", {"nsde.csv": text_of(*rows)})


def test_m67_codes_with_leading_zeros_keep_them(lake: LakeUnderTest) -> None:
    rows = [a_row(50, code="0002-0152-01", ndc11="00002015201"), a_row(51, code="00001-0001-01", ndc11="00001000101")]
    found = lake.publishes(released(lake, *rows)).by("item_code")
    assert found["0002-0152-01"]["ndc11"] == "00002015201"
    assert found["00001-0001-01"]["ndc11"] == "00001000101"


def test_m68_each_ten_digit_form_is_padded_where_it_is_short(lake: LakeUnderTest) -> None:
    forms = {"1234-5678-90": "01234567890", "12345-678-90": "12345067890", "12345-6789-0": "12345678900"}
    served = [a_row(50, code=code, ndc11=ndc11) for code, ndc11 in forms.items()]
    alone = [a_row(50, code=f"2{code[1:]}", ndc11="") for code in forms]
    found = lake.publishes(released(lake, *served, *alone)).by("item_code")
    assert {code: found[code]["ndc11"] for code in forms} == forms
    assert [found[f"2{code[1:]}"]["ndc11"] for code in forms] == ["02234567890", "22345067890", "22345678900"]


def test_m69_codes_that_are_none_cost_their_row_and_stars_are_zeros(lake: LakeUnderTest) -> None:
    rows = [
        a_row(50, code="58734-0001-*1", ndc11="58734000101"),
        a_row(51, code="0a79-2c87-95", ndc11=""),
        a_row(52, code="547668531244", ndc11=""),
        a_row(53, code="123456-789-01", ndc11=""),
        a_row(54, code="0037002254", ndc11=""),
        a_row(55, code="00-00-00", ndc11=""),
        a_row(56, ndc11="00037002299"),
        a_row(57, code="0037-0022", ndc11=""),
    ]
    found = lake.publishes(released(lake, *rows))
    assert found.by("item_code")["58734-0001-*1"]["ndc11"] == "58734000101"
    assert found.refused == [
        (43, "ndc_letters"),
        (44, "ndc_ambiguous_12_digit"),
        (45, "ndc_future_12_digit"),
        (46, "ndc_ambiguous_10_digit"),
        (47, "ndc_all_zeros"),
        (48, "ndc11_mismatch"),
        (49, "ndc_product_ndc"),
    ]


def test_m70_texts_that_are_no_dates_are_null_and_counted(lake: LakeUnderTest) -> None:
    texts = [
        "00000000",
        "20250230",
        "02025010",
        "2025010",
        "20251301",
        "2025-01-01",
        "20250100",
        "202501015",
        "2025010a",
        "２０２５０１０１",
    ]
    rows = [a_row(50 + place, start=text, end="99991231") for place, text in enumerate(texts)]
    found = lake.publishes(released(lake, *rows, a_row(80, start="10000101", end="20240229")))
    by = found.by("item_code")
    assert [by[f"0037-0022-{50 + place}"]["marketing_start_date"] for place in range(len(texts))] == [None] * len(texts)
    assert by["0037-0022-50"]["marketing_end_date"] == date(9999, 12, 31)
    assert by["0037-0022-80"]["marketing_start_date"] == date(1000, 1, 1)
    assert by["0037-0022-80"]["marketing_end_date"] == date(2024, 2, 29)
    counted = found.counted("Readable", "marketing_start_date")
    assert counted == [(len(texts), "unreadable_date, first on line 42: published as null")]
    assert found.refused == []


def test_m71_ancient_dates_are_exact_and_counted(lake: LakeUnderTest) -> None:
    ancient = {
        50: date(1582, 10, 10),
        51: date(1582, 10, 4),
        52: date(1500, 2, 28),
        53: date(1892, 1, 1),
        54: date(1, 1, 1),
    }
    rows = [a_row(number, start=f"{day:%Y%m%d}".zfill(8)) for number, day in ancient.items()]
    found = lake.publishes(released(lake, *rows))
    by = found.by("item_code")
    assert {number: by[f"0037-0022-{number}"]["marketing_start_date"] for number in ancient} == ancient
    assert [rows for rows, _ in found.counted("ColumnValues", "marketing_start_date")] == [5]


def test_m72_an_end_before_its_start_is_published_and_counted(lake: LakeUnderTest) -> None:
    found = lake.publishes(released(lake, a_row(50, start="20200102", end="20200101"), a_row(51, end="20160329")))
    row = found.by("item_code")["0037-0022-50"]
    assert (row["marketing_start_date"], row["marketing_end_date"]) == (date(2020, 1, 2), date(2020, 1, 1))
    assert [rows for rows, _ in found.counted("ColumnOrder")] == [1]


def test_m73_numbers_with_commas_or_currency_are_null_and_counted(lake: LakeUnderTest) -> None:
    odd = ["1,234.50", "$5", "5 USD", "1e3", "1.123456789", "٣", "NaN", "1" * 21, ".5", "5."]
    exact = {"-0": "0", "00.50": "0.5", "+7.25": "7.25", "0.00000001": "0.00000001", "1" * 20: "1" * 20}
    rows = [f"B{place}\tx\t{text}\t1" for place, text in enumerate([*odd, *exact])]
    counts = ["C0\tx\t1\t1,000", "C1\tx\t1\t1.0", "C2\tx\t1\t" + "9" * 18, "C3\tx\t1\t" + "9" * 19]
    found = lake.publishes(prices(lake.folder / "prices.txt", *rows, *counts), dataset="prices")
    by = found.by("code")
    assert [by[f"B{place}"]["price"] for place in range(len(odd))] == [None] * len(odd)
    values = [by[f"B{len(odd) + place}"]["price"] for place in range(len(exact))]
    assert values == [Decimal(text) for text in exact.values()]
    assert [by[f"C{place}"]["packs"] for place in range(4)] == [None, None, 10**18 - 1, None]
    assert found.counted("Readable", "price") == [(len(odd), "unreadable_decimal, first on line 7: published as null")]
    assert found.counted("Readable", "packs") == [(3, "unreadable_integer, first on line 22: published as null")]


def test_m74_control_characters_cost_their_row_and_bidirectional_marks_stay(lake: LakeUnderTest) -> None:
    rows = [
        a_row(50, name="bell \a"),
        a_row(51, name="\u202egnirts\u202c \u2066x\u2069"),
        a_row(52, name="escape \x1b[2J"),
        a_row(53, name="tab\tin"),
        a_row(54, name="unit \x1f separator"),
        a_row(55, name="c1 \x85 \x9b"),
    ]
    found = lake.publishes(released(lake, *rows))
    assert found.refused == [(line, "control_character") for line in (42, 44, 46)]
    by = found.by("item_code")
    assert by["0037-0022-51"]["proprietary_name"] == "\u202egnirts\u202c \u2066x\u2069"
    assert by["0037-0022-53"]["proprietary_name"] == "tab\tin"
    assert by["0037-0022-55"]["proprietary_name"] == "c1 \x85 \x9b"


def test_m74_no_message_of_ours_carries_a_control_or_bidirectional_character(lake: LakeUnderTest) -> None:
    header = text_of().replace(b"NDC11", "\x1b[31m\u202eNDC11".encode(), 1)
    source = packed(lake.folder / "release.zip", {"nsde.csv": header})
    found = lake.refuses(source, says="nsde.csv")
    assert not set(found.err) & {"\x1b", "\u202e", "\x9b"}


def test_m75_characters_of_any_plane_come_through_code_point_by_code_point(lake: LakeUnderTest) -> None:
    names = ["💊 Pill", "Cafe\u0301", "Caf\u00e9", "👩‍⚕️", "ﬁ", "\U00020000", "a\u200bb", "\ufffd"]
    rows = [a_row(50 + place, name=name) for place, name in enumerate(names)]
    by = lake.publishes(released(lake, *rows)).by("item_code")
    assert [by[f"0037-0022-{50 + place}"]["proprietary_name"] for place in range(len(names))] == names


def test_m76_formulas_are_kept_as_served(lake: LakeUnderTest) -> None:
    names = ["=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(1)", '=HYPERLINK(""x"")']
    rows = [a_row(50 + place, name=f'"{name}"') for place, name in enumerate(names)]
    by = lake.publishes(released(lake, *rows)).by("item_code")
    kept = [by[f"0037-0022-{50 + place}"]["proprietary_name"] for place in range(len(names))]
    assert kept == [name.replace('""', '"') for name in names]
