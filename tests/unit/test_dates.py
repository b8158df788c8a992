"""Date patterns: what each letter matches, and which patterns are none."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pharmaetl.config.dates import parse_pattern


def parts_of(pattern: str, text: str) -> tuple[str, str, str] | None:
    """Year, month and day as they stand in a text."""
    found = parse_pattern(pattern)
    match = re.match(found.regex, text)
    return None if match is None else (match[found.group("y")], match[found.group("M")], match[found.group("d")])


@pytest.mark.parametrize(
    ("pattern", "text", "parts"),
    [
        ("yyyyMMdd", "20250711", ("2025", "07", "11")),
        ("MM/dd/yyyy", "07/11/2025", ("2025", "07", "11")),
        ("M/d/yyyy", "7/1/2025", ("2025", "7", "1")),
        ("M/d/yyyy", "12/31/2025", ("2025", "12", "31")),
        ("dd.MM.yyyy", "11.07.2025", ("2025", "07", "11")),
        ("dd-MMM-yyyy", "11-Jul-2025", ("2025", "Jul", "11")),
        ("MMMM d, yyyy", "September 3, 2025", ("2025", "September", "3")),
        ("dMMMyyyy", "3SEP2025", ("2025", "SEP", "3")),
        ("yyyy-MM-dd'T'", "2025-07-11T", ("2025", "07", "11")),
        ("yyyy''MM''dd", "2025'07'11", ("2025", "07", "11")),
        ("yyyy'M'MMdd", "2025M0711", ("2025", "07", "11")),
        ("yyyy年M月d日", "2025年7月11日", ("2025", "7", "11")),
    ],
)
def test_a_pattern_finds_year_month_and_day(pattern: str, text: str, parts: tuple[str, str, str]) -> None:
    assert parts_of(pattern, text) == parts


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyyMMdd", "2025711"),
        ("yyyyMMdd", "202507111"),
        ("yyyyMMdd", " 20250711"),
        ("yyyyMMdd", "2025-07-11"),
        ("yyyyMMdd", "２０２５０７１１"),
        ("dd.MM.yyyy", "11/07/2025"),
        ("dd.MM.yyyy", "11x07x2025"),
        ("MM/dd/yyyy", "7/11/2025"),
        ("dd-MMM-yyyy", "11-July-2025"),
    ],
)
def test_a_pattern_matches_the_whole_text_or_nothing(pattern: str, text: str) -> None:
    assert parts_of(pattern, text) is None


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("yyyyMMdd", False), ("d MMM yyyy", True), ("MMMM d yyyy", True), ("yyyy'MMM'MMdd", False)],
)
def test_a_pattern_says_whether_months_are_names(pattern: str, names: bool) -> None:
    assert parse_pattern(pattern).month_names is names


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "date format '' needs a year (yyyy), a month and a day, each once"),
        ("yyyyMM", "date format 'yyyyMM' needs a year (yyyy), a month and a day, each once"),
        ("yyyyMMddMM", "date format 'yyyyMMddMM' needs a year (yyyy), a month and a day, each once"),
        ("yyMMdd", "'yy' in date format 'yyMMdd': only yyyy, M, MM, MMM, MMMM, d and dd are known"),
        ("YYYYMMDD", "'YYYYMMDD' in date format 'YYYYMMDD': only yyyy, M, MM, MMM, MMMM, d and dd are known"),
        ("yyyy-mm-dd", "'mm' in date format 'yyyy-mm-dd': only yyyy, M, MM, MMM, MMMM, d and dd are known"),
        ("yyyyMMddHHmm", "'HHmm' in date format 'yyyyMMddHHmm': only yyyy, M, MM, MMM, MMMM, d and dd are known"),
        ("%Y-%m-%d", "'Y' in date format '%Y-%m-%d': only yyyy, M, MM, MMM, MMMM, d and dd are known"),
        ("yyyyMMdd'", 'date format "yyyyMMdd\'" has a quote without an end'),
        ("yyyyMd", "date format 'yyyyMd' is ambiguous: something must stand between M and d"),
        ("dMyyyy", "date format 'dMyyyy' is ambiguous: something must stand between d and M"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_reason(pattern: str, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_pattern(pattern)

    assert str(raised.value) == said


@given(st.text(alphabet="yMd'-/. ,T(\\[年", max_size=14))
@example("yyyy(MM)dd")
@example("yyyy\\MM[dd")
def test_any_pattern_is_a_regular_expression_of_three_groups_or_refused(pattern: str) -> None:
    try:
        found = parse_pattern(pattern)
    except ValueError:
        return
    assert re.compile(found.regex).groups == 3
    assert {found.group(letter) for letter in "yMd"} == {1, 2, 3}
