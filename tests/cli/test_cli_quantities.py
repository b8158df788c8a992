"""Amounts as people read them."""

from __future__ import annotations

import pytest

from pharmaetl.cli import quantities


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, None),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (7_654_321, "7.7 MB"),
        (5 * 10**9, "5.0 GB"),
        (2 * 10**15, "2000.0 TB"),
    ],
)
def test_bytes_have_a_decimal_unit(count: int | None, text: str | None) -> None:
    assert quantities.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert quantities.duration(seconds) == text


@pytest.mark.parametrize(
    ("hours", "text"), [(None, None), (0.0, "0 min"), (0.75, "45 min"), (1.0, "1 h"), (47.9, "47 h"), (48.0, "2 d")]
)
def test_ages_are_never_rounded_up(hours: float | None, text: str | None) -> None:
    assert quantities.age(hours) == text


def test_moments_are_shown_to_the_minute_and_other_texts_as_they_are() -> None:
    assert quantities.moment("2026-07-23T12:00:07Z") == "2026-07-23 12:00Z"
    assert quantities.moment("yesterday") == "yesterday"
    assert quantities.moment(None) is None
