"""Column expressions: from text as served to typed values. What can't be read becomes null, and is counted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pharmaetl.errors import EngineError
from pharmaetl.spark import ndc
from pharmaetl.spark.dialect import F
from pharmaetl.spark.spec import ColumnSpec, DateSpec

if TYPE_CHECKING:
    from pyspark.sql import Column

FIELD_SEPARATOR = "\x1f"
NULL_MARKER = "\x1e"
"""Neither occurs in a value: the splitter refuses records that hold them."""

BLANKS = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003"
    "\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What is taken off both ends of a value."""
_GARBLED = r"[^\x00-\x7f]|^[0-9*+-].*[^0-9A-Za-z]"
"""A code that was an NDC once: look-alike dashes or digits, a segment too long, `2-Jan`. The digits beside it can't be
checked. Codes of other systems are letters and digits, or start with a letter.
"""

_BLANK = r"[ \t\n\x0b\x0c\r]"
"""What Java's pattern for a blank means; other engines have other ones."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


FIRST_VISIBLE, LAST_VISIBLE = "!", "~"
"""Of ASCII: texts that begin and end with characters in between have nothing to be trimmed."""
TYPED = "meta_typed_"
"""Before the name of a column: its typed value, beside the text that it was read from."""
_DIGITS_OF, _KIND_OF = "meta_ndc11_of_", "meta_kind_of_"


def tidy(name: str) -> Column:
    """Text without outer blanks (Unicode's too, such as the no-break space); null where nothing is left."""
    text, last = F.col(name), F.substring(name, -1, 1)
    is_tidy = text.between(FIRST_VISIBLE, LAST_VISIBLE) & last.between(FIRST_VISIBLE, LAST_VISIBLE)
    # looking at both ends costs a tenth of trimming by a set of characters, which hardly any value needs
    return F.when(is_tidy, text).otherwise(F.expr(f"nullif(trim(BOTH '{BLANKS}' FROM `{name}`), '')"))


def digits_of_codes(columns: Sequence[ColumnSpec]) -> list[Column]:
    """The NDCs that the columns need, under names of their own: worked out once, in a select between tidied and typed.

    To an engine each mention of an expression may be new work, and these are the longest ones.
    """
    return [ndc.ndc11(F.col(code)).alias(_DIGITS_OF + code) for code in _with_digits(columns)]


def kinds_of_codes(columns: Sequence[ColumnSpec]) -> list[Column]:
    """The code types that the columns need, in a select of their own behind that: a code with digits is an NDC."""
    kinds = [column.code_column for column in columns if column.code_column]
    kinds += [column.source or "" for column in columns if column.derived == "code_type"]
    return [_kind(code, code in _with_digits(columns)).alias(_KIND_OF + code) for code in dict.fromkeys(kinds)]


def _kind(code: str, has_digits: bool) -> Column:
    kind = ndc.code_type(F.col(code))
    return F.when(F.col(_DIGITS_OF + code).isNotNull(), "NDC").otherwise(kind) if has_digits else kind


def values_of(column: ColumnSpec, few: Mapping[str, Sequence[str]]) -> Sequence[str] | None:
    """All values that a silver column can have, where they are known: those of a bronze column, or a code's types.

    `few`: by bronze column without outer blanks, its values.
    """
    if column.derived == "code_type":
        return ndc.CODE_TYPES
    return few.get(column.name) if column.derived is None and column.type == "string" else None


def _with_digits(columns: Sequence[ColumnSpec]) -> list[str]:
    digits = [column.code_column or column.name for column in columns if column.type == "ndc11" and not column.derived]
    digits += [column.source or "" for column in columns if column.derived == "ndc11"]
    return list(dict.fromkeys(digits))


def date(text: Column, spec: DateSpec) -> Column:
    """A date from text of one pattern; null for 30 February, 00000000 and whatever doesn't fit the pattern."""
    compact_date = getattr(F, "compact_date", None) if spec.compact else None
    if compact_date is not None:
        read: Column = compact_date(text)
        return read
    if spec.compact:
        year, month, day = F.substring(text, 1, 4), F.substring(text, 5, 2), F.substring(text, 7, 2)
    else:
        year = F.regexp_extract(text, spec.regex, spec.year)
        month = F.regexp_extract(text, spec.regex, spec.month)
        day = F.lpad(F.regexp_extract(text, spec.regex, spec.day), 2, "0")
        month = _month_number(month) if spec.month_names else F.lpad(month, 2, "0")
    rebuilt = F.concat(year, F.lit("-"), month, F.lit("-"), day)
    # a comparison of the whole text, which begins with the year where that is cut by position
    in_calendar = text >= F.lit("0001") if spec.compact else year != "0000"
    readable = text.rlike(spec.regex) & in_calendar
    return _try_cast(F.when(readable, rebuilt), "date")


def _month_number(name: Column) -> Column:
    number = F.lit(None).cast("string")
    short = F.lower(F.substring(name, 1, 3))
    for index, month in enumerate(_MONTHS, start=1):
        number = F.when(short == month, F.lit(f"{index:02d}")).otherwise(number)
    return number


def _try_cast(value: Column, to: str) -> Column:
    # ANSI mode is off in every session, so that a plain cast gives null; Column.try_cast came with Spark 4 only.
    return value.cast(to)


def integer(text: Column) -> Column:
    """A 64-bit integer from digits with an optional sign."""
    return F.when(text.rlike(r"^[+-]?[0-9]{1,18}$"), text).cast("bigint")


def decimal(text: Column) -> Column:
    """decimal(28, 8) from digits with an optional sign and point; no exponents, no thousands separators."""
    return F.when(text.rlike(r"^[+-]?[0-9]{1,20}(\.[0-9]{1,8})?$"), text).cast("decimal(28,8)")


def boolean(text: Column) -> Column:
    """True for Y, YES, T, TRUE and 1, false for N, NO, F, FALSE and 0, in any case."""
    upper = F.upper(text)
    return F.when(upper.isin("Y", "YES", "T", "TRUE", "1"), F.lit(True)).when(
        upper.isin("N", "NO", "F", "FALSE", "0"), F.lit(False)
    )


def typed(column: ColumnSpec) -> Column:
    """The silver value of one column, from tidied text columns of the same names and what is known `of_codes`."""
    if column.derived is not None:
        return _derived(column)
    text = F.col(column.name)
    if column.date is not None:
        return date(text, column.date)
    if column.type == "ndc11":
        return _ndc11(text, column)
    readers = {"integer": integer, "decimal": decimal, "boolean": boolean}
    return readers[column.type](text) if column.type in readers else text


def unreadable(column: ColumnSpec) -> Column | None:
    """Why the value of this column can't be read as its type, as the name of a rule; null where it can.

    From the tidied texts, and what was read from them under `TYPED`. None for columns that are always readable.
    """
    if column.aligned_with:
        return F.when(~_aligned(column), F.lit("unequal_lists"))
    if column.derived is not None or column.type == "string":
        return None
    text = F.col(column.name)
    if column.type == "ndc11":
        return _ndc11_problem(text, column)
    return F.when(text.isNotNull() & F.col(TYPED + column.name).isNull(), F.lit(f"unreadable_{column.type}"))


def _derived(column: ColumnSpec) -> Column:
    text = F.col(column.source or "")
    if column.derived == "list":
        values = _values(column.source or "", column)
        return F.when(_aligned(column), values) if column.aligned_with else values
    at = F.instr(text, column.separator)
    if column.derived == "before":
        return F.when(at > 0, F.substring_index(text, column.separator, 1)).otherwise(text)
    if column.derived == "after":
        return F.when(at > 0, text.substr(at + F.lit(len(column.separator)), F.length(text)))
    if column.derived == "ndc9":
        return ndc.ndc9(text)
    return F.col((_DIGITS_OF if column.derived == "ndc11" else _KIND_OF) + (column.source or ""))


def _values(name: str, column: ColumnSpec) -> Column:
    """The values of a multi-valued text, without blanks around them; null for null."""
    separator = column.separator.strip() or column.separator
    needs_blank = not column.ends_with and not column.separator.endswith(separator)
    behind = _BLANK + ("+" if needs_blank else "*")
    pattern = re.escape(column.ends_with) + _BLANK + "*" + re.escape(separator) + behind
    marked = F.regexp_replace(F.col(name), pattern, _quoted_replacement(column.ends_with) + FIELD_SEPARATOR)
    # the cast changes nothing but Sail's mind: its split takes no result of its regexp_replace
    return F.split(marked.cast("string"), FIELD_SEPARATOR)


def _quoted_replacement(text: str) -> str:
    """A replacement without special meaning; `$` and backslash have one, and not the same on both engines."""
    if set(text) & {"$", "\\"}:
        raise EngineError(f"a list's values can't end with {text!r}", hint="leave out ends_with")
    return text


def _aligned(column: ColumnSpec) -> Column:
    """Do all lists of the group hold as many values? Null counts as none."""
    size = _count(column.source or "", column)
    same = F.lit(True)
    for other in column.aligned_with:
        same = same & (size == _count(other, column))
    return same


def _count(name: str, column: ColumnSpec) -> Column:
    return F.when(F.col(name).isNull(), F.lit(0)).otherwise(F.size(_values(name, column)))


def _ndc11(served: Column, column: ColumnSpec) -> Column:
    """Eleven digits from the code as served; where the code is no NDC, what the source gives stays as it is."""
    if column.code_column is None:
        return F.col(_DIGITS_OF + column.name)
    return F.coalesce(F.col(_DIGITS_OF + column.code_column), served)


def _ndc11_problem(served: Column, column: ColumnSpec) -> Column:
    """Both ways to the eleven digits must agree: the code's own, and those that the source gives."""
    if column.code_column is None:
        unreadable = served.isNotNull() & F.col(_DIGITS_OF + column.name).isNull()
        return F.when(unreadable, F.concat(F.lit("ndc_"), ndc.reason(served)))
    code = F.col(column.code_column)
    computed, kind = F.col(_DIGITS_OF + column.code_column), F.col(_KIND_OF + column.code_column)
    no_digits = ~F.coalesce(served, F.lit("")).rlike(r"^[0-9]{11}\z")
    unfounded = (kind == "unknown") & (no_digits | code.rlike(_GARBLED))
    return (
        F.when(computed.isNotNull(), F.when(served != computed, _disagreement(code, served, computed)))
        .when(code.isNotNull() & ((kind == "NDC") | unfounded), F.concat(F.lit("ndc_"), ndc.reason(code)))
        .when(code.rlike(r"^[0-9]{10}\z") & ~served.isin(*_readings(code)), F.lit("ndc11_mismatch"))
    )


def _disagreement(code: Column, served: Column, computed: Column) -> Column:
    """Other digits; or the code stands where the digits belong, and they in its place."""
    return F.when(F.coalesce(ndc.ndc11(served), F.lit("")) != computed, F.lit("ndc11_mismatch")).when(
        ~code.contains("-") & served.contains("-"), F.lit("ndc11_swapped")
    )


def _readings(code: Column) -> tuple[Column, Column, Column]:
    """What ten digits may mean: 4-4-2, 5-3-2 or 5-4-1."""
    rest = F.length(code)
    return (
        F.concat(F.lit("0"), code),
        F.concat(F.substring(code, 1, 5), F.lit("0"), code.substr(F.lit(6), rest)),
        F.concat(F.substring(code, 1, 9), F.lit("0"), code.substr(F.lit(10), rest)),
    )


def record_hash(names: list[str], decimals: frozenset[str] = frozenset()) -> Column:
    """MD5 over the business columns in order, as text, with a separator and a marker for null: 32 hexadecimal digits.

    It tells a changed row from an unchanged one, and vouches for nothing: files have their SHA-256 in the manifest, and
    duplicates are compared by value (decision 18). `decimals`: those of the columns that are decimal(28, 8).
    """
    texts = [decimal_text(F.col(name)) if name in decimals else F.col(name).cast("string") for name in names]
    parts = [part for text in texts for part in (F.lit(FIELD_SEPARATOR), F.coalesce(text, F.lit(NULL_MARKER)))]
    # the cast changes nothing but Sail's mind: its md5 is a string_view, which not every reader of Parquet takes
    return F.md5(F.concat(*parts[1:])).cast("string")


def decimal_text(value: Column) -> Column:
    """A decimal(28, 8) with all its places. A plain cast gives 0E-8 for zero on JVM Spark, 0.00000000 on Sail."""
    small = F.when(F.abs(value) < F.lit("0.000001").cast("decimal(28,8)"), F.abs(value))
    units = (small * F.lit(100_000_000)).cast("bigint").cast("string")
    sign = F.when(value < F.lit(0), "-").otherwise("")
    return F.when(small.isNotNull(), F.concat(sign, F.lit("0."), F.lpad(units, 8, "0"))).otherwise(value.cast("string"))
