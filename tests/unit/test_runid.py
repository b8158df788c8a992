"""Run ids and the digests in them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pharmaetl import hashing, runid

START = datetime(2026, 11, 23, 3, 15, 0, tzinfo=UTC)
INPUTS = {"dataset": "nsde", "source_sha256": "a" * 64, "config_sha256": "b" * 64, "code_sha256": "c" * 64}

zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
earliest, latest = START.replace(year=1, month=1, day=3, tzinfo=None), START.replace(year=9999, tzinfo=None)
moments = st.datetimes(earliest, latest, timezones=zones)
inputs = st.fixed_dictionaries(dict.fromkeys(INPUTS, st.text(max_size=70)))


def test_a_run_id_is_the_start_and_a_digest() -> None:
    assert runid.make(START, **INPUTS) == "20261123T031500Z-507a7145"


def test_the_start_is_in_utc_whatever_the_clock_of_the_place() -> None:
    berlin = datetime(2026, 11, 23, 4, 15, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert runid.make(berlin, **INPUTS) == runid.make(START, **INPUTS)


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        runid.make(START.replace(tzinfo=None), **INPUTS)


@pytest.mark.parametrize("changed", list(INPUTS))
def test_another_input_is_another_suffix(changed: str) -> None:
    assert runid.digest8(**(INPUTS | {changed: "other"})) != runid.digest8(**INPUTS)


def test_a_boundary_between_inputs_counts() -> None:
    one = runid.digest8(dataset="ab", source_sha256="c", config_sha256="", code_sha256="")
    assert one != runid.digest8(dataset="a", source_sha256="bc", config_sha256="", code_sha256="")


@given(moments, inputs)
def test_every_run_id_is_deterministic_path_safe_and_tells_its_start(moment: datetime, parts: dict[str, str]) -> None:
    run_id = runid.make(moment, **parts)
    assert run_id == runid.make(moment, **parts)
    assert runid.is_run_id(run_id)
    assert len(run_id) == 25
    assert set(run_id) <= set("0123456789abcdefTZ-")
    assert runid.started_at(run_id) == moment.replace(microsecond=0)
    assert run_id.endswith(runid.digest8(**parts))


@given(moments, moments)
def test_run_ids_sort_by_time(one: datetime, other: datetime) -> None:
    first, second = sorted([one.replace(microsecond=0), other.replace(microsecond=0)])
    assert (runid.make(first, **INPUTS) < runid.make(second, **INPUTS)) == (first < second)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261123T031500Z",
        "20261123T031500Z-1F2E3D4C",
        "20261123T031500Z-1f2e3d4c\n",
        " 20261123T031500Z-1f2e3d4c",
        "20261123T031500Z-1f2e3d4c/..",
        "20261323T031500Z-1f2e3d4c",
        "20260230T031500Z-1f2e3d4c",
        "20261123T251500Z-1f2e3d4c",
        "２０２６1123T031500Z-1f2e3d4c",
    ],
)
def test_what_is_no_run_id(text: str) -> None:
    assert not runid.is_run_id(text)


@given(st.text(max_size=40))
def test_any_text_is_a_run_id_or_not_without_an_exception(text: str) -> None:
    assert runid.is_run_id(text) in {True, False}


def test_the_digest_of_json_is_free_of_key_order() -> None:
    assert hashing.of_json({"b": [1, "ü"], "a": None}) == hashing.of_json({"a": None, "b": (1, "ü")})
    assert hashing.of_json({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    with pytest.raises(ValueError, match="JSON"):
        hashing.of_json(float("nan"))


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert hashing.of_file(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_digest_of_files_is_free_of_order_and_place_but_not_of_names(tmp_path: Path) -> None:
    for base in ("here", "there"):
        (tmp_path / base / "sub").mkdir(parents=True)
        (tmp_path / base / "one.py").write_text("1")
        (tmp_path / base / "sub/two.py").write_text("2")

    def digest(base: str, *names: str) -> str:
        return hashing.of_files([tmp_path / base / name for name in names], base=tmp_path / base)

    first = digest("here", "one.py", "sub/two.py")
    assert first == digest("there", "sub/two.py", "one.py")
    (tmp_path / "there/sub/two.py").rename(tmp_path / "there/sub/three.py")
    assert first != digest("there", "one.py", "sub/three.py")
    (tmp_path / "here/one.py").write_text("1 ")
    assert first != digest("here", "one.py", "sub/two.py")


@given(
    st.lists(st.tuples(st.text(), st.text()), max_size=6).flatmap(
        lambda some: st.tuples(st.just(some), st.permutations(some))
    )
)
def test_the_digest_of_members_is_free_of_order(orders: tuple[list[tuple[str, str]], list[tuple[str, str]]]) -> None:
    one, other = orders
    assert hashing.of_members(one) == hashing.of_members(other)


def test_both_modules_import_the_standard_library_alone() -> None:
    code = (
        "import sys; from pharmaetl import runid; print([m for m in ('pydantic', 'rich', 'typer') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
