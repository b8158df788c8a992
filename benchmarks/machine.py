"""Where and with what a benchmark ran: what a reader needs to judge its figures."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measure import ROOT

PACKAGES = ("duckdb", "polars", "pyarrow", "pysail", "pyspark")
BUSY_LOAD_PER_CORE = 0.5


def described() -> str:
    """Machine, versions, commit, date and load, as a paragraph of Markdown."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    parts = [
        datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        f"{_processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        ", ".join([f"Python {platform.python_version()}", _java(), *_packages()]),
        f"commit {_commit()}",
        f"load average at the start {load:.1f}",
    ]
    busy = (
        " **The machine was busy: these figures prove the harness, and nothing else.**"
        if load > BUSY_LOAD_PER_CORE * cores
        else ""
    )
    return " · ".join(parts) + "." + busy


def _packages() -> list[str]:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else Path("java")
    quoted = _said([str(java), "-version"]).split('"')
    return f"Java {quoted[1]}" if len(quoted) > 1 else "Java unknown"


def _commit() -> str:
    commit = _said(["git", "rev-parse", "--short", "HEAD"]).strip() or "unknown"
    return f"{commit} with changes" if _said(["git", "status", "--porcelain"]).strip() else commit


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""
