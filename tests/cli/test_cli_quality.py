"""`quality`: its JSON, its screens, and what it says where there is nothing to tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cli_literals as given
import pytest

from pharmaetl import api
from pharmaetl.lake.documents import Check
from pharmaetl.quality import history as quality_history
from pharmaetl.quality.dqdl import Ruleset

Run = Callable[..., Any]
VIEW = api.QualityView("nsde", given.RUN, "2026-07-23", given.QUALITY)
OLD_QUALITY = given.QUALITY.model_copy(
    update={"checks": (Check(name="IsUnique", table="nsde", column="ndc11", outcome="pass", value=1.0, threshold=1.0),)}
)
HISTORY = quality_history.of_entries(
    "nsde", (given.OLD_ENTRY.model_copy(update={"quality": OLD_QUALITY}), given.ENTRY, given.ROLLBACK)
)
TEXT = '# nsde, table nsde\nRules = [\n    # warn\n    IsUnique "ndc11" where "conditions no screen may fold"\n]\n'
RULESETS = (Ruleset("nsde", TEXT),)


def data(piped: Run, *words: str) -> Any:
    answer = piped(*words, "--json")
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


def test_show_has_the_checks_of_the_current_version(fake: Any, piped: Run) -> None:
    fake.gives(quality=VIEW)

    found = data(piped, "quality", "show", "nsde")

    assert fake.calls[-1][2:] == ("nsde", None)
    assert (found["dataset"], found["run_id"], found["version"]) == ("nsde", given.RUN, "2026-07-23")
    assert found["quality"]["verdict"] == "warn"
    assert {"name", "table", "column", "outcome", "value", "threshold", "rows", "sample", "reason"} == set(
        found["quality"]["checks"][0]
    )


def test_show_takes_a_run(fake: Any, piped: Run) -> None:
    fake.gives(quality=VIEW)

    shown = piped("quality", "show", "nsde", "--run", given.RUN)

    assert fake.calls[-1][2:] == ("nsde", given.RUN)
    assert "warn (2 of 3 checks passed)" in shown.out


def test_history_has_each_check_once_and_a_value_for_each_version(fake: Any, piped: Run) -> None:
    fake.gives(quality_over_time=HISTORY)

    found = data(piped, "quality", "history", "nsde")

    assert [(version["run_id"], version["is_current"]) for version in found["versions"]] == [
        (given.OLD_RUN, True), (given.RUN, False),
    ]  # fmt: skip
    unique = next(check for check in found["checks"] if check["name"] == "IsUnique")
    assert [(value["outcome"], value["value"]) for value in unique["found"]] == [("pass", 1.0), ("warn", 0.9987654)]
    exists = next(check for check in found["checks"] if check["name"] == "ColumnExists")
    assert [value and value["outcome"] for value in exists["found"]] == [None, "pass"]


def test_history_shows_what_was_before(fake: Any, piped: Run) -> None:
    fake.gives(quality_over_time=HISTORY)

    lines = [line.split() for line in piped("quality", "history", "nsde").out.splitlines()]

    assert ["IsUnique", "nsde", "ndc11", "warn", "0.998765", "1", "0.998765", "1", "2"] in lines


def test_history_of_nothing(fake: Any, piped: Run) -> None:
    fake.gives(quality_over_time=quality_history.of_entries("nsde", ()))

    assert piped("quality", "history", "nsde").out == "nothing published yet\n"
    assert data(piped, "quality", "history", "nsde") == {"dataset": "nsde", "versions": [], "checks": []}


def test_a_ruleset_goes_to_stdout_as_it_is(fake: Any, piped: Run, on_terminal: Run) -> None:
    fake.gives(quality_rulesets=RULESETS)

    assert piped("quality", "export", "nsde", "--dqdl").out == TEXT
    assert on_terminal("quality", "export", "nsde", "--dqdl", columns=40).out == TEXT
    assert data(piped, "quality", "export", "nsde", "--dqdl") == {
        "dataset": "nsde",
        "rulesets": [{"table": "nsde", "text": TEXT}],
    }


def test_export_asks_for_the_format(fake: Any, piped: Run) -> None:
    fake.gives(quality_rulesets=RULESETS)

    answer = piped("quality", "export", "nsde", "--lake", "/data")

    assert (answer.code, answer.out) == (2, "")
    assert "hint: pharmaetl quality export nsde --dqdl --lake /data" in answer.err


def test_screens_fit_into_80_columns(fake: Any, on_terminal: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    fake.gives(quality=VIEW, quality_over_time=HISTORY)

    for words in (("show", "nsde"), ("history", "nsde")):
        shown = on_terminal("quality", *words)
        assert shown.code == 0
        assert [line for line in shown.out.splitlines() if len(line) > 80] == []
