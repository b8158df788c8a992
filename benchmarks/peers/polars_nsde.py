"""Polars, streaming: python -m benchmarks.peers.polars_nsde release.csv folder."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from benchmarks.peers.columns import DATES, PACKAGE_CODE, SILVER, WIDTHS


def main(source: str, folder: str) -> None:
    """Two lazy queries and one for the counts, each streamed from file to file."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    bronze, silver = target / "bronze.parquet", target / "silver.parquet"
    pl.scan_csv(source, infer_schema=False).sink_parquet(bronze, compression="zstd")
    tidy = [pl.col(served).str.strip_chars().replace("", None).alias(name) for served, name in SILVER.items()]
    typed = [_typed(name) for name in SILVER.values()]
    pl.scan_parquet(bronze).select(tidy).select(typed).unique().sink_parquet(silver, compression="zstd")
    counts = pl.scan_parquet(silver).select(pl.len().alias("rows"), pl.all().null_count())
    print(counts.collect(engine="streaming").rows())


def _typed(name: str) -> pl.Expr:
    if name in DATES:
        return pl.col(name).str.to_date("%Y%m%d", strict=False)
    if name == "ndc11":
        segments = pl.col("item_code").str.split("-")
        padded = [segments.list.get(n, null_on_oob=True).str.zfill(width) for n, width in enumerate(WIDTHS)]
        is_package = pl.col("item_code").str.contains(PACKAGE_CODE)
        return pl.when(is_package).then(pl.concat_str(padded)).otherwise(pl.col("ndc11")).alias("ndc11")
    return pl.col(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
