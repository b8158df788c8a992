"""A process with every import done, which forks a child for each command that it is asked to run.

One JSON object a line comes in: {words, out, fault}; one goes out: {code}, minus the signal for a child that was
killed. The process stays without threads of Python's, so that forking it is safe; what the child does is its own.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, NoReturn

from faults.crash import canned_engine, installing
from typer.main import get_command

from pharmaetl.cli import app

SECONDS = 60
LAZY = (
    "pharmaetl.api", "pharmaetl.local.runner", "pharmaetl.spark.jobs", "pharmaetl.drift.report",
    "pharmaetl.cli.progress", "pharmaetl.download.site", "pharmaetl.quality.gate", "pharmaetl.cli.views.runs",
    "pharmaetl.cli.views.lake", "pandas", "pyarrow.dataset", "pyarrow.parquet", "requests", "pharmaetl.lake.integrity",
    "pharmaetl.config.jobspec", "pharmaetl.config.goldfunctions", "encodings.cp437", "encodings.utf_8_sig",
)  # fmt: skip
"""What the commands import when they need it."""


def main() -> None:
    """Serve until standard input ends."""
    for name in LAZY:
        importlib.import_module(name)
    canned_engine.install()
    command = get_command(app.build())
    setattr(app, "get_command", lambda tree: command)  # noqa: B010 - it is imported there, not exported
    gc.collect()
    gc.freeze()  # a child that collects garbage would copy every page it looks at
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(job)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


def _run(job: dict[str, Any]) -> NoReturn:
    """One command in this child, which ends with it."""
    code = 99
    try:
        signal.alarm(SECONDS)
        _point_streams_at(Path(job["out"]))
        warnings.simplefilter("ignore")
        installing.install(job.get("fault"))
        sys.argv = ["pharmaetl", *job["words"]]
        code = app.main()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _point_streams_at(out: Path) -> None:
    for path, target, flags in (
        (os.devnull, 0, os.O_RDONLY),
        (f"{out}.stdout", 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (f"{out}.stderr", 2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, target)
        os.close(descriptor)


if __name__ == "__main__":
    main()
