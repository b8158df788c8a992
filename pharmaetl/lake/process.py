"""Which process does something in a lake, written as host:pid, and whether it is still there."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Literal

ProcessState = Literal["alive", "gone", "unknown"]


def process_name() -> str:
    """This process as host:pid, for the record of the run that it is about to make."""
    return f"{socket.gethostname()}:{os.getpid()}"


def file_prefix() -> str:
    """The same for the name of a file, where some file systems take no colon: `<host>@<pid>`."""
    return process_name().replace(":", "@")


def owner_of(file_name: str) -> str:
    """The process that made a file `<host>@<pid>.<unique>.<ending>`; empty where the name doesn't say."""
    owner, _, rest = file_name.rpartition("@")
    return f"{owner}:{rest.partition('.')[0]}" if owner else ""


def state_of(name: str) -> ProcessState:
    """Whether the process of a name is there; unknown for one of another host, and for what is no such name.

    A number that another process has now counts as alive.
    """
    host, _, pid = name.rpartition(":")
    if host != socket.gethostname() or not (pid.isascii() and pid.isdigit()):
        return "unknown"
    return "alive" if _is_alive(int(pid)) else "gone"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Ended, and only not yet asked for its exit code? Known on Linux only (proc(5), the field after the name)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] in {"Z", "X"}
