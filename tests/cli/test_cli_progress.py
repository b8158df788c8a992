"""What one sees on stderr while a run goes."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cli_literals as given
import pytest

from pharmaetl.cli.progress import amount, line_of
from pharmaetl.errors import UnavailableError
from pharmaetl.lake.documents import StepResult
from pharmaetl.watch import Watch

Run = Callable[..., Any]


def run(_place: Any, _dataset: str, _options: Any, watch: Watch) -> Any:
    """A run of two steps and a remark."""
    watch.step_started("fetch", given.URL)
    for done in range(0, 7_654_321, 1_000_000):
        watch.progress(done, 7_654_321)
    watch.step_ended(given.STEPS[0])
    watch.note("[nsde] two members match")
    watch.step_started("gate", "quality rules")
    watch.step_ended(StepResult(name="gate", outcome="failed", seconds=64.2))
    watch.step_ended(StepResult(name="publish", outcome="skipped"))
    return given.PUBLISHED


LINES = [
    "fetch: done in 2.1 s, 7,654,321 bytes, sha256 5f70bf18a086",
    "note: [nsde] two members match",
    "gate: failed in 1 min 4 s",
    "publish: skipped",
]


def test_a_pipe_gets_one_line_per_finished_step(fake: Any, piped: Run) -> None:
    fake.gives(run=run)

    assert piped("run", "nsde").err.splitlines() == LINES


def test_v_tells_also_which_step_starts(fake: Any, piped: Run) -> None:
    fake.gives(run=run)

    shown = piped("run", "nsde", "-v").err.splitlines()

    assert shown[0] == f"fetch: started, {given.URL}"
    assert len(shown) == 6


@pytest.mark.parametrize("option", ["-q", "--json"])
def test_it_can_be_silent(option: str, fake: Any, piped: Run) -> None:
    fake.gives(run=run)

    assert piped("run", "nsde", option).err == ""


def kept(text: str) -> list[str]:
    """The lines that a terminal still shows at the end: what was erased before a line's last text is gone."""
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line.rpartition("\x1b[2K")[2]) for line in text.split("\n")]


@pytest.mark.parametrize("words", [("run", "nsde"), ("runs", "resume", given.RUN), ("run", "nsde", "--json")])
def test_a_terminal_keeps_the_finished_steps(
    words: tuple[str, ...], fake: Any, on_terminal: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    fake.gives(run=run, resume=lambda place, _run_id, watch: run(place, "nsde", None, watch))

    assert [line for line in kept(on_terminal(*words).err) if line in LINES] == LINES


def test_the_moving_line_is_gone_when_a_run_fails(fake: Any, on_terminal: Run) -> None:
    def fails(_place: Any, _dataset: str, _options: Any, watch: Watch) -> None:
        watch.step_started("fetch", given.URL)
        raise UnavailableError("the site is down")

    fake.gives(run=fails)

    answer = on_terminal("run", "nsde")

    assert answer.code == 5
    assert answer.err.rstrip().endswith("the site is down")
    assert answer.err.count("\x1b[?25l") == answer.err.count("\x1b[?25h") == 1


def task(**fields: Any) -> Any:
    return SimpleNamespace(**{"completed": 0, "total": None, "speed": None, "fields": fields.pop("fields"), **fields})


def test_the_bar_counts_bytes_of_a_download_and_rows_of_the_rest() -> None:
    fetching, transforming = {"unit": "bytes", "detail": ""}, {"unit": "rows", "detail": ""}

    assert amount(task(fields={"unit": "", "detail": "https://host/a.zip"})) == "https://host/a.zip"
    assert amount(task(fields=fetching, completed=1_500_000)) == "1.5 MB"
    assert amount(task(fields=fetching, completed=1_500_000, total=3e6, speed=25e4)) == "1.5 MB of 3.0 MB, 250.0 kB/s"
    assert amount(task(fields=transforming, completed=1234, total=44_589)) == "1,234 rows of 44,589 rows"


def test_a_finished_step_without_detail_has_a_short_line() -> None:
    assert line_of(StepResult(name="bronze", outcome="done", seconds=12.4)) == "bronze: done in 12 s"
