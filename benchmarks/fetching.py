"""Fetch against curl and sha256sum from a loopback server; unpacking and decoding in megabytes of text a second."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.contenders import release
from benchmarks.measure import ROOT, Measured
from benchmarks.parts import SECONDS
from benchmarks.rounds import interleaved
from benchmarks.section import Row, Section, Target
from benchmarks.whole import Setting

CURL = "curl -o, then sha256sum"
OURS = "pharmaetl fetch, whole process"
WITHIN = "pharmaetl fetch, without Python's start and imports"
BLOCK = 1 << 24
SMALLER = 5
"""Unpacking is measured on this much less, too: its memory must not grow with the text."""


def fetch(setting: Setting, size: int) -> Section:
    """So many random bytes from a server on this machine."""
    section = Section(f"Fetch: {size / 1e9:g} GB from a loopback server", base="curl")
    section.notes.append("Both store the file and work out its SHA-256; the server is a third process, not measured.")
    target = setting.scratch / "fetched"
    with served(_random_file(setting.folder / f"random-{size}", size, setting.seed)) as url:
        curl = f"mkdir -p '{target}' && curl -sS -o '{target}/file' {url} && sha256sum '{target}/file'"
        commands = {CURL: ("sh", "-c", curl), OURS: _part("fetch", url, target)}
        runs, within = _timed_inside(commands, OURS, target, setting.repeat)
    section.rows = [Row(f"{size:,} bytes", name, found) for name, found in [*runs.items(), (WITHIN, within)]]
    reference = section.rows[0].seconds
    section.targets = [Target(f"{row.name}, against curl", row.seconds / reference, 1.05) for row in section.rows[1:]]
    return section


def unpack(setting: Setting, rows: int) -> Section:
    """NSDE (UTF-8) at two sizes and the directory (Windows-1252) as zips, to UTF-8 text."""
    section = Section(f"Unpack and decode: {rows:,} rows", notes=["Seconds without Python's start and imports."])
    for dataset, size in (("nsde", rows // SMALLER), ("nsde", rows), ("cder", rows // SMALLER)):
        source, target = release(dataset, size, setting.seed, setting.folder), setting.scratch / "unpacked"
        name = f"pharmaetl unpack, {dataset}"
        commands = {name: _part("unpack", str(source.archive), target)}
        text_bytes: list[int] = []
        _, within = _timed_inside(commands, name, target, setting.repeat, text_bytes)
        row = Row(f"{size:,} rows, {text_bytes[0] / 1e6:.0f} MB of text", name, within)
        section.rows.append(row)
        text = f"{dataset}, {size:,} rows: unpack and decode"
        section.targets.append(Target(text, text_bytes[0] / 1e6 / row.seconds, 150, "MB/s", at_least=True))
    small, large = section.rows[0], section.rows[1]
    text = f"peak memory at {rows:,} against {rows // SMALLER:,} rows"
    section.targets.append(Target(text, large.peak_gb / small.peak_gb, 1.1))
    return section


def _part(part: str, source: str, target: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", "benchmarks.parts", part, source, str(target))


def _timed_inside(
    commands: dict[str, tuple[str, ...]], ours: str, target: Path, repeat: int, text_bytes: list[int] | None = None
) -> tuple[dict[str, tuple[Measured, ...]], tuple[Measured, ...]]:
    """Runs by name, and those of ours once more with the seconds that the process itself noted."""
    within: list[Measured] = []

    def after(name: str, measured: Measured) -> Measured:
        if name == ours:
            within.append(replace(measured, seconds=float((target / SECONDS).read_text())))
            if text_bytes is not None:
                text_bytes.append(sum(file.stat().st_size for file in target.glob("*.txt")))
        return measured

    runs = interleaved(commands, repeat, lambda: shutil.rmtree(target, ignore_errors=True), after)
    shutil.rmtree(target, ignore_errors=True)
    return runs, tuple(within)


def _random_file(path: Path, size: int, seed: int) -> Path:
    """Bytes that no site would compress, the same for the same seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    with path.open("wb") as file:
        for begin in range(0, size, BLOCK):
            file.write(chance.randbytes(min(BLOCK, size - begin)))
    return path


@contextmanager
def served(file: Path) -> Iterator[str]:
    """The URL of a file, while a server of its own runs."""
    command = [sys.executable, "-m", "benchmarks.loopback", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().strip() if server.stdout else ""
        yield f"http://127.0.0.1:{port}/file.bin"
        if server.stdin:
            server.stdin.close()
