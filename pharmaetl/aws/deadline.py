"""The time that a Lambda function has left: used up to a point from which there is still time to say what happened."""

from __future__ import annotations

from collections.abc import Callable

from pharmaetl.errors import OutOfTimeError
from pharmaetl.lake.documents import StepResult
from pharmaetl.watch import Watch

RESERVE_SECONDS = 30.0
"""Kept for the run's record; it takes a second or two."""
_DOWNLOAD_SHARE = 2 / 3
"""Of the time left, what the download may take; unpacking, splitting and uploading go faster, but need some too."""


class Deadline:
    """When a function has to end, by the clock of its caller."""

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self._seconds_left = seconds_left

    def for_download(self) -> float:
        """How many seconds the download may take."""
        return max(1.0, (self._seconds_left() - RESERVE_SECONDS) * _DOWNLOAD_SHARE)

    def check(self) -> None:
        """OutOfTimeError once there is just time enough to say so."""
        if self._seconds_left() < RESERVE_SECONDS:
            raise OutOfTimeError(
                "the time of the Lambda function is up before the source was fetched and split",
                hint="a source that takes so long is run from a machine: pharmaetl run DATASET --lake s3://…",
            )

    def watching(self, watch: Watch) -> Watch:
        """A watch that checks the time with each piece of progress, and passes everything on."""
        return _Watching(self, watch)


class _Watching:
    def __init__(self, deadline: Deadline, watch: Watch) -> None:
        self._deadline, self._watch = deadline, watch

    def step_started(self, name: str, detail: str) -> None:
        """Check the time."""
        self._deadline.check()
        self._watch.step_started(name, detail)

    def progress(self, done: int, total: int | None) -> None:
        """Check the time."""
        self._deadline.check()
        self._watch.progress(done, total)

    def step_ended(self, step: StepResult) -> None:
        """Pass it on."""
        self._watch.step_ended(step)

    def note(self, message: str) -> None:
        """Pass it on."""
        self._watch.note(message)
