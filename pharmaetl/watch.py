"""How a run tells its caller what it is doing, without knowing about terminals."""

from __future__ import annotations

from typing import Protocol

from pharmaetl.lake.documents import StepResult


class Watch(Protocol):
    """Something that looks on while a run goes."""

    def step_started(self, name: str, detail: str) -> None:
        """A step begins; `detail` says what it works on."""
        ...

    def progress(self, done: int, total: int | None) -> None:
        """The running step has done so many bytes (or rows) of so many, where that is known."""
        ...

    def step_ended(self, step: StepResult) -> None:
        """A step is over."""
        ...

    def note(self, message: str) -> None:
        """Something the user should know that is no failure."""
        ...


class Silent:
    """Looks on and says nothing."""

    def step_started(self, name: str, detail: str) -> None:
        """Nothing to show."""

    def progress(self, done: int, total: int | None) -> None:
        """Nothing to show."""

    def step_ended(self, step: StepResult) -> None:
        """Nothing to show."""

    def note(self, message: str) -> None:
        """Nothing to show."""
