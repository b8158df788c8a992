"""Who is measured: the peers, and `pharmaetl run` on its engines."""

from __future__ import annotations

import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import generate

PEERS = {"DuckDB": "duckdb_nsde", "Polars": "polars_nsde", "PyArrow": "pyarrow_nsde"}
ENGINES = ("duckdb", "sail", "spark", "plain")
"""`plain`: JVM Spark with pyspark's own settings."""
DUCKDB, POLARS = "DuckDB", "Polars"
PLAIN = "spark, pyspark's defaults"


@dataclass(frozen=True)
class Contender:
    """A command that turns a release into silver below `out`."""

    name: str
    command: tuple[str, ...]
    out: Path
    """All that it writes is below this folder, which is removed between runs."""
    silver: Path
    """A Parquet file, or the folder that holds them."""


@dataclass(frozen=True)
class Release:
    """A generated release: the zip as served, and its text as the peers read it."""

    dataset: str
    rows: int
    archive: Path
    text: Path | None = None


def release(dataset: str, rows: int, seed: int, folder: Path) -> Release:
    """Generate a release, unless the folder has it; NSDE is unpacked for the peers."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{dataset}-{rows}-{seed}.zip"
    if not archive.exists():
        unfinished = archive.with_suffix(".part")
        generate(dataset, rows, unfinished, seed)
        unfinished.rename(archive)
    return Release(dataset, rows, archive, _unpacked(archive) if dataset == "nsde" else None)


def _unpacked(archive: Path) -> Path:
    text = archive.with_suffix(".csv")
    if not text.exists():
        unfinished = text.with_suffix(".part")
        with zipfile.ZipFile(archive) as opened, unfinished.open("wb") as target:
            shutil.copyfileobj(opened.open(opened.namelist()[0]), target, 1 << 20)
        unfinished.rename(text)
    return text


def ours(source: Release, engine: str, out: Path) -> Contender:
    """The whole `pharmaetl run`: fetch, hash, unpack, bronze, silver, gate, audit, publish, records."""
    module = "benchmarks.plain_spark" if engine == "plain" else "pharmaetl"
    run = (sys.executable, "-m", module, "run", source.dataset, "--source", str(source.archive), "--lake", str(out))
    asked = "spark" if engine == "plain" else engine
    shown = PLAIN if engine == "plain" else engine
    return Contender(f"pharmaetl run, {shown}", (*run, "-q", "--engine", asked), out, out / "silver" / source.dataset)


def peers(source: Release, names: list[str], out: Path) -> list[Contender]:
    """The hand-written scripts, bronze and silver only."""
    return [
        Contender(
            f"{name}, bronze and silver",
            (sys.executable, "-m", f"benchmarks.peers.{PEERS[name]}", str(source.text), str(out)),
            out,
            out / "silver.parquet",
        )
        for name in names
    ]
