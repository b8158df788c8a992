"""DuckDB: python -m benchmarks.peers.duckdb_nsde release.csv folder."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from benchmarks.peers.columns import DATES, PACKAGE_CODE, SILVER, WIDTHS


def main(source: str, folder: str) -> None:
    """Two queries and one for the counts, each streamed from file to file."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    bronze, silver = target / "bronze.parquet", target / "silver.parquet"
    db = duckdb.connect()
    options = "(FORMAT parquet, COMPRESSION zstd)"
    db.execute(f"COPY (FROM read_csv('{source}', header = true, all_varchar = true)) TO '{bronze}' {options}")
    text = ", ".join(f"nullif(trim(\"{served}\"), '') AS {name}" for served, name in SILVER.items())
    typed = ", ".join(f"{_typed(name)} AS {name}" for name in SILVER.values())
    db.execute(f"COPY (SELECT DISTINCT {typed} FROM (SELECT {text} FROM '{bronze}')) TO '{silver}' {options}")
    nulls = ", ".join(f"count(*) - count({name})" for name in SILVER.values())
    print(db.execute(f"SELECT count(*), {nulls} FROM '{silver}'").fetchall())


def _typed(name: str) -> str:
    if name in DATES:
        return f"try_strptime({name}, '%Y%m%d')::DATE"
    if name == "ndc11":
        segments = (f"lpad(split_part(item_code, '-', {n}), {width}, '0')" for n, width in enumerate(WIDTHS, start=1))
        return f"CASE WHEN regexp_matches(item_code, '{PACKAGE_CODE}') THEN {' || '.join(segments)} ELSE ndc11 END"
    return name


if __name__ == "__main__":
    main(*sys.argv[1:])
