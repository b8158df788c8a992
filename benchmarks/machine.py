"""Where and with what a benchmark ran: what a reader needs to judge its figures."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measure import ROOT

PACKAGES = ("duckdb", "polars", "pyarrow", "pysail", "pyspark")
BUSY_SHARE = 0.1
"""Of all processors' time just before: what others did. The load average still counts the benchmark before this one."""
_LOOK_SECONDS = 2
_WRITTEN = (":!benchmarks/RESULTS.md", ":!benchmarks/charts")
"""What benchmarks write themselves is no change of what is measured."""


def described() -> str:
    """Machine, versions, commit, date, and how busy it was, as a paragraph of Markdown."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores, share = os.cpu_count() or 1, _busy_share()
    parts = [
        datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        f"{_processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        ", ".join([f"Python {platform.python_version()}", _java(), *_packages()]),
        f"commit {_commit()}",
        f"processors {share:.0%} busy just before",
    ]
    busy = " **The machine was busy: these figures prove the harness, and nothing else.**" if share > BUSY_SHARE else ""
    return " · ".join(parts) + "." + busy


def _busy_share() -> float:
    """Which part of all processors' time was taken during a look of some seconds; 0 where the kernel doesn't tell."""
    before = _processor_times()
    time.sleep(_LOOK_SECONDS)
    passed = [after - at for after, at in zip(_processor_times(), before, strict=True)]
    return 1 - sum(passed[3:5]) / sum(passed) if sum(passed) else 0.0


def _processor_times() -> list[int]:
    """User, nice, system, idle, waiting, … of all processors (proc(5), /proc/stat)."""
    return [int(number) for line in _lines("/proc/stat")[:1] for number in line.split()[1:9]]


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
    return f"{commit} with changes" if _said(["git", "status", "--porcelain", "--", ".", *_WRITTEN]).strip() else commit


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""
