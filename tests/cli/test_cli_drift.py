"""`dataset drift` and `dataset accept`: what they ask for, what they print, and which command they name next."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cli_literals as given
import drift_literals as changed
import pytest

from pharmaetl import api
from pharmaetl.errors import RefusedError

Run = Callable[..., Any]
HERE = api.Place("./lake", None)


def test_drift_is_json_with_every_fact_of_a_change(fake: Any, piped: Run) -> None:
    fake.gives(drift=changed.REPORT)

    answer = piped("dataset", "drift", "nsde", "--json")
    found = json.loads(answer.out)

    assert (answer.code, answer.err) == (0, "")
    assert {key: value for key, value in found.items() if key != "drift"} == {
        "dataset": "nsde",
        "source": given.URL,
        "run_id": "20260723T120000Z-1a2b3c4d",
        "against": "20260709T120000Z-9f8e7d6c",
    }
    assert found["drift"][1:3] == [
        {
            "kind": "added",
            "table": "nsde",
            "column": "Color",
            "before": None,
            "after": "Color",
            "severity": "warn",
            "detail": "column 'Color' is new",
            "score": None,
        },
        {
            "kind": "field_count_changed",
            "table": "nsde",
            "column": None,
            "before": 12,
            "after": 13,
            "severity": "warn",
            "detail": "12 fields a row before, 13 now",
            "score": None,
        },
    ]


def test_the_run_s_own_json_has_its_drift(fake: Any, piped: Run) -> None:
    fake.gives(run=given.PUBLISHED.model_copy(update={"drift": changed.DRIFT[1:2]}))

    assert [drift["kind"] for drift in json.loads(piped("run", "nsde", "--json").out)["drift"]] == ["added"]


def test_an_acceptance_is_json_as_it_stands_in_the_lake(fake: Any, piped: Run) -> None:
    fake.gives(accept=changed.ACCEPTANCE)

    answer = piped("dataset", "accept", "nsde", "--reason", "FDA announced the column", "--column", "Color", "--json")

    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out) == {
        "dataset": "nsde",
        "sequence": 2,
        "accepted_at": "2026-07-24T12:30:00Z",
        "accepted_by": "ada@laptop",
        "reason": "FDA announced the column",
        "run_id": "20260724T120000Z-00ff00ff",
        "columns": ["Color"],
        "tables": [{"table": "nsde", "header": ["Item Code", "NDC11", "Color"]}],
    }


def test_the_words_are_handed_over(fake: Any, piped: Run) -> None:
    fake.gives(drift=changed.NONE, accept=changed.ACCEPTANCE)

    piped("dataset", "drift", "nsde")
    piped("dataset", "drift", "nsde", "--source", "a.zip")
    piped("dataset", "accept", "nsde", "--reason", " why ", "--column", "Color", "--column", "Size")
    piped("dataset", "accept", "nsde", "--reason", "why")

    assert fake.calls == [
        ("drift", HERE, "nsde", None),
        ("drift", HERE, "nsde", "a.zip"),
        ("accept", HERE, "nsde", "why", ("Color", "Size")),
        ("accept", HERE, "nsde", "why", ()),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("drift", "nsde", "--source", ""), "--source is empty"),
        (("accept", "nsde", "--reason", " "), "--reason is empty"),
        (("accept", "nsde"), "Missing option '--reason'"),
        (("drift",), "Missing argument 'DATASET'"),
    ],
)
def test_a_missing_or_empty_word_is_a_usage_error(words: tuple[str, ...], said: str, fake: Any, piped: Run) -> None:
    fake.gives(drift=AssertionError("asked"), accept=AssertionError("asked"))

    answer = piped("dataset", *words)

    assert (answer.code, said in answer.err) == (2, True)


def test_what_can_t_be_accepted_ends_with_4(fake: Any, piped: Run) -> None:
    fake.gives(accept=RefusedError("column ndc11 is required", hint="add an alias"))

    answer = piped("dataset", "accept", "nsde", "--reason", "why", "--json")

    assert (answer.code, json.loads(answer.err)["error"]["code"]) == (4, "refused")


@pytest.mark.parametrize(
    ("report", "following"),
    [
        (changed.REPORT, "next: pharmaetl dataset accept nsde --reason TEXT\n"),
        (changed.NONE, ""),
        (changed.FIRST, ""),
        (changed.REFUSED, ""),
    ],
)
def test_accepting_comes_next_where_a_run_met_what_can_be_accepted(
    report: Any, following: str, fake: Any, on_terminal: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    fake.gives(drift=report)

    assert on_terminal("dataset", "drift", "nsde").err == following


def test_a_refused_run_shows_its_drift_and_one_that_came_to_the_gate_shows_it_as_checks(fake: Any, piped: Run) -> None:
    refused = given.FAILED.model_copy(update={"quality": None, "drift": changed.REFUSED.drift})
    fake.gives(run_record=lambda _, run: refused if run == given.FAILED_RUN else given.PUBLISHED)

    assert "removed  fail      nsde   NDC11   gone\n" in piped("runs", "show", given.FAILED_RUN).out
    assert "CHANGE" not in piped("runs", "show", given.RUN).out


def test_no_drift_is_said_in_so_many_words(fake: Any, piped: Run) -> None:
    fake.gives(drift=changed.NONE)

    assert piped("dataset", "drift", "nsde").out == (
        "dataset  nsde\n"
        "source   file:///data/nsde.zip\n"
        "run      none: the file was only looked at\n"
        "against  20260723T120000Z-1a2b3c4d\n"
        "\n"
        "no drift\n"
    )
