"""Run the benchmarks: `python -m benchmarks [ROWS …] [--repeat N] [--spark]`; writes a table to standard output.

Interleaved: each round runs every contender once, and the medians of the rounds are shown. The whole `pharmaetl run`
(fetch, hash, unpack, bronze, silver, gate, audit, publish) stands beside peers that do bronze and silver only.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks.generate import generate
from benchmarks.measure import Measured, measure


def contenders(folder: Path, spark: bool) -> dict[str, list[str]]:
    """Name to command; every one reads the same rows."""
    archive, text, out = str(folder / "nsde.zip"), str(folder / "nsde.csv"), str(folder / "out")
    run = [sys.executable, "-m", "pharmaetl", "run", "nsde", "--source", archive, "--lake", out, "-q"]
    found = {"DuckDB, bronze and silver": [sys.executable, "-m", "benchmarks.duckdb_nsde", text, out]}
    found["pharmaetl run, sail"] = [*run, "--engine", "sail"]
    if spark:
        found["pharmaetl run, spark"] = [*run, "--engine", "spark"]
    return found


def compare(rows: int, repeat: int, spark: bool) -> dict[str, list[Measured]]:
    """Several rounds over one generated release."""
    with tempfile.TemporaryDirectory(prefix="pharmaetl-bench-") as name:
        folder = Path(name)
        generate("nsde", rows, folder / "nsde.zip")
        with zipfile.ZipFile(folder / "nsde.zip") as archive:
            archive.extractall(folder)
            (folder / archive.namelist()[0]).rename(folder / "nsde.csv")
        found: dict[str, list[Measured]] = {}
        for _ in range(repeat):
            for contender, command in contenders(folder, spark).items():
                shutil.rmtree(folder / "out", ignore_errors=True)
                found.setdefault(contender, []).append(measure(command))
        return found


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("rows", nargs="*", type=int, default=[25_000, 300_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--spark", action="store_true", help="JVM Spark too")
    asked = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, medians of {asked.repeat}, interleaved\n")
    print("| rows | | seconds | against DuckDB | peak memory |\n|---|---|---|---|---|")
    for rows in asked.rows:
        found = compare(rows, asked.repeat, asked.spark)
        base = statistics.median(run.seconds for run in next(iter(found.values())))
        for name, runs in found.items():
            seconds = statistics.median(run.seconds for run in runs)
            peak = max(run.peak_bytes for run in runs) / 1e9
            print(f"| {rows:,} | {name} | {seconds:.1f} | {seconds / base:.1f}× | {peak:.2f} GB |", flush=True)


if __name__ == "__main__":
    main()
