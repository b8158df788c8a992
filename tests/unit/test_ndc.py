"""The NDC rules, by NLM's and FDA's examples, by laws, and by real release files."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pharmaetl import ndc

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data/ndc_vectors.json").read_text("utf-8"))
PLAIN_SHAPES = ((4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2))
BLANKS = st.text("\t\r\n \u00a0\u3000", max_size=3)


def digits(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=length, max_size=length)


def segments(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.tuples(*map(digits, shape)).filter(lambda parts: set("".join(parts)) != {"0"})


PLAIN_CODES = st.sampled_from(PLAIN_SHAPES).flatmap(segments)
NEAR_CODES = st.text("0123456789*- AS\u00a0\u0663", max_size=16)
laws = settings(deadline=None)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['why']}: {vector['code']!r}")
def test_each_example_has_its_digits_its_reason_and_its_type(vector: dict[str, Any]) -> None:
    code = vector["code"]
    expected = ndc.Accepted(vector["ndc11"]) if "ndc11" in vector else ndc.Rejected(vector["reason"])
    assert ndc.normalise(code) == expected
    assert ndc.ndc11(code) == vector.get("ndc11")
    assert ndc.ndc9(code) == vector["ndc9"]
    assert ndc.code_type(code) == vector["type"]


def test_the_examples_show_every_reason_and_every_type() -> None:
    assert {vector["reason"] for vector in VECTORS if "reason" in vector} == set(get_args(ndc.Reason))
    assert {vector["type"] for vector in VECTORS} == set(get_args(ndc.CodeType))


def test_the_labeler_and_the_12_digits_follow_from_the_11() -> None:
    assert ndc.labeler("00777310502") == "00777"
    assert ndc.ndc12("00777310502") == "000777310502"


@laws
@given(PLAIN_CODES)
def test_each_segment_is_padded_for_itself(parts: tuple[str, str, str]) -> None:
    labeler, product, package = parts
    assert ndc.ndc11("-".join(parts)) == labeler.zfill(5) + product.zfill(4) + package.zfill(2)


@laws
@given(PLAIN_CODES)
def test_a_package_has_the_labeler_and_the_nine_digits_of_its_product(parts: tuple[str, str, str]) -> None:
    eleven = ndc.ndc11("-".join(parts)) or ""
    assert ndc.labeler(eleven) == parts[0].zfill(5)
    assert ndc.ndc9("-".join(parts)) == eleven[:9]
    if set(parts[0] + parts[1]) != {"0"}:
        assert ndc.ndc9("-".join(parts[:2])) == eleven[:9]


@laws
@given(PLAIN_CODES)
def test_a_six_digit_labeler_with_a_leading_zero_is_the_same_labeler(parts: tuple[str, str, str]) -> None:
    if len(parts[0]) == 5:
        assert ndc.ndc11("0" + "-".join(parts)) == ndc.ndc11("-".join(parts))


@laws
@given(PLAIN_CODES, st.integers(0, 12))
def test_a_star_stands_for_a_zero(parts: tuple[str, str, str], place: int) -> None:
    code = "-".join(parts)
    starred = code[:place] + code[place:].replace("0", "*", 1)
    assert ndc.normalise(starred) == ndc.normalise(code)


@laws
@given(st.one_of(PLAIN_CODES.map("-".join), NEAR_CODES, st.text()), BLANKS, BLANKS)
def test_blanks_around_a_code_do_not_count(code: str, before: str, after: str) -> None:
    assert ndc.normalise(before + code + after) == ndc.normalise(code)
    assert ndc.code_type(before + code + after) == ndc.code_type(code)


@laws
@given(st.one_of(st.none(), st.text(), NEAR_CODES, PLAIN_CODES.map("-".join), digits(11), digits(12)))
def test_any_text_gives_eleven_ascii_digits_that_stay_or_a_reason(code: str | None) -> None:
    match ndc.normalise(code):
        case ndc.Accepted(eleven):
            assert len(eleven) == 11
            assert set(eleven) <= set("0123456789")
            assert set(eleven) != {"0"}
            assert ndc.ndc11(eleven) == eleven
            assert ndc.ndc11(ndc.ndc12(eleven)) == eleven
            assert ndc.code_type(code) == "NDC"
        case ndc.Rejected(reason):
            assert reason in get_args(ndc.Reason)
            assert ndc.ndc11(code) is None
            assert (ndc.ndc9(code) is not None) == (reason == "product_ndc")


def rows(archives: Iterable[Path], member: str, encoding: str, **dialect: Any) -> Iterator[dict[str, str]]:
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith(member))
            yield from csv.DictReader(io.TextIOWrapper(archive.open(name), encoding, newline=""), **dialect)


@pytest.mark.real
def test_every_item_code_of_nsde_gives_the_11_digits_that_fda_gives(shared_data: Path) -> None:
    seen = 0
    for row in rows(shared_data.glob("nsde_*.zip"), ".csv", "utf-8-sig"):
        assert ndc.ndc11(row["Item Code"]) == row["NDC11"]
        assert ndc.code_type(row["Item Code"]) == "NDC"
        seen += 1
    assert seen > 0


@pytest.mark.real
def test_every_package_of_the_directory_has_11_digits_that_begin_with_its_product(shared_data: Path) -> None:
    seen = 0
    archives = shared_data.glob("ndctext_*.zip")
    for row in rows(archives, "package.txt", "cp1252", delimiter="\t", quoting=csv.QUOTE_NONE):
        eleven = ndc.ndc11(row["NDCPACKAGECODE"])
        assert eleven is not None, row
        assert ndc.ndc9(row["PRODUCTNDC"]) == eleven[:9]
        seen += 1
    assert seen > 0
