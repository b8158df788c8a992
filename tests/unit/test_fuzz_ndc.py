"""Laws of the NDC rules over generated codes: nothing is lost, nothing is made up, nothing raises."""

from __future__ import annotations

import re

from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from pharmaetl import ndc

DIGITS = st.text("0123456789", max_size=7)
SEGMENTS = st.lists(st.text("0123456789*", max_size=7), min_size=1, max_size=4)
NOISE = st.text("0123456789*- .XxWé\u0660\uff11\u200b\n\0", max_size=16)
CODES = st.one_of(SEGMENTS.map("-".join), NOISE, st.text(max_size=16), DIGITS)
WIDTHS = (5, 4, 2)


@fuzz(2000)
@given(CODES)
def test_eleven_digits_are_the_code_s_own_with_zeros_only_where_a_segment_is_short(code: str) -> None:
    eleven = ndc.ndc11(code)
    if eleven is None:
        return
    assert re.fullmatch("[0-9]{11}", eleven)
    assert int(eleven) > 0
    parts = code.strip().replace("*", "0").split("-")
    if len(parts) == 1:
        assert parts[0] in {eleven, f"0{eleven}"}
        return
    for part, at, width in zip(parts, (0, 5, 9), WIDTHS, strict=True):
        got = eleven[at : at + width]
        assert len(part) in {width - 1, width, 6 if width == 5 else width}
        assert got == part.zfill(width)[-width:]
        assert len(part) <= width or part[0] == "0"
    if sum(map(len, parts)) == 10:
        assert sum(len(part) < width for part, width in zip(parts, WIDTHS, strict=True)) == 1


@fuzz(1000)
@given(CODES)
def test_what_was_normalised_once_stays_as_it_is(code: str) -> None:
    eleven = ndc.ndc11(code)
    if eleven is not None:
        assert ndc.ndc11(eleven) == ndc.ndc11(ndc.ndc12(eleven)) == eleven
        assert ndc.ndc11(f"{eleven[:5]}-{eleven[5:9]}-{eleven[9:]}") == eleven
        assert ndc.ndc9(code) == eleven[:9]
        assert ndc.code_type(code) == "NDC"


@fuzz(1000)
@given(st.one_of(st.integers(0, 10**13), st.integers(0, 10**13).map(str)).map(str))
def test_ten_digits_without_dashes_are_never_guessed(digits: str) -> None:
    if len(digits) not in {11, 12}:
        assert ndc.ndc11(digits) is None


@fuzz(1000)
@given(CODES, CODES)
def test_two_plain_codes_with_the_same_segments_but_for_zeros_in_front_are_one(first: str, second: str) -> None:
    """Only then do two codes of three segments give the same digits."""
    one, two = ndc.ndc11(first), ndc.ndc11(second)
    if one is not None and one == two and first.count("-") == second.count("-") == 2:
        stripped = [[p.lstrip("0") for p in code.strip().replace("*", "0").split("-")] for code in (first, second)]
        assert stripped[0] == stripped[1]
