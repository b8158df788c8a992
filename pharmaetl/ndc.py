"""National drug codes: from the shapes in circulation to the uniform 11 digits (5-4-2) of NCPDP.

The rules are those of NLM's normaliser and of FDA's own files: each segment is padded for itself, never the code as a
whole. `pharmaetl.spark.ndc` says the same in column expressions; the tests hold the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "empty",
    "isbt",
    "letters",
    "bad_characters",
    "all_zeros",
    "nhric",
    "product_ndc",
    "future_12_digit",
    "bad_segments",
    "ambiguous_10_digit",
    "ambiguous_12_digit",
    "bad_length",
]
"""Why a code has no 11 digits.

`isbt`, `nhric` and `product_ndc` are sound codes of another kind. `future_12_digit` is a 6-digit labeler without a
leading zero (21 CFR 207.33 from 2033 on), which doesn't fit into 11. `ambiguous_10_digit` could be 4-4-2, 5-3-2 or
5-4-1, and `ambiguous_12_digit` a UPC or a future NDC: neither is guessed.
"""

CodeType = Literal["NDC", "NHRIC", "ISBT", "unknown"]

_BLANKS = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_PACKAGE_SHAPES = frozenset({(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2)})
_LONG_SHAPES = frozenset({(6, 4, 2), (6, 4, 1), (6, 3, 2), (6, 3, 1)})
_PRODUCT_SHAPES = frozenset({(4, 4), (5, 3), (5, 4)})
_NHRIC = re.compile(r"[0-9]{4}-[0-9]{6}|[0-9]{5}-[0-9]{5}")
"""X12 data element 235, N6 (4-6) and N5 (5-5).

A three-segment NHRIC has the shape of an NDC, and FDA gives it 11 digits in the same way.
"""

_ISBT = re.compile(
    r"[A-NP-Z][0-9]{4}-[A-Z][0-9]{4}(?:[0-9A-Z]{2}[0-9A-Za-z])?(?:-[0-9]{2})?|[A-Z][0-9]{4}[0-9A-Z]{2}[0-9A-Za-z]"
)
"""ICCBBA ST-001, 2.4.3: a product description code (S1393), collection type and division (V00) behind it.

FDA lists cord blood as facility-product-package, such as W1640-S1393-01 (DailyMed). The bare form needs all eight
characters, since a letter and four digits alone are also how billing codes look.
"""

_UNREADABLE: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    ("empty", re.compile("")),
    ("isbt", _ISBT),
    ("letters", re.compile(".*[A-Za-z].*", re.DOTALL)),
    ("bad_characters", re.compile(r".*[^0-9*-].*|[^-]*\*[^-]*", re.DOTALL)),
    ("all_zeros", re.compile("-*[0*][0*-]*")),
    ("nhric", _NHRIC),
)


@dataclass(frozen=True)
class Accepted:
    """A package code in 11 ASCII digits, without dashes."""

    ndc11: str


@dataclass(frozen=True)
class Rejected:
    """A code that has no 11 digits."""

    reason: Reason


def normalise(code: str | None) -> Accepted | Rejected:
    """The 11 digits of a package code, or why there are none.

    Blanks around the code don't count. A `*` in a segment stands for 0, as in old FDA files.
    """
    text = _trimmed(code)
    for reason, pattern in _UNREADABLE:
        if pattern.fullmatch(text):
            return Rejected(reason)
    return _from_segments(_segments(text)) if "-" in text else _from_digits(text)


def ndc11(code: str | None) -> str | None:
    """The 11 digits of a package code, or None."""
    result = normalise(code)
    return result.ndc11 if isinstance(result, Accepted) else None


def ndc9(code: str | None) -> str | None:
    """Labeler and product in 9 digits (5-4), of a product NDC or of a package code; None for anything else."""
    match normalise(code):
        case Accepted(digits):
            return digits[:9]
        case Rejected("product_ndc"):
            return _padded(_segments(_trimmed(code)))
        case _:
            return None


def ndc12(ndc11: str) -> str:
    """The uniform 12 digits (6-4-2) of 91 FR 10749, from 11 digits as `ndc11` returns them."""
    return "0" + ndc11


def labeler(ndc11: str) -> str:
    """The five digits of the firm, from 11 digits as `ndc11` returns them."""
    return ndc11[:5]


def code_type(code: str | None) -> CodeType:
    """What kind of code this is by its shape alone; a code of NDC shape is an NDC even where it is rejected."""
    text = _trimmed(code)
    if _has_ndc_shape(text):
        return "NDC"
    if _NHRIC.fullmatch(text):
        return "NHRIC"
    return "ISBT" if _ISBT.fullmatch(text) else "unknown"


def _trimmed(code: str | None) -> str:
    return "" if code is None else code.strip(_BLANKS)


def _segments(text: str) -> list[str]:
    return text.replace("*", "0").split("-")


def _shape(segments: list[str]) -> tuple[int, ...]:
    return tuple(len(segment) for segment in segments)


def _padded(segments: list[str]) -> str:
    return "".join(segment.zfill(width) for segment, width in zip(segments, (5, 4, 2), strict=False))


def _from_segments(segments: list[str]) -> Accepted | Rejected:
    shape = _shape(segments)
    if shape in _PACKAGE_SHAPES:
        return Accepted(_padded(segments))
    if shape in _LONG_SHAPES:
        labeler_code, *rest = segments
        return Accepted(_padded([labeler_code[1:], *rest])) if labeler_code[0] == "0" else Rejected("future_12_digit")
    return Rejected("product_ndc" if shape in _PRODUCT_SHAPES else "bad_segments")


def _from_digits(digits: str) -> Accepted | Rejected:
    match len(digits):
        case 11:
            return Accepted(digits)
        case 12:
            return Accepted(digits[1:]) if digits[0] == "0" else Rejected("ambiguous_12_digit")
        case 10:
            return Rejected("ambiguous_10_digit")
        case _:
            return Rejected("bad_length")


def _has_ndc_shape(text: str) -> bool:
    if "-" not in text:
        return re.fullmatch("0?[0-9]{11}", text) is not None
    shapes = _PACKAGE_SHAPES | _LONG_SHAPES | _PRODUCT_SHAPES
    return re.fullmatch("[0-9*-]+", text) is not None and _shape(_segments(text)) in shapes
