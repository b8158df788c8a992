"""The only module that prints: data to stdout, everything else to stderr.

On a terminal by rich and in colour (NO_COLOR is honoured); into a pipe or a file plain, whole and uncoloured.
JSON comes from `json.dumps` and goes nowhere near a console.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from pharmaetl.cli import render
from pharmaetl.errors import LocalIOError

if TYPE_CHECKING:
    from rich.console import Console

    from pharmaetl.cli.failures import Failure
    from pharmaetl.cli.screen import Screen

DEFAULT_WIDTH = 80
ERROR, HINT, NOTE = "1;31", "36", "2"
"""ANSI codes of the words before a line on stderr."""


@dataclass(frozen=True)
class Output:
    """How one command speaks."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def show(self, screen: Screen) -> None:
        """A command's answer on stdout: JSON, or parts for people."""
        if self.as_json:
            _write(json_text(screen.data) + "\n")
        elif is_terminal(sys.stdout):
            _write(render.fitted(screen.parts, sys.stdout, width=_width(), colour=_has_colour(sys.stdout)))
        else:
            _write(render.plain(screen.parts))

    def text(self, text: str) -> None:
        """A ready text on stdout: a help page, a version."""
        _write(text.rstrip("\n") + "\n")

    @property
    def talks(self) -> bool:
        """May progress and remarks go to stderr? A program that asked for JSON finds nothing there but an error."""
        return not self.quiet and (not self.as_json or is_terminal(sys.stderr))

    def note(self, message: str) -> None:
        """A remark for the user, on stderr."""
        if self.talks:
            _complain(f"{_word('note:', NOTE)} {_whole(message)}\n")

    def step(self, line: str) -> None:
        """One finished step of a run, on stderr."""
        if self.talks:
            _complain(f"{_whole(line)}\n")

    def next_command(self, command: str) -> None:
        """The command one would want next; only a person at a terminal is told."""
        if self.talks and is_terminal(sys.stderr) and not self.as_json:
            _complain(f"{_word('next:', HINT)} {_whole(command)}\n")

    def fail(self, failure: Failure) -> None:
        """Why the command failed, on stderr: a reason and a hint, a line each, or a JSON object on one line."""
        if self.as_json:
            _complain(json.dumps({"error": failure.as_dict(with_traceback=self.verbose)}) + "\n")
            return
        trace = failure.traceback if self.verbose else ""
        first, *more = [_whole(line) for line in failure.reason.splitlines() if line.strip()] or [failure.code]
        lines = [f"{_word('error:', ERROR)} {first}", *(f"       {line}" for line in more)]
        if failure.hint:
            lines.append(f"{_word('hint:', HINT)} {_whole(failure.hint)}")
        _complain(trace + "\n".join(lines) + "\n")

    def live_console(self) -> Console | None:
        """The console for moving progress on stderr; None where there is no terminal, or it shall be quiet."""
        if not self.talks or not is_terminal(sys.stderr):
            return None
        from rich.console import Console

        return Console(
            file=sys.stderr, no_color=not _has_colour(sys.stderr), highlight=False, markup=False, emoji=False
        )


def json_text(data: Any) -> str:
    """Data as indented JSON; ASCII only where stdout isn't UTF-8. NaN and infinities, which JSON lacks, become null."""
    unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return json.dumps(_finite(data), indent=2, ensure_ascii=not unicode, allow_nan=False)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def is_terminal(stream: TextIO | None) -> bool:
    """Does a person read this stream?"""
    return stream is not None and not stream.closed and stream.isatty()


def prepare_streams() -> None:
    """Make stdout and stderr print any text: what their encoding lacks becomes a backslash escape."""
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="backslashreplace")


def _write(text: str) -> None:
    """Write to stdout at once. A reader that went away (`| head`) is no failure; a full disk is: LocalIOError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
    except OSError as error:
        _abandon_stdout()
        raise LocalIOError(
            f"stdout can't be written: {error.strerror}", hint="the command itself did its work"
        ) from error


def _abandon_stdout() -> None:
    """Point stdout at nothing, so that what is still buffered can't fail again when Python exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _complain(text: str) -> None:
    """Write to stderr; where even that fails, the exit code has to do."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _whole(line: str) -> str:
    return render.printable(line)


def _word(word: str, code: str) -> str:
    return f"\x1b[{code}m{word}\x1b[0m" if _has_colour(sys.stderr) else word


def _has_colour(stream: TextIO | None) -> bool:
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width() -> int:
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns or DEFAULT_WIDTH
