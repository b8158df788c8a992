"""Do two sets of Parquet files hold the same rows? Worked out in DuckDB, outside of all contenders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

COLUMNS = (
    "item_code",
    "ndc11",
    "proprietary_name",
    "dosage_form",
    "marketing_category",
    "application_number",
    "product_type",
    "marketing_start_date",
    "marketing_end_date",
    "billing_unit",
    "inactivation_date",
    "reactivation_date",
)
"""What every contender's silver NSDE has; ours has more."""


MOST_SHOWN = 1000


@dataclass(frozen=True)
class Digest:
    """A table's content whatever the order of its rows: equal for equal multisets of rows."""

    rows: int
    types: tuple[str, ...]
    low: int
    high: int
    """Sums of the two halves of each row's MD5."""


def files_in(place: Path) -> list[str]:
    """A Parquet file, or all below a folder; FileNotFoundError where there is none."""
    found = sorted(place.rglob("*.parquet")) if place.is_dir() else [place]
    if not found or not all(file.is_file() for file in found):
        raise FileNotFoundError(f"{place}: no Parquet files")
    return [str(file) for file in found]


def digest(place: Path, columns: Sequence[str] = COLUMNS) -> Digest:
    """The digest over these columns; duckdb.BinderException where one is missing."""
    files, names = files_in(place), ", ".join(columns)
    text = ", ".join(f"coalesce({name}::VARCHAR, chr(30)), chr(31)" for name in columns)
    query = f"""
        SELECT count(*), coalesce(sum(md5_number_lower(line)), 0), coalesce(sum(md5_number_upper(line)), 0)
        FROM (SELECT concat({text}) AS line FROM read_parquet(?))"""
    with duckdb.connect() as db:
        types = db.execute(f"DESCRIBE SELECT {names} FROM read_parquet(?)", [files]).fetchall()
        [(rows, low, high)] = db.execute(query, [files]).fetchall()
    return Digest(rows, tuple(kind[1] for kind in types), int(low), int(high))


def difference(one: Path, other: Path, columns: Sequence[str] = COLUMNS) -> str:
    """What tells two tables apart, in a few words with an example; empty where they hold the same rows."""
    first, second = digest(one, columns), digest(other, columns)
    if first == second:
        return ""
    if first.types != second.types:
        return f"types {second.types} instead of {first.types}"
    missing, added = _only_in(one, other, columns), _only_in(other, one, columns)
    example = (missing or added)[0]
    return (
        f"{second.rows:,} rows instead of {first.rows:,}: {_count(missing)} missing, {_count(added)} too many, "
        f"such as {example}"
    )


def _only_in(one: Path, other: Path, columns: Sequence[str]) -> list[tuple[object, ...]]:
    names = ", ".join(columns)
    query = f"SELECT {names} FROM read_parquet(?) EXCEPT ALL SELECT {names} FROM read_parquet(?) LIMIT {MOST_SHOWN}"
    with duckdb.connect() as db:
        return db.execute(query, [files_in(one), files_in(other)]).fetchall()


def _count(rows: list[tuple[object, ...]]) -> str:
    return f"{len(rows)} or more" if len(rows) == MOST_SHOWN else str(len(rows))
