"""Commands in forked children of warm processes, and the lakes that they are struck in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from faults.crash import toys

TESTS, ROOT = Path(__file__).parents[2], Path(__file__).parents[3]


@dataclass(frozen=True)
class Answer:
    """How a command ended; a negative code is minus the signal that killed it."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> tuple[int, int, bool]:
        """Lines with an error, lines with a hint, and whether there is a traceback."""
        lines = self.stderr.splitlines()
        errors, hints = (sum(line.startswith(word) for line in lines) for word in ("error:", "hint:"))
        return errors, hints, "Traceback" in self.stderr


class Warm:
    """So many processes that fork a child for each command; a thread that asks takes a free one."""

    def __init__(self, count: int, folder: Path) -> None:
        self._folder = folder
        self._started = [self._start() for _ in range(count)]
        self._free: Queue[subprocess.Popen[str]] = Queue()
        for process in self._started:
            self._free.put(process)

    def _start(self) -> subprocess.Popen[str]:
        quiet = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system", toys.KEY_VARIABLE: toys.CANARY}
        env = {**os.environ, **quiet, "PYTHONPATH": f"{TESTS}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-m", "faults.crash.warm"]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd=self._folder
        )

    def ask(self, out: Path, words: Sequence[str], fault: dict[str, Any] | None = None) -> Answer:
        """Run one command; what it printed is kept beside `out`."""
        process = self._free.get()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"words": words, "out": str(out), "fault": fault}) + "\n")
            process.stdin.flush()
            code = json.loads(process.stdout.readline())["code"]
        finally:
            self._free.put(process)
        stdout, stderr = (Path(f"{out}.{stream}").read_text(encoding="utf-8") for stream in ("stdout", "stderr"))
        return Answer(code, stdout, stderr)

    def close(self) -> None:
        """End the processes: their standard input closes."""
        for process in self._started:
            process.communicate()


@contextmanager
def warm(count: int, folder: Path) -> Iterator[Warm]:
    """Warm processes while the context lasts."""
    processes = Warm(count, folder)
    try:
        yield processes
    finally:
        processes.close()


@dataclass(frozen=True)
class Ground:
    """A lake with two published versions, the releases behind them and a third one, and what that gives."""

    warm: Warm
    folder: Path
    catalog: Path
    releases: tuple[Path, Path, Path]
    lake: Path
    first_run: str
    undisturbed: dict[str, str]
    """Digests of the third release, published without a fault."""

    def case(self, name: str, lake: Path | None = None) -> Case:
        """A copy of the lake, or of another one, for one test."""
        folder = self.folder / name
        folder.mkdir()
        shutil.copytree(lake or self.lake, folder / "lake")
        return Case(self, folder)


@dataclass(frozen=True)
class Case:
    """One test's own copy of the lake."""

    ground: Ground
    folder: Path

    @property
    def lake(self) -> Path:
        """The copy."""
        return self.folder / "lake"

    def ask(self, *words: str, fault: dict[str, Any] | None = None, out: str = "said") -> Answer:
        """Run a command on the copy."""
        options = ["--lake", str(self.lake), "--datasets", str(self.ground.catalog)]
        return self.ground.warm.ask(self.folder / out, [*words, *options], fault)

    @property
    def mark(self) -> Path:
        """Written by the fault when it is reached."""
        return self.folder / "mark"
