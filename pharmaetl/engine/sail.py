"""The embedded engine's process: started, asked for its address, ended."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import IO, Any

from pharmaetl import secret
from pharmaetl.errors import EngineUnavailableError

MEMORY_BYTES = 1024**3
"""Of what sorts, groups and joins hold. Sorts and groups write to disk what doesn't fit; joins can't, and fail."""
_START_SECONDS = 60


def start() -> subprocess.Popen[str]:
    """Start the server; it says its address on standard output, and ends when its standard input does."""
    settings = {
        "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(MEMORY_BYTES),
        # half the usual number: a write holds four groups of rows until they are full
        "SAIL_PARQUET__MAX_ROW_GROUP_SIZE": "500000",
        # what is freed goes back to the system at once, not when its allocator gets round to it
        "MIMALLOC_PURGE_DELAY": "0",
        "RUST_LOG": "error",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "pharmaetl.sail_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**settings, **secret.environment_for_children()},
        start_new_session=True,
    )


def address_of(server: subprocess.Popen[str]) -> str:
    """Where it listens, host:port; EngineUnavailableError where it doesn't say within a minute."""
    address = _first_line(server.stdout, _START_SECONDS) if server.stdout else ""
    if not address:
        raise EngineUnavailableError(
            "the embedded engine did not start",
            hint="pharmaetl doctor shows what is wrong; --engine spark is the other engine",
        )
    return address


def _first_line(stream: IO[str], seconds: float) -> str:
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return lines[0].strip() if lines else ""


def suit(session: Any) -> None:
    """Speak to a server on this machine as what it is: one that answers, or has died.

    Spark Connect is made for servers behind a network. It asks for results so that it could fetch them anew, which
    takes a call more for each answer, five times the time of a small query; and it asks a server that is gone again
    and again, for ten minutes, before it says so.
    """
    session.client.disable_reattachable_execute()
    session.client._retry_policy["max_retries"] = 0  # noqa: SLF001  (a session takes no policy from outside)


def has_ended(server: subprocess.Popen[str], seconds: float) -> bool:
    """Is it gone, or will it be soon? Its connections break some moments before."""
    try:
        server.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def let_go(session: Any) -> None:
    """Nothing is left to do for a stopped session when Python collects it.

    Spark Connect's would close once more, for all sessions, and from whichever thread collects it: inside a lock's
    wait that thread may hold up the very one that has the lock, a new session's, and both wait for ever.
    """
    session.client.close = lambda: None


def end(server: subprocess.Popen[str]) -> None:
    """End it, by force where it doesn't go."""
    for stream in (server.stdin, server.stdout):
        if stream is not None:
            stream.close()
    server.terminate()
    try:
        server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
