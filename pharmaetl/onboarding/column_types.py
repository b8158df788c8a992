"""What type a column of text has, as far as its values show it. In doubt it stays text: nothing is lost that way."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

from pharmaetl import ndc
from pharmaetl.config.column import ColumnType
from pharmaetl.onboarding.date_formats import guess_date, read_date

BLANKS = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003"
    "\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What silver trims from a value."""
_NOTHING = frozenset({"null", "na", "n/a", "none", "nan", "-", "--", ".", "?", "\\n", "00000000", "0000-00-00"})
"""Texts that stand for no value, folded."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,8})?")
_PADDED = re.compile(r"[+-]?0[0-9].*", re.DOTALL)
_ALMOST_NUMBER = re.compile(r"[$€£]?[+-]?[0-9]*[.,]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?%?")
_SHORT_YEAR = re.compile(r"[0-9]{1,2}[-/. ](?:[0-9]{1,2}|[A-Za-z]{3})[-/. ][0-9]{2}")
_CODE_NAME = re.compile(r"(?:^|_)(?:ndc|upc|gtin|zip|npi|phone|fax|code|[a-z]*cui)[0-9]*(?:_|$)")
_FLAGS = (("y", "n"), ("yes", "no"), ("t", "f"), ("true", "false"))
_NDC_SHARE, _NUMBER_SHARE = 0.95, 0.9
_CODE_WIDTH, _CODES, _LONGEST_INTEGER = 5, 10, 18


@dataclass(frozen=True)
class Guess:
    """A column's type, why, and what a person should check."""

    type: ColumnType
    why: str
    format: str | None = None
    check: str = ""
    ndc: bool = False
    """Its values are package NDCs: text, with the eleven digits to be computed beside it."""
    code_column: str | None = None
    """For the type ndc11: the column with the codes as served."""


def tidy(text: str) -> str:
    """A value as silver has it: without outer blanks."""
    return text.strip(BLANKS)


def guess(values: Counter[str], name: str = "") -> Guess:
    """The type of a column from its tidied values (each with its number of times, empty ones left out) and its name."""
    given = Counter({text: times for text, times in values.items() if text.casefold() not in _NOTHING})
    if not given:
        return Guess("string", "no value but stand-ins for none" if values else "no value was seen")
    found = _ndc(given) or _date(given) or _flag(values) or _number(given, name) or _text(given)
    nothing = values - given
    if not nothing or found.type in {"string", "boolean"}:
        return found
    more = f"{shown_of(nothing)} ({nothing.total()} values): null, and counted"
    return replace(found, check=f"{found.check}; {more}" if found.check else more)


def shown_of(values: Counter[str]) -> str:
    """A few of the values, quoted."""
    return ", ".join(repr(text) for text in list(values)[:3])


def value_of(text: str, kind: ColumnType, pattern: str | None) -> object:
    """What silver makes of a value of the file: None where it is empty or can't be read."""
    tidied = tidy(text)
    if not tidied:
        return None
    match kind:
        case "date":
            return read_date(tidied, pattern or "yyyyMMdd")
        case "integer":
            return int(tidied) if _INTEGER.fullmatch(tidied) else None
        case "decimal":
            return Decimal(tidied) if _DECIMAL.fullmatch(tidied) else None
        case "boolean":
            return {word: number == 0 for pair in _FLAGS for number, word in enumerate(pair)}.get(tidied.lower())
        case _:
            return tidied


def _ndc(values: Counter[str]) -> Guess | None:
    codes = sum(times for text, times in values.items() if ndc.ndc11(text) is not None)
    if codes < _NDC_SHARE * values.total():
        return None
    others = values.total() - codes
    check = f"{others} of {values.total()} codes have no 11 digits: their ndc11 is null" if others else ""
    return Guess("string", "package NDCs: text, as served", check=check, ndc=True)


def _date(values: Counter[str]) -> Guess | None:
    found = guess_date(values)
    if found is None:
        return None
    checks = []
    if found.other:
        checks.append(f"no value decides between {found.format} and {found.other}: check which one the publisher means")
    if found.readable < found.total:
        texts = ", ".join(repr(text) for text in found.unread)
        checks.append(
            f"{found.total - found.readable} of {found.total} values are no dates ({texts}): null, and counted"
        )
    return Guess("date", f"dates such as {found.example!r}", found.format, "; ".join(checks))


def _flag(values: Counter[str]) -> Guess | None:
    words = {text.lower() for text in values}
    for pair in _FLAGS:
        if words == set(pair):
            return Guess("boolean", f"every value is {' or '.join(word.upper() for word in pair)}")
        if len(words) == 1 and words < set(pair):
            return Guess("string", f"only {shown_of(values)}: no boolean as long as the other word isn't seen")
    return None


def _number(values: Counter[str], name: str) -> Guess | None:
    if not all(_DECIMAL.fullmatch(text) for text in values):
        return None
    if why := _why_code(values, name):
        return Guess("string", why)
    pointed = next((text for text in values if "." in text), None)
    if pointed is not None:
        return Guess("decimal", f"numbers with a point, such as {pointed!r}")
    return Guess("integer", "whole numbers without leading zeros; if they are codes, take `type` out")


def _why_code(values: Counter[str], name: str) -> str:
    """Why numbers are no numbers but codes, which must keep every digit; empty where nothing says so."""
    widths = {len(text) for text in values}
    if any(_PADDED.fullmatch(text) for text in values):
        return "digits with leading zeros: a code, no number"
    if _CODE_NAME.search(name):
        return "digits, but by its name a code: text keeps leading zeros if they come"
    if not any("." in text for text in values):
        if max(widths) > _LONGEST_INTEGER:
            return f"digits, up to {max(widths)} of them: no 64-bit integer"
        if len(widths) == 1 and min(widths) >= _CODE_WIDTH and len(values) >= _CODES:
            return f"digits, always {min(widths)} of them: a code, no number"
    return ""


def _text(values: Counter[str]) -> Guess:
    numbers = sum(times for text, times in values.items() if _ALMOST_NUMBER.fullmatch(text))
    if numbers >= _NUMBER_SHARE * values.total():
        odd = next((text for text in values if not _DECIMAL.fullmatch(text)), "")
        return Guess("string", f"nearly numbers, but {odd!r} is none: no thousands separators, signs or exponents")
    if sum(times for text, times in values.items() if _SHORT_YEAR.fullmatch(text)) >= _NUMBER_SHARE * values.total():
        return Guess("string", "dates with two digits for the year, which says no century: text")
    return Guess("string", "text")
