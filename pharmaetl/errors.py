"""Everything that can go wrong in a way a user can act on, and the exit code that says so.

PharmaetlError                        exit
├── UsageError                        2    the command's words don't fit together
├── ConfigError                       3    a dataset config, a setting or the machine's set-up
│   └── EngineUnavailableError        3    the engine asked for can't start here
├── RefusedError                      4    the data was refused; what was published stays
│   ├── SourceFormatError             4    a malformed file: zip, member, encoding, header
│   └── GateError                     4    a quality rule failed
├── UnavailableError                  5    the source site or AWS can't be reached
│   ├── DeniedError                   5    … or says no: 401, 403, 404, 410
│   └── OutOfTimeError                5    … or takes longer than the function has that asks it
├── ConflictError                     6    another run published first
│   ├── AlreadyPublishedError         6    … the same inputs: the caller reports a skipped run, not a failed one
│   └── CommitUnknownError            6    the commit was sent, its answer lost, and it can't be read back
├── LocalIOError                      7    disk full, read-only, no permission
│   ├── NotStoredError                7    a file that should be in the lake isn't
│   └── CorruptLogError               7    a log entry or run record can't be read, or the log has a gap
├── EngineError                       1    the engine died or refused a query: a bug here or there
└── InterruptedRunError               130  Ctrl-C or SIGTERM

Anything else that surfaces is a bug and exits with 1.
"""

from __future__ import annotations

from typing import ClassVar


class PharmaetlError(Exception):
    """A failure with a reason, and a hint that says what to do about it."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(self, reason: str, *, hint: str = "", run_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.run_id = run_id


class UsageError(PharmaetlError):
    """The command's words don't fit together."""

    exit_code = 2
    code = "usage"


class ConfigError(PharmaetlError):
    """A dataset config, a setting or the machine's set-up is wrong."""

    exit_code = 3
    code = "config"


class EngineUnavailableError(ConfigError):
    """The engine asked for can't start on this machine: Java or a package is missing."""

    code = "engine_unavailable"


class RefusedError(PharmaetlError):
    """The data was refused; the last published version stays current."""

    exit_code = 4
    code = "refused"


class SourceFormatError(RefusedError):
    """The source file is malformed: container, member, encoding or header."""

    code = "source_format"


class GateError(RefusedError):
    """A quality rule with severity `fail` failed, so nothing was published."""

    code = "gate"


class UnavailableError(PharmaetlError):
    """The source site (or AWS) can't be reached, or answers with an error that may pass."""

    exit_code = 5
    code = "unavailable"


class DeniedError(UnavailableError):
    """The site answered and said no; asking again won't help."""

    code = "denied"


class OutOfTimeError(UnavailableError):
    """The time of the function is up in which the source was to be fetched; the next try would need as long."""

    code = "out_of_time"


class ConflictError(PharmaetlError):
    """Another run published between this run's start and its commit."""

    exit_code = 6
    code = "conflict"


class AlreadyPublishedError(ConflictError):
    """The inputs that this run wanted to publish are published already, by the run `by`."""

    code = "already_published"

    def __init__(self, reason: str, *, by: str = "", hint: str = "", run_id: str | None = None) -> None:
        super().__init__(reason, hint=hint, run_id=run_id)
        self.by = by


class CommitUnknownError(ConflictError):
    """The commit was sent, its answer was lost, and the log can't be read back to settle it."""

    code = "commit_unknown"


class LocalIOError(PharmaetlError):
    """The machine's own storage failed: disk full, read-only, no permission."""

    exit_code = 7
    code = "local_io"


class NotStoredError(LocalIOError):
    """A file that was asked for isn't in the lake."""

    code = "not_stored"


class CorruptLogError(LocalIOError):
    """A log entry or run record is truncated, no JSON, missing, out of order or of a newer format."""

    code = "log_corrupt"


class EngineError(PharmaetlError):
    """The engine died or refused a query that it should have run."""

    code = "engine"


class InterruptedRunError(PharmaetlError):
    """The run was stopped by Ctrl-C or a termination signal."""

    exit_code = 130
    code = "interrupted"
