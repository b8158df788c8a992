"""The type of a column from its values: text unless they show more."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pharmaetl.config.dates import parse_pattern
from pharmaetl.onboarding.column_types import guess, value_of
from pharmaetl.onboarding.key_guess import suggest_key
from pharmaetl.onboarding.table_guess import column_names

PRIOR = "Approved Prior to Jan 1, 1982"


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (["20190429", "18920101"], "yyyyMMdd"),
        (["10072014", "12312014"], "MMddyyyy"),
        (["2019-11-29", "2019-12-31"], "yyyy-M-d"),
        (["2019-04-09", "2019-12-31"], "yyyy-MM-dd"),
        (["2019/4/9", "2019/12/31"], "yyyy/M/d"),
        (["10/07/2014", "01/13/2014"], "MM/dd/yyyy"),
        (["1/7/2014", "12/13/2014"], "M/d/yyyy"),
        (["07/10/2014", "13/01/2014"], "dd/MM/yyyy"),
        (["7.1.2014", "13.10.2014"], "d.M.yyyy"),
        (["07-OCT-2014", "17-MAR-1999"], "dd-MMM-yyyy"),
        (["7-Oct-2014", "17-Mar-1999"], "d-MMM-yyyy"),
        (["07OCT2014"], "ddMMMyyyy"),
        (["Oct 7, 2014", "Jan 13, 2014"], "MMM d, yyyy"),
        (["Oct 07, 2014", "Jan 13, 2014"], "MMM dd, yyyy"),
        (["October 7, 2014", "May 13, 2014"], "MMMM d, yyyy"),
        (["7 October 2014", "13 May 2014"], "d MMMM yyyy"),
        (["2014-10-07T00:00:00", "2014-12-13T00:00:00"], "yyyy-MM-dd'T00:00:00'"),
        (["00000000", "20190429"], "yyyyMMdd"),
        ([PRIOR, PRIOR, "Oct 7, 2014", "Jan 13, 2014", "Feb 1, 2015"], "MMM d, yyyy"),
    ],
)
def test_dates_are_read_in_the_format_that_they_show(values: list[str], pattern: str) -> None:
    found = guess(Counter(values))
    assert (found.type, found.format) == ("date", pattern)
    parse_pattern(pattern)


@given(st.lists(st.dates(date(1900, 1, 1), date(2099, 12, 31)), min_size=40, max_size=60, unique=True))
def test_the_formats_of_the_united_states_and_of_computers_are_found_back(days: list[date]) -> None:
    days = [*days, date(2014, 1, 5), date(2014, 12, 31)]
    for pattern, strftime in (("yyyyMMdd", "%Y%m%d"), ("yyyy-MM-dd", "%Y-%m-%d"), ("MM/dd/yyyy", "%m/%d/%Y")):
        assert guess(Counter(day.strftime(strftime) for day in days)).format == pattern


def test_where_no_day_is_above_twelve_the_order_is_said_to_be_a_guess() -> None:
    found = guess(Counter(["01/02/2014", "03/04/2015"]))
    assert found.format == "MM/dd/yyyy"
    assert found.check == "no value decides between MM/dd/yyyy and dd/MM/yyyy: check which one the publisher means"


def test_what_is_no_date_among_dates_is_named() -> None:
    values = Counter(f"Oct {number}, 2014" for number in range(1, 29)) + Counter({PRIOR: 3})
    assert guess(values).check == f"3 of 31 values are no dates ({PRIOR!r}): null, and counted"


@pytest.mark.parametrize(
    "values",
    [
        ["13/01/2014", "01/13/2014", "01/02/2014"],
        ["20123456", "20129999"],
        ["07-Oct-14", "08-Oct-14"],
        ["2014", "2015"],
        ["soon", "2014-10-07"],
    ],
)
def test_what_could_be_read_in_two_ways_or_in_none_is_no_date(values: list[str]) -> None:
    assert guess(Counter(values)).type != "date"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "30"], "integer"),
        (["0", "10"], "integer"),
        (["1", "2.50"], "decimal"),
        (["1", "N/A", "3"], "integer"),
        (["007", "12"], "string"),
        (["00.5", "1.5"], "string"),
        (["1,000", "2,000"], "string"),
        (["$5", "$6"], "string"),
        (["1e5", "2"], "string"),
        (["1234567890123456789"], "string"),
        (["1.123456789"], "string"),
        ([f"{number}" for number in range(10000, 10050)], "string"),
        (["Y", "N"], "boolean"),
        (["Yes", "no", "YES"], "boolean"),
        (["Y", "N", "E"], "string"),
        (["Y", "N", "N/A"], "string"),
        (["Y"], "string"),
        (["0", "1"], "integer"),
        (["a", "1"], "string"),
        ([], "string"),
        (["NULL"], "string"),
    ],
)
def test_numbers_and_flags_are_what_every_value_is(values: list[str], kind: str) -> None:
    assert guess(Counter(values)).type == kind


@pytest.mark.parametrize("name", ["ndc", "product_ndc", "zip_code", "rxcui", "cui1", "npi"])
def test_digits_in_a_column_called_as_a_code_stay_text(name: str) -> None:
    assert guess(Counter(["1", "23"]), name).type == "string"


@pytest.mark.parametrize("codes", [["0002-3235-60", "12345-123-01"], ["00002323560", "12345012301"]])
def test_package_ndcs_stay_text_and_are_known_for_what_they_are(codes: list[str]) -> None:
    found = guess(Counter(codes))
    assert (found.type, found.ndc) == ("string", True)


def test_a_product_ndc_is_no_package_ndc() -> None:
    assert not guess(Counter(["0002-3235", "12345-123"])).ndc


def test_a_few_malformed_codes_are_counted() -> None:
    found = guess(Counter([f"0002-3235-{number:02d}" for number in range(39)] + ["02"]))
    assert (found.ndc, found.check) == (True, "1 of 40 codes have no 11 digits: their ndc11 is null")


@pytest.mark.parametrize(
    ("text", "kind", "pattern", "value"),
    [
        (" 20190429 ", "date", "yyyyMMdd", date(2019, 4, 29)),
        ("20190230", "date", "yyyyMMdd", None),
        (PRIOR, "date", "MMM d, yyyy", None),
        ("oct 7, 2014", "date", "MMM d, yyyy", date(2014, 10, 7)),
        ("12", "integer", None, 12),
        ("1.50", "decimal", None, Decimal("1.50")),
        ("Yes", "boolean", None, True),
        ("n", "boolean", None, False),
        ("\xa0x ", "string", None, "x"),
        ("  ", "string", None, None),
    ],
)
def test_a_value_is_what_silver_makes_of_it(text: str, kind: str, pattern: str | None, value: object) -> None:
    assert value_of(text, kind, pattern) == value  # type: ignore[arg-type]  # parametrised as plain text


def test_a_format_reads_every_day_that_it_was_guessed_from() -> None:
    days = [date(2014, 1, 1) + timedelta(days=number) for number in range(400)]
    values = Counter(f"{day:%b} {day.day}, {day.year}" for day in days)
    found = guess(values)
    assert [value_of(text, found.type, found.format) for text in values] == days


def test_headers_become_unique_names_in_ascii() -> None:
    headers = [
        "Größe (cm)",
        "% Change",
        "NDC #",
        "2019 Sales",
        "meta_x",
        "A/B",
        "a b",
        "record_hash",
        "ItemCode",
        "价格",
    ]
    assert column_names(headers) == [
        "grosse_cm",
        "percent_change",
        "ndc_number",
        "column_2019_sales",
        "source_meta_x",
        "a_b",
        "a_b_2",
        "source_record_hash",
        "item_code",
        "column",
    ]
    assert column_names(["", ""]) == ["column_1", "column_2"]


def test_the_key_is_the_smallest_complete_and_unique_column_or_pair() -> None:
    rows = [("a b", "1", "x", ""), ("c d", "2", "x", "9"), ("e f", "3", "y", "8")]
    assert suggest_key(["string", "string", "string", "string"], rows) == (1,)
    assert suggest_key(["string", "date"], [("x", "1"), ("x", "2"), ("y", "1")]) == (0, 1)
    assert suggest_key(["decimal", "string"], [("1.5", "x"), ("2.5", "y")]) == (1,)
    assert suggest_key(["string"], [("x",), ("x",), ("y",)]) == (0,)
    assert suggest_key(["string", "string"], [("x", "1"), ("x", "1"), ("x", "")]) == ()
