"""Work that is done beside is done in order, and its failures are told."""

from __future__ import annotations

import pytest

from pharmaetl.text.beside import Beside


def fail(number: int) -> None:
    raise OSError(number, "No space left on device")


def test_all_is_done_in_order() -> None:
    done: list[int] = []
    with Beside("test") as beside:
        for number in range(100):
            beside.do(done.append, number)
    assert done == list(range(100))


def test_what_fails_is_told_soon_and_nothing_is_done_after_it() -> None:
    done: list[int] = []
    beside = Beside("test")
    beside.do(fail, 28)
    beside.do(done.append, 1)
    with pytest.raises(OSError, match="No space"):
        beside.do(done.append, 2)
    beside.__exit__(OSError, OSError(28, "No space left on device"), None)
    assert done == []


def test_what_fails_last_is_told_at_the_end() -> None:
    with pytest.raises(OSError, match="No space"), Beside("test") as beside:
        beside.do(fail, 28)
    beside = Beside("test")
    beside.do(fail, 28)
    beside.do(print)
    with pytest.raises(OSError, match="No space"):
        beside.__exit__(None, None, None)


def test_what_failed_before_is_not_told_over_what_fails_in_the_block() -> None:
    beside = Beside("test")
    beside.do(fail, 28)
    beside.__exit__(ValueError, ValueError("first"), None)
