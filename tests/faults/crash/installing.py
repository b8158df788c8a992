"""Puts one fault into this process: at a named place of the product, or at its n-th input or output call."""

from __future__ import annotations

import errno
import importlib
import os
import signal
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

from faults.crash.io_calls import count_calls

from pharmaetl.download import download
from pharmaetl.errors import LocalIOError

SMALL_CHUNK = 200
"""Bytes that a download takes at once, so that a small file comes in several chunks."""


def install(fault: dict[str, Any] | None) -> None:
    """Prepare this process: flushes are free, since no test here cuts the power, and the fault waits for its call."""
    os.fsync = _no_flush
    setattr(download, "CHUNK", SMALL_CHUNK)  # noqa: B010 - it is imported there, not exported
    if fault is None:
        return
    if "target" in fault:
        _wrap(fault)
    else:
        count_calls(fault, strike)


def strike(fault: dict[str, Any], described: str) -> None:
    """Leave a mark that the fault was reached, then kill this process or raise what a failing disk raises."""
    Path(fault["mark"]).write_text(described)
    kind = fault["kind"]
    if kind == "KILL":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "TERM":
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        number = getattr(errno, kind)
        if fault.get("layer") == "lake":
            raise LocalIOError(f"{described}: {os.strerror(number)}", hint="check the disk")
        raise OSError(number, os.strerror(number), described)


def _wrap(fault: dict[str, Any]) -> None:
    """Strike before or after the n-th call of a function whose arguments mention a text."""
    module, _, path = fault["target"].partition(":")
    *owners, name = path.split(".")
    owner = reduce(getattr, owners, importlib.import_module(module))
    setattr(owner, name, _striking(getattr(owner, name), fault))


def _striking(original: Callable[..., Any], fault: dict[str, Any]) -> Callable[..., Any]:
    seen = 0

    def call(*args: Any, **more: Any) -> Any:
        nonlocal seen
        seen += fault["only"] in " ".join(map(str, args))
        hit = seen == fault["nth"] and fault["only"] in " ".join(map(str, args))
        described = f"failpoint {fault['target']}"
        if hit and fault["when"] == "before":
            strike(fault, described)
        result = original(*args, **more)
        if hit and fault["when"] == "after":
            strike(fault, described)
        return result

    return call


def _no_flush(fd: object) -> None:
    """Stands in for os.fsync."""
