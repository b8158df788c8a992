"""What the transforms use of `pyspark.sql.functions`, with the meaning it has there."""

from __future__ import annotations

import re
from typing import Any

from pharmaetl.engine.duck.column import Column, column_of, literal, quoted, sqls

_BACKTICKS = re.compile(r"`([^`]*)`")


def col(name: str) -> Column:
    """The column of this name."""
    return column_of(name)


def lit(value: Any) -> Column:
    """A constant."""
    return Column(literal(value), is_filled=value is not None)


def expr(sql: str) -> Column:
    """SQL that Spark and DuckDB read alike, but for the quotes around names."""
    return Column(f"({_BACKTICKS.sub(lambda found: quoted(found[1]), sql)})")


def when(condition: Column, value: Any) -> Column:
    """The first case of a `CASE`."""
    return Column(f"CASE WHEN {condition.sql} THEN {literal(value)} END")


def coalesce(*values: Column | str) -> Column:
    """The first one that is filled."""
    return Column(f"coalesce({sqls(values)})", is_filled=column_of(values[-1]).is_filled)


def concat(*values: Column | str) -> Column:
    """Side by side; null where one is. DuckDB's `concat` takes null for an empty text, and half the time of `||`."""
    columns = [column_of(value) for value in values]
    if all(column.is_filled for column in columns):
        return Column(f"concat({sqls(columns)})", is_filled=True)
    return Column("(" + " || ".join(column.sql for column in columns) + ")")


def concat_ws(separator: str, *values: Column | str) -> Column:
    """Those that are filled, with something between them."""
    return Column(f"concat_ws({literal(separator)}, {sqls(values)})")


def substring(text: Column | str, start: int, length: int) -> Column:
    """Characters from `start`, counted from 1, or from the end by negative numbers."""
    return Column(f"substring({column_of(text).sql}, {start}, {length})")


def substring_index(text: Column | str, separator: str, count: int) -> Column:
    """What stands before the count-th separator, or behind the one that is -count-th from the end."""
    sql, between = column_of(text).sql, literal(separator)
    if count in (1, -1):
        return Column(f"split_part({sql}, {between}, {count})")
    part = f"1:{count}" if count > 0 else f"{count}:"
    return Column(f"array_to_string(string_split({sql}, {between})[{part}], {between})")


def length(text: Column | str) -> Column:
    """How many characters."""
    return Column(f"length({column_of(text).sql})")


def lpad(text: Column | str, width: int, pad: str) -> Column:
    """Filled up from the left, or cut, to a width."""
    return Column(f"lpad({column_of(text).sql}, {width}, {literal(pad)})")


def upper(text: Column | str) -> Column:
    """In capitals."""
    return Column(f"upper({column_of(text).sql})")


def lower(text: Column | str) -> Column:
    """In small letters."""
    return Column(f"lower({column_of(text).sql})")


def instr(text: Column | str, part: str) -> Column:
    """Where a part begins, counted from 1; 0 where it isn't in there."""
    return Column(f"instr({column_of(text).sql}, {literal(part)})")


def translate(text: Column | str, old: str, new: str) -> Column:
    """Some characters by others."""
    return Column(f"translate({column_of(text).sql}, {literal(old)}, {literal(new)})")


def regexp_replace(text: Column | str, pattern: str, replacement: str) -> Column:
    """Every match by a text, in which $1 is the first group."""
    by = re.sub(r"\$([0-9])", r"\\\1", replacement)
    return Column(f"regexp_replace({column_of(text).sql}, {literal(pattern)}, {literal(by)}, 'g')")


def regexp_extract(text: Column | str, pattern: str, group: int) -> Column:
    """A group of the first match; an empty text where there is none."""
    return Column(f"regexp_extract({column_of(text).sql}, {literal(pattern)}, {group})")


def split(text: Column | str, separator: str) -> Column:
    """The parts between separators. Spark takes a pattern: here it must be a character that means itself."""
    if len(separator) != 1 or re.escape(separator) != separator:
        raise ValueError(f"{separator!r} is no plain character")
    return Column(f"string_split({column_of(text).sql}, {literal(separator)})")


def size(array: Column | str) -> Column:
    """How many elements; -1 for null, as in Spark."""
    return Column(f"coalesce(len({column_of(array).sql}), -1)")


def explode(array: Column | str) -> Column:
    """A row for each element."""
    return Column(f"unnest({column_of(array).sql})")


def struct(*names: str) -> Column:
    """Columns as fields of one."""
    fields = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in names)
    return Column(f"struct_pack({fields})")


def compact_date(text: Column | str) -> Column:
    """A date from year, month and day in eight digits; null for anything else.

    PySpark has none of this name: it is half the work of rebuilding the text and casting that.
    """
    sql = column_of(text).sql
    read = f"CAST(try_strptime({sql}, '%Y%m%d') AS DATE)"
    # strptime passes over a blank at the end, and knows a year 0 and `infinity`
    is_possible = f"strlen({sql}) = 8 AND {sql} BETWEEN '0001' AND '9999~' AND NOT suffix({sql}, ' ')"
    return Column(f"CASE WHEN {is_possible} THEN {read} END")


def md5(text: Column | str) -> Column:
    """MD5 of the UTF-8 text, in hexadecimal digits."""
    return Column(f"md5({column_of(text).sql})")


def xxhash64(*values: Column | str) -> Column:
    """A hash of 64 bits; not the one that Spark works out, so none to be kept."""
    return Column(f"hash({sqls(values)})")


def hexadecimal(digits: Column | str) -> Column:
    """Up to 15 hexadecimal digits as a number, whose sum doesn't overflow. Spark has no function of this name."""
    return Column(f"CAST('0x' || {column_of(digits).sql} AS BIGINT)")


def abs(value: Column | str) -> Column:
    """Without its sign."""
    return Column(f"abs({column_of(value).sql})")


def count(value: Column | str) -> Column:
    """How many are filled; rows, of `*`."""
    return Column("count(*)" if isinstance(value, str) and value == "*" else f"count({column_of(value).sql})")


def sum(value: Column | str) -> Column:
    """The sum of those that are filled."""
    return Column(f"sum({column_of(value).sql})")


def min(value: Column | str) -> Column:
    """The lowest one."""
    return Column(f"min({column_of(value).sql})")


def max(value: Column | str) -> Column:
    """The highest one."""
    return Column(f"max({column_of(value).sql})")


def row_number() -> Column:
    """The number of a row in its window."""
    return Column("row_number()")


def broadcast(frame: Any) -> Any:
    """The frame itself: DuckDB knows which side of a join is small."""
    return frame
