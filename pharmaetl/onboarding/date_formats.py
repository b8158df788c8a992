"""Which date format the values of a column are written in, as far as they show it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from pharmaetl.config.dates import DatePattern, parse_pattern

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MIDNIGHT = re.compile(r"(.*[0-9])((?:T| +)(?:00:00(?::00(?:\.0+)?)?Z?|12:00(?::00)? ?AM))")
_COMPACT = ("yyyyMMdd", "MMddyyyy", "ddMMyyyy")
_PLAUSIBLE_YEARS = range(1800, 2101)
_TRIED, _FEW_TEXTS = 200, 3
_NEARLY_ALL, _MOST = 0.99, 0.5


@dataclass(frozen=True)
class DateGuess:
    """A format, and how well it fits."""

    format: str
    readable: int
    """Values that are dates in this format."""
    total: int
    other: str = ""
    """The format with month and day the other way round, where it reads just as many: the data can't decide."""
    example: str = ""
    """One of the texts that are dates."""
    unread: tuple[str, ...] = ()
    """Up to four of the texts that are no dates."""


def guess_date(values: Counter[str]) -> DateGuess | None:
    """The format of these texts (each with its number of times); None where they are no dates.

    Nearly all must be dates, or half where the others are the same few texts (`Approved Prior to Jan 1, 1982`).
    """
    suffix = _time_at_midnight(values)
    found = _guess(Counter({text.removesuffix(suffix): times for text, times in values.items()}))
    if found is None or not suffix:
        return found
    time = f"'{suffix}'"
    other = found.other and found.other + time
    return replace(found, format=found.format + time, other=other, example=found.example + suffix)


def read_date(text: str, pattern: str) -> date | None:
    """The date that a text is in a format; None where it is none."""
    compiled = _compiled(pattern)
    found = re.match(compiled.regex, text, re.ASCII)
    if found is None or text.endswith("\n"):
        return None
    month = found[compiled.group("M")]
    number = _month_number(month) if compiled.month_names else int(month)
    try:
        return date(int(found[compiled.group("y")]), number, int(found[compiled.group("d")]))
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> DatePattern:
    return parse_pattern(pattern)


def _month_number(name: str) -> int:
    start = name[:3].lower()
    return _MONTHS.index(start) + 1 if start in _MONTHS else 0


def _time_at_midnight(values: Counter[str]) -> str:
    """The time of day that stands behind every date, where it is always the same midnight."""
    endings = {found[2] for text in values if (found := _MIDNIGHT.fullmatch(text))}
    return endings.pop() if len(endings) == 1 else ""


def _guess(values: Counter[str]) -> DateGuess | None:
    tried = list(values)[:: max(1, len(values) // _TRIED)]
    guesses = [
        _measured(values, pattern)
        for pattern in _lenient()
        if sum(_fits(text, pattern) for text in tried) >= _MOST / 2 * len(tried)
    ]
    if not guesses:
        return None
    best = max(guesses, key=lambda guess: guess.readable)  # of equals the first: month before day
    if not _convincing(best, values, guesses):
        return None
    turned = next((guess.format for guess in guesses if _turned(guess, best)), None)
    other = _as_strict_as_shown(values, turned) if turned else ""
    return replace(best, format=_as_strict_as_shown(values, best.format), other=other)


def _turned(guess: DateGuess, best: DateGuess) -> bool:
    return guess is not best and guess.readable == best.readable and Counter(guess.format) == Counter(best.format)


def _measured(values: Counter[str], pattern: str) -> DateGuess:
    unread = [text for text in values if not _fits(text, pattern)]
    readable = values.total() - sum(values[text] for text in unread)
    example = next((text for text in values if _fits(text, pattern)), "")
    return DateGuess(pattern, readable, values.total(), example=example, unread=tuple(unread[: _FEW_TEXTS + 1]))


def _fits(text: str, pattern: str) -> bool:
    """Is this a date in that format? Eight digits are one only in a year that one would expect."""
    found = read_date(text, pattern)
    return found is not None and (pattern not in _COMPACT or found.year in _PLAUSIBLE_YEARS or found.year == 9999)


def _convincing(best: DateGuess, values: Counter[str], guesses: Sequence[DateGuess]) -> bool:
    share = best.readable / best.total if best.total else 0.0
    if share >= _NEARLY_ALL:
        return True
    few = len(best.unread) <= _FEW_TEXTS and 2 * len(best.unread) < len(values) and share >= _MOST
    return few and not any(_fits(text, guess.format) for text in best.unread for guess in guesses)


def _lenient() -> Iterator[str]:
    """Every format that is looked for, in the spelling that reads most."""
    yield from _COMPACT
    for sep in "-/.":
        yield f"yyyy{sep}M{sep}d"
    for sep in "/-":
        yield from (f"M{sep}d{sep}yyyy", f"d{sep}M{sep}yyyy")
    yield from ("d.M.yyyy", "M.d.yyyy")
    for sep in ("-", " ", "/", ".", ""):
        yield from (f"d{sep}MMMM{sep}yyyy", f"yyyy{sep}MMMM{sep}d")
    yield from ("MMMM d, yyyy", "MMMM d yyyy", "MMMM-d-yyyy", "d MMMM, yyyy")


def _as_strict_as_shown(values: Counter[str], lenient: str) -> str:
    """The format with two digits where a padded zero shows that they are meant, and short names where all are."""
    dates = [text for text in values if read_date(text, lenient) is not None]
    strict = lenient
    if "MMMM" in strict and _all_fit(dates, strict.replace("MMMM", "MMM")) and not _only_may(dates):
        strict = strict.replace("MMMM", "MMM")
    padded = re.sub(r"(?<!d)d(?!d)", "dd", re.sub(r"(?<!M)M(?!M)", "MM", strict))
    if padded != strict and _all_fit(dates, padded) and any(_shows_zero(text, padded) for text in dates):
        return padded
    return strict


def _all_fit(texts: Iterable[str], pattern: str) -> bool:
    return all(read_date(text, pattern) is not None for text in texts)


def _only_may(dates: Iterable[str]) -> bool:
    return all("may" in text.lower() for text in dates)


def _shows_zero(text: str, pattern: str) -> bool:
    compiled = _compiled(pattern)
    found = re.match(compiled.regex, text)
    parts = ("d",) if compiled.month_names else ("d", "M")
    return found is not None and any(found[compiled.group(part)].startswith("0") for part in parts)
