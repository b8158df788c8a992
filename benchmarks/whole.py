"""The whole `pharmaetl run`: against hand-written peers, as the source grows, and on the large datasets."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import DUCKDB, PLAIN, Contender, Release, ours, peers, release
from benchmarks.digest import COLUMNS
from benchmarks.rounds import SameRows, measure_into
from benchmarks.section import Section, Target

COUNTED = {"rxnorm": "rows of RXNSAT", "cder": "products"}
GB_BOUND = 3.0
LARGE, TYPICAL = 15_000_000, 300_000
RXNORM_FULL, RXNORM_SECONDS = 7_000_000, 240
EVERY_RUN = (
    "`pharmaetl run` is the whole of it (fetch, hash, unpack, bronze, silver, gate, audit, publish, lineage, records) "
    "from a zip; the peers read the unpacked CSV and do bronze and silver only. Medians of interleaved rounds; peak "
    "memory is the highest of all rounds, of the process tree. 'Same rows': silver's content digest, worked out in "
    "DuckDB, is that of the first contender."
)


@dataclass(frozen=True)
class Setting:
    """What all benchmarks share."""

    folder: Path
    """Keeps generated releases for the next time; needs some 10 GB at 15,000,000 rows."""
    repeat: int
    seed: int
    engines: Sequence[str]

    @property
    def scratch(self) -> Path:
        """What runs write, and what is removed in the end."""
        return scratch_in(self.folder)

    @property
    def out(self) -> Path:
        """The lake, or the folder of a peer's files."""
        return self.scratch / "out"


def scratch_in(folder: Path) -> Path:
    """This process's own, so that benchmarks at the same time don't meet there."""
    return folder / f"scratch-{os.getpid()}"


def against_peers(setting: Setting, sizes: Sequence[int], chosen: Sequence[str]) -> Section:
    """NSDE at some sizes, beside the peers; ratios against DuckDB."""
    shown = ", ".join(f"{rows:,}" for rows in sizes)
    section = Section(f"Whole run against peers: {shown} rows", notes=[EVERY_RUN], base=DUCKDB)
    for rows in sizes:
        source = release("nsde", rows, setting.seed, setting.folder)
        hand_written = peers(source, list(chosen), setting.out)
        _measure(
            section, setting, source, [*hand_written, *(ours(source, one, setting.out) for one in setting.engines)]
        )
        section.targets += _against_peers(section, rows)
    return section


def _against_peers(section: Section, rows: int) -> list[Target]:
    group, found = _group(rows), []
    own, plain, duckdb = (section.row(group, name) for name in ("pharmaetl run, duckdb", _PLAIN_ROW, DUCKDB))
    if own and duckdb and rows >= TYPICAL:
        bound = 1.3 if rows >= LARGE else 2
        found.append(Target(f"{group}: whole run against hand-written DuckDB", own.seconds / duckdb.seconds, bound))
    if own and plain:
        text = f"{group}: faster than pyspark's defaults"
        found.append(Target(text, plain.seconds / own.seconds, 4, at_least=True))
    return found


_PLAIN_ROW = f"pharmaetl run, {PLAIN}"


def growth(setting: Setting, base: int, factors: Sequence[int]) -> Section:
    """NSDE at multiples of a size: how time and memory grow."""
    sizes = [base * factor for factor in factors]
    section = Section(f"Growth: {base:,} rows, {', '.join(f'{factor}×' for factor in factors)}", notes=[EVERY_RUN])
    for rows in sizes:
        source = release("nsde", rows, setting.seed, setting.folder)
        _measure(section, setting, source, [ours(source, one, setting.out) for one in setting.engines])
    for name in dict.fromkeys(row.name for row in section.rows):
        section.targets += _growth(section, name, sizes)
    return section


def _growth(section: Section, name: str, sizes: Sequence[int]) -> list[Target]:
    """Time from the first size to the second, memory from the second to the last."""
    rows = [row for row in section.rows if row.name == name]
    if len(rows) < 2:
        return []
    first, second, last = rows[0], rows[1], rows[-1]
    times = sizes[1] / sizes[0]
    found = [Target(f"{name}: time at {sizes[1]:,} against {sizes[0]:,} rows", second.seconds / first.seconds, times)]
    if last is not second:
        text = f"{name}: peak memory at {sizes[-1]:,} against {sizes[1]:,} rows"
        found.append(Target(text, last.peak_gb / second.peak_gb, 1.5))
    found.append(Target(f"{name}: peak memory at {sizes[-1]:,} rows", last.peak_gb, GB_BOUND, "GB"))
    return found


def large(setting: Setting, dataset: str, rows: int) -> Section:
    """RxNorm or the directory at some size; rows are those of RXNSAT, or products."""
    section = Section(f"Whole run of {dataset}: {rows:,} {COUNTED[dataset]}", notes=[EVERY_RUN])
    source = release(dataset, rows, setting.seed, setting.folder)
    _measure(section, setting, source, [ours(source, one, setting.out) for one in setting.engines])
    if dataset == "rxnorm" and rows >= RXNORM_FULL:
        for row in section.rows:
            section.targets.append(Target(f"{row.name}: time", row.seconds, RXNORM_SECONDS, "s"))
            section.targets.append(Target(f"{row.name}: peak memory", row.peak_gb, GB_BOUND, "GB"))
    return section


def _group(rows: int) -> str:
    return f"{rows:,} rows"


def _measure(section: Section, setting: Setting, source: Release, contenders: Sequence[Contender]) -> None:
    """Every table of a dataset with several is compared by its record hashes."""
    columns = COLUMNS if source.dataset == "nsde" else ("record_hash",)
    same = SameRows(contenders, columns, setting.scratch / "reference")
    measure_into(section, _group(source.rows), contenders, same, setting.repeat)
    shutil.rmtree(setting.scratch, ignore_errors=True)
