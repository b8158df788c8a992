"""The NDC rules of `pharmaetl.ndc` as column expressions.

Nearly every code of a release has one of five plain shapes, so these are told apart and padded first; trimming, `*` and
rare shapes cost only the rows that need them. No expression repeats a long one, because JVM Spark compiles a row's
work into one method and slows down by a factor where that grows too large. Patterns end in `\\z`, since Java's `$` also
matches before a last line break, and say [0-9], since Sail's `\\d` takes any Unicode digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pharmaetl.spark.dialect import F

if TYPE_CHECKING:
    from pyspark.sql import Column

_BLANKS = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_DIGIT, _STARRED = "[0-9]", "[0-9*]"


def _shape(*lengths: int, digit: str = _STARRED) -> str:
    return "-".join(f"{digit}{{{length}}}" for length in lengths)


def _whole(*alternatives: str) -> str:
    """A pattern for codes that are one of these, between blanks."""
    return rf"^[{_BLANKS}]*(?:{'|'.join(alternatives)})[{_BLANKS}]*\z"


_PLAIN_SHAPES = ((5, 3, 2), (4, 4, 2), (5, 4, 1), (5, 4, 2))
_PLAIN = rf"^(?:{'|'.join(_shape(*lengths, digit=_DIGIT) for lengths in _PLAIN_SHAPES)})\z"
_PLAIN_ZEROS = tuple("-".join("0" * length for length in lengths) for lengths in _PLAIN_SHAPES)
_ELEVEN = r"^[0-9]{11}\z"
_PACKAGES = (_shape(5, 3, 2), _shape(4, 4, 2), _shape(5, 4, 1), _shape(5, 4, 2), "0?[0-9]{11}")
_BEHIND_LABELER = "-[0-9*]{3,4}-[0-9*]{1,2}"
_SHORTENED = "[0*][0-9*]{5}" + _BEHIND_LABELER
_FUTURE = "[0-9*]{6}" + _BEHIND_LABELER
_PRODUCTS = (_shape(5, 3), _shape(4, 4), _shape(5, 4))
_NHRIC = (_shape(5, 5, digit=_DIGIT), _shape(4, 6, digit=_DIGIT))
_ISBT = (
    "[A-NP-Z][0-9]{4}-[A-Z][0-9]{4}(?:[0-9A-Z]{2}[0-9A-Za-z])?(?:-[0-9]{2})?",
    "[A-Z][0-9]{4}[0-9A-Z]{2}[0-9A-Za-z]",
)
_SIGNIFICANT = "[1-9]"
_REWRITING = (
    (r"[*]", "0"),
    (r"[^0-9-]", ""),
    (r"^0([0-9]{11})\z", "$1"),
    (r"^0([0-9]{5}-)", "$1"),
    (r"^([0-9]{4}-)", "0$1"),
    (r"-([0-9]{3})(-|\z)", "-0$1$2"),
    (r"-([0-9])\z", "-0$1"),
    (r"-", ""),
)
"""From a package code or product NDC of any known shape, with stars and outer blanks, to its padded digits."""


def ndc11(code: Column) -> Column:
    """The 11 digits (5-4-2) of a package code; null where `reason` says why there are none."""
    # zeros alone are no code; hardly a code is so low that it has to be compared with the few plain texts of them
    significant = (code > max(_PLAIN_ZEROS)) | ~code.isin(*_PLAIN_ZEROS)
    return (
        F.when(code.rlike(_PLAIN), F.when(significant, _padded(code)))
        .when(code.rlike(_ELEVEN), F.when(code != "0" * 11, code))
        .when(code.rlike(_whole(*_PACKAGES, _SHORTENED)) & code.rlike(_SIGNIFICANT), _rewritten(code))
    )


def ndc9(code: Column) -> Column:
    """Labeler and product in 9 digits (5-4), of a product NDC or of a package code; null for anything else."""
    known = _whole(*_PACKAGES, _SHORTENED, *_PRODUCTS)
    digits = F.when(code.rlike(_PLAIN), _padded(code)).when(code.rlike(known), _rewritten(code))
    return F.when(code.rlike(_SIGNIFICANT), F.substring(digits, 1, 9))


def ndc12(ndc11: Column) -> Column:
    """The uniform 12 digits (6-4-2) of 91 FR 10749, from 11 digits as `ndc11` gives them."""
    return F.concat(F.lit("0"), ndc11)


def labeler(ndc11: Column) -> Column:
    """The five digits of the firm, from 11 digits as `ndc11` gives them."""
    return F.substring(ndc11, 1, 5)


def reason(code: Column) -> Column:
    """Why a code has no 11 digits, in the words of `pharmaetl.ndc.Reason`; null where it has them."""
    accepted = code.rlike(_whole(*_PACKAGES, _SHORTENED)) & code.rlike(_SIGNIFICANT)
    return (
        F.when(accepted, F.lit(None).cast("string"))
        .when(code.isNull() | code.rlike(_whole("")), "empty")
        .when(code.rlike(_whole(*_ISBT)), "isbt")
        .when(code.rlike("[A-Za-z]"), "letters")
        .when(~code.rlike(_whole("[0-9*-]+")) | code.rlike(r"^[^-]*\*[^-]*\z"), "bad_characters")
        .when(code.rlike(_whole("-*[0*][0*-]*")), "all_zeros")
        .when(code.rlike(_whole(*_NHRIC)), "nhric")
        .when(code.rlike(_whole(*_PRODUCTS)), "product_ndc")
        .when(code.rlike(_whole(_FUTURE)), "future_12_digit")
        .when(code.contains("-"), "bad_segments")
        .when(code.rlike(_whole("[0-9]{10}")), "ambiguous_10_digit")
        .when(code.rlike(_whole("[0-9]{12}")), "ambiguous_12_digit")
        .otherwise("bad_length")
    )


CODE_TYPES = ("NDC", "NHRIC", "ISBT", "unknown")


def code_type(code: Column) -> Column:
    """One of CODE_TYPES, by the shape of the code alone."""
    return (
        F.when(code.rlike(_whole(*_PACKAGES, _FUTURE, *_PRODUCTS)), "NDC")
        .when(code.rlike(_whole(*_NHRIC)), "NHRIC")
        .when(code.rlike(_whole(*_ISBT)), "ISBT")
        .otherwise("unknown")
    )


def _padded(code: Column) -> Column:
    """The digits of a plain package code, zeros put in to 5-4-2. By position: half the work of cutting at dashes."""

    def part(start: int, length: int) -> Column:
        return F.substring(code, start, length)

    zero = F.lit("0")
    return (
        F.when(code.like("____-%"), F.concat(zero, part(1, 4), part(6, 4), part(11, 2)))
        .when(code.like("_________-%"), F.concat(part(1, 5), zero, part(7, 3), part(11, 2)))
        .when(F.length(code) == len("12345-1234-1"), F.concat(part(1, 5), part(7, 4), zero, part(12, 1)))
        .otherwise(F.concat(part(1, 5), part(7, 4), part(12, 2)))
    )


def _rewritten(code: Column) -> Column:
    for pattern, replacement in _REWRITING:
        code = F.regexp_replace(code, pattern, replacement)
    return code
