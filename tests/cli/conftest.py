"""The command line over a fake API: every function of `pharmaetl.api` answers with what a test gives it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pharmaetl import api
from pharmaetl.cli.app import answer


@dataclass(frozen=True)
class Answer:
    """What one command did."""

    code: int
    out: str
    err: str


class FakeApi:
    """Answers with literals; raises where the literal is an exception; remembers what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.calls: list[tuple[Any, ...]] = []

    def gives(self, **answers: Any) -> None:
        for name, answer_ in answers.items():
            assert callable(getattr(api, name)), f"pharmaetl.api has no function {name}"
            self._monkeypatch.setattr(api, name, self._function(name, answer_))

    def _function(self, name: str, given: Any) -> Callable[..., Any]:
        def function(*asked: Any) -> Any:
            self.calls.append((name, *asked))
            found = given(*asked) if callable(given) else given
            if isinstance(found, BaseException):
                raise found
            return found

        return function


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PHARMAETL_LAKE", "PHARMAETL_DATASETS", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    return FakeApi(monkeypatch)


@pytest.fixture
def piped(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command whose output goes to pipes."""

    def run(*words: str) -> Answer:
        capsys.readouterr()
        code = answer(words)
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Run a command at a terminal of so many columns."""

    def run(*words: str, columns: int = 80) -> Answer:
        out, err = FakeTerminal(), FakeTerminal()
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", str(columns))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = answer(words)
        return Answer(code, out.getvalue(), err.getvalue())

    return run
