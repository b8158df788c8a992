"""A peer: the script that a user would write with DuckDB, bronze and silver only.

python -m benchmarks.duckdb_nsde release.csv folder
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def main(source: str, folder: str) -> None:
    """CSV → bronze Parquet (text) → silver Parquet (trimmed, dates, distinct) → null counts."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    bronze, silver = target / "bronze.parquet", target / "silver.parquet"
    db = duckdb.connect()
    db.execute("SET threads = 2")
    options = "(FORMAT parquet, COMPRESSION zstd)"
    db.execute(f"COPY (FROM read_csv('{source}', header = true, all_varchar = true)) TO '{bronze}' {options}")
    names = [row[0] for row in db.execute(f"DESCRIBE FROM '{bronze}'").fetchall()]
    text = [f"nullif(trim(\"{name}\"), '')" for name in names]
    typed = [
        f"try_strptime({value}, '%Y%m%d')::DATE AS \"{name}\"" if name.endswith("Date") else f'{value} AS "{name}"'
        for name, value in zip(names, text, strict=True)
    ]
    db.execute(f"COPY (SELECT DISTINCT {', '.join(typed)} FROM '{bronze}') TO '{silver}' {options}")
    counts = ", ".join(f'count("{name}")' for name in names)
    sys.stdout.write(f"{db.execute(f'SELECT count(*), {counts} FROM {silver.as_posix()!r}').fetchall()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
