"""Seconds, CPU seconds and peak memory of a command and of everything it starts (Linux).

Each command runs under a small process of its own, which adopts whatever the command leaves behind (a JVM, a server)
and waits for it: the kernel's account of CPU time then holds all of them, the killed ones too. Memory is the highest
sum of resident sizes at one moment; pages that two processes share count twice.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SAMPLE_SECONDS = 0.02
LOOKS_PER_SEARCH = 5
"""The tree is searched for new processes every fifth time only: a JVM's threads make that dear."""
LEFTOVER_SECONDS = 120
"""A JVM may write its class archive after the run is over."""
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Measured:
    """One run of a command."""

    seconds: float
    """From the start of the command to its end; what it leaves running is not waited for."""
    cpu_seconds: float
    """User and system time of the whole process tree."""
    peak_bytes: int
    """Of the whole process tree at one moment."""
    killed: int = 0
    """Processes that it left behind and that had to be killed."""


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Run a command in the repository's folder to its end; CalledProcessError, with its last words, where it fails."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("PHARMAETL_")}
    with tempfile.TemporaryFile("w+") as words:
        supervisor = subprocess.run(
            [sys.executable, "-m", "benchmarks.measure", *command],
            cwd=ROOT,
            env={**known, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            check=False,
        )
        words.seek(0)
        if supervisor.returncode:
            raise subprocess.CalledProcessError(supervisor.returncode, list(command), stderr=words.read()[-2000:])
    return Measured(**json.loads(supervisor.stdout))


def supervise(command: Sequence[str]) -> tuple[int, Measured]:
    """Exit code and figures of a command; this process must have no other children."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    done, peak = threading.Event(), [0]
    watcher = threading.Thread(target=_watch, args=(peak, done))
    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    used, killed = _reap_leftovers()
    used.append(usage)
    done.set()
    watcher.join()
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    largest = max(one.ru_maxrss for one in used) * 1024
    return process.returncode, Measured(seconds, cpu, max(peak[0], largest), killed)


def _reap_leftovers() -> tuple[list[resource.struct_rusage], int]:
    """Wait for the processes that the command left behind; those that stay are killed, and counted."""
    killed: set[int] = set()
    used, deadline = list[resource.struct_rusage](), time.monotonic() + LEFTOVER_SECONDS
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return used, len(killed)
        if pid:
            used.append(usage)
            continue
        if time.monotonic() > deadline:
            for left in _descendants(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)
                    killed.add(left)
        time.sleep(SAMPLE_SECONDS)


def _watch(peak: list[int], done: threading.Event) -> None:
    look, tree = 0, list[int]()
    while not done.wait(SAMPLE_SECONDS if look else 0):
        if look % LOOKS_PER_SEARCH == 0:
            tree = _descendants(os.getpid())
        look += 1
        peak[0] = max(peak[0], sum(map(_resident_bytes, tree)))


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _descendants(pid: int) -> list[int]:
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue
        for child in direct:
            found += [child, *_descendants(child)]
    return found


def main() -> None:
    """Measure the command in the arguments, print the figures as JSON, end with its exit code."""
    code, measured = supervise(sys.argv[1:])
    print(json.dumps(asdict(measured)))
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
