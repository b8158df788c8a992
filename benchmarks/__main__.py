"""Run benchmarks: python -m benchmarks [run|run-large|growth|rxnorm|cder|fetch|unpack|startup|all]; see --help.

Prints a section of Markdown for each; --write puts it into benchmarks/RESULTS.md, in place of the one of the same
title, and its charts into benchmarks/charts. Ends with 1 where a contender's rows are not the others'.
"""

from __future__ import annotations

import argparse
import compileall
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import chart, fetching, machine, startup, whole
from benchmarks.contenders import DUCKDB, ENGINES, PEERS, POLARS
from benchmarks.section import Row, Section, markdown, replaced
from benchmarks.whole import Setting

RESULTS = Path(__file__).parent / "RESULTS.md"
CHARTS = RESULTS.parent / "charts"


def main() -> int:
    """Measure, print, and write where that is asked for."""
    parser = _parser()
    asked = parser.parse_args()
    if asked.rows and asked.subject == "all":
        parser.error("sizes go with one subject")
    # as pip leaves it; without, every start compiles what an environment without bytecode never keeps
    compileall.compile_dir(RESULTS.parents[1] / "pharmaetl", quiet=1)
    with tempfile.TemporaryDirectory(prefix="pharmaetl-bench-") as temporary:
        folder = (asked.folder or Path(temporary)).absolute()
        try:
            return _measure(asked, folder)
        finally:
            shutil.rmtree(whole.scratch_in(folder), ignore_errors=True)


def _measure(asked: argparse.Namespace, folder: Path) -> int:
    wrong = False
    for section, header in _sections(asked, folder):
        charts = _charts(section) if asked.write else {}
        text = markdown(section, header, list(charts))
        print(f"\n{text}", flush=True)
        if asked.write:
            _write(text, charts)
        wrong = wrong or bool(section.wrong)
    return 1 if wrong else 0


def _sections(asked: argparse.Namespace, folder: Path) -> Iterator[tuple[Section, str]]:
    """Each section as it is done, with what the machine was at its start."""
    for subject in _ALL if asked.subject == "all" else [asked.subject]:
        header = machine.described()
        yield SUBJECTS[subject](asked, folder), header


def _setting(asked: argparse.Namespace, folder: Path, repeat: int, engines: tuple[str, ...]) -> Setting:
    return Setting(folder, asked.repeat or repeat, asked.seed, asked.engines or engines)


def _run(asked: argparse.Namespace, folder: Path) -> Section:
    setting = _setting(asked, folder, 3, ENGINES)
    return whole.against_peers(setting, asked.rows or [whole.TYPICAL], asked.peers)


def _run_large(asked: argparse.Namespace, folder: Path) -> Section:
    setting = _setting(asked, folder, 3, ("duckdb", "sail"))
    return whole.against_peers(setting, asked.rows or [3_000_000, whole.LARGE], [DUCKDB, POLARS])


def _growth(asked: argparse.Namespace, folder: Path) -> Section:
    setting = _setting(asked, folder, 1, ("duckdb", "sail", "spark"))
    return whole.growth(setting, _size(asked, whole.TYPICAL), asked.factors)


def _rxnorm(asked: argparse.Namespace, folder: Path) -> Section:
    return whole.large(_setting(asked, folder, 1, ("sail",)), "rxnorm", _size(asked, whole.RXNORM_FULL))


def _cder(asked: argparse.Namespace, folder: Path) -> Section:
    return whole.large(_setting(asked, folder, 3, ("sail", "spark")), "cder", _size(asked, 130_000))


def _fetch(asked: argparse.Namespace, folder: Path) -> Section:
    return fetching.fetch(_setting(asked, folder, 5, ()), asked.bytes)


def _unpack(asked: argparse.Namespace, folder: Path) -> Section:
    return fetching.unpack(_setting(asked, folder, 5, ()), _size(asked, 3_000_000))


def _startup(asked: argparse.Namespace, folder: Path) -> Section:
    return startup.startup(_setting(asked, folder, 15, ()))


def _size(asked: argparse.Namespace, otherwise: int) -> int:
    return int(asked.rows[0]) if asked.rows else otherwise


SUBJECTS: dict[str, Callable[[argparse.Namespace, Path], Section]] = {
    "run": _run,
    "run-large": _run_large,
    "growth": _growth,
    "rxnorm": _rxnorm,
    "cder": _cder,
    "fetch": _fetch,
    "unpack": _unpack,
    "startup": _startup,
}
_ALL = ("startup", "fetch", "unpack", "run", "run-large", "cder", "rxnorm", "growth")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("subject", nargs="?", default="all", choices=[*SUBJECTS, "all"], help="what to measure")
    parser.add_argument("rows", nargs="*", type=int, help="sizes of the generated releases; run takes several")
    parser.add_argument("--repeat", type=int, help="rounds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, help="plain: JVM Spark with pyspark's defaults")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS), help="for run; DuckDB first")
    parser.add_argument("--factors", nargs="+", type=int, default=[1, 10, 50], help="for growth")
    parser.add_argument("--bytes", type=int, default=1_000_000_000, help="for fetch")
    parser.add_argument("--folder", type=Path, help="keeps generated releases for the next time")
    parser.add_argument("--write", action="store_true", help="update RESULTS.md and its charts")
    return parser


def _charts(section: Section) -> dict[str, str]:
    """File name to SVG: seconds and memory."""
    slug = re.sub(r"[^a-z0-9]+", "-", section.title.replace("×", "x").replace(",", "").lower()).strip("-")
    return {
        f"{slug}-seconds.svg": _chart(section, f"{section.title}: median seconds", "s", lambda row: row.seconds),
        f"{slug}-memory.svg": _chart(section, f"{section.title}: peak memory", "GB", lambda row: row.peak_gb),
    }


def _chart(section: Section, title: str, unit: str, value: Callable[[Row], float]) -> str:
    groups = dict.fromkeys(row.group for row in section.rows)
    panels = [(group, [(row.name, value(row)) for row in section.rows if row.group == group]) for group in groups]
    return chart.bars(title, unit, panels)


def _write(text: str, charts: dict[str, str]) -> None:
    CHARTS.mkdir(exist_ok=True)
    for name, drawing in charts.items():
        (CHARTS / name).write_text(drawing, encoding="utf-8")
    RESULTS.write_text(replaced(RESULTS.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{failed}\n{failed.stderr or ''}")
