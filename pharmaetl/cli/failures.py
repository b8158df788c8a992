"""What a failed command tells its caller: one shape for expected errors, wrong words and bugs."""

from __future__ import annotations

import errno
import traceback as tracebacks
from dataclasses import dataclass
from typing import Any

from pharmaetl.errors import InterruptedRunError, LocalIOError, PharmaetlError, UsageError

BUG = 1
PROGRAM = "pharmaetl"
BUG_HINT = "run it again with -v for the traceback and report it"
STORAGE_FAULTS = {
    errno.ENOSPC: "free some space, or choose another lake with --lake",
    errno.EDQUOT: "free some space, or choose another lake with --lake",
    errno.EROFS: "choose a lake that can be written with --lake",
    errno.EACCES: "check the permissions, or choose another lake with --lake",
    errno.EPERM: "check the permissions, or choose another lake with --lake",
    errno.EIO: "check the disk",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
    errno.ENFILE: "close other programs: the machine is out of file handles",
}
"""What the operating system says when the fault is the machine's and not ours, and what to do about it."""


@dataclass(frozen=True)
class Failure:
    """Why a command failed, what to do about it, and its exit code."""

    code: str
    reason: str
    hint: str
    exit_code: int
    run_id: str | None = None
    traceback: str = ""

    def as_dict(self, *, with_traceback: bool) -> dict[str, Any]:
        """The object that `--json` prints on stderr under `error`."""
        shown = {
            "code": self.code,
            "reason": self.reason,
            "hint": self.hint,
            "exit_code": self.exit_code,
            "run_id": self.run_id,
        }
        return {**shown, "traceback": self.traceback} if with_traceback else shown


def failure_of(error: BaseException) -> Failure:
    """The failure that an exception stands for; what nobody expected is a bug."""
    from pharmaetl.secret import redact

    trace = redact("".join(tracebacks.format_exception(error)))
    known = _known(error)
    if known is None:
        summary = " ".join("".join(tracebacks.format_exception_only(error)).split())
        return Failure("bug", redact(f"bug: {summary}"), BUG_HINT, BUG, getattr(error, "run_id", None), trace)
    return Failure(known.code, redact(known.reason), redact(known.hint), known.exit_code, known.run_id, trace)


def _known(error: BaseException) -> PharmaetlError | None:
    """The error of ours that an exception is, or amounts to."""
    if isinstance(error, PharmaetlError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return InterruptedRunError("interrupted")
    if (message := getattr(error, "format_message", None)) is not None:
        # typer has its own copy of click in some releases: its usage errors are known by what they can do
        command = getattr(getattr(error, "ctx", None), "command_path", PROGRAM)
        return UsageError(message(), hint=f"{command} --help shows what it takes")
    if isinstance(error, OSError) and error.errno in STORAGE_FAULTS:
        where = f"{error.filename}: " if error.filename else ""
        return LocalIOError(f"{where}{error.strerror}", hint=STORAGE_FAULTS[error.errno])
    return None
