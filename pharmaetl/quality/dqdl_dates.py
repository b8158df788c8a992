"""Dates of rules as DQDL writes them, as limits of a `between` that excludes both."""

from __future__ import annotations

from datetime import date, timedelta

from pharmaetl.config.rule import TODAY

_DAYS_A_YEAR = 365.25


def before(bound: str) -> str:
    """A limit below the lowest allowed date, and above the day before it."""
    # now() is a moment within today, so that midnight of a day is later than the moment one day before
    return _shifted(bound, -1) if TODAY.fullmatch(bound) else _quoted_day(bound, -1)


def after(bound: str) -> str:
    """A limit above the highest allowed date, and below the day after it."""
    return _shifted(bound, 0) if TODAY.fullmatch(bound) else _quoted_day(bound, 1)


def _quoted_day(bound: str, days: int) -> str:
    day = date.fromisoformat(bound)
    moved = day + timedelta(days=days) if date.min < day < date.max else day
    return f'"{moved.isoformat()}"'


def _shifted(bound: str, more: int) -> str:
    """`today+5y` as `(now() + 1826 days)`: DQDL knows days and hours only, so a leap day may be off by one."""
    found = TODAY.fullmatch(bound)
    sign, distance = found.groups() if found else (None, None)
    days = 0
    if distance is not None:
        amount = int(distance[:-1]) * (_DAYS_A_YEAR if distance.endswith("y") else 1)
        days = int(amount) if sign == "+" else -int(amount)
    days += more
    return "now()" if days == 0 else f"(now() {'+' if days > 0 else '-'} {abs(days)} days)"
