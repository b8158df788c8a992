"""Executions: asked for once whatever happens to the answer, read from their history, ended in a local run's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pharmaetl import errors
from pharmaetl.aws import executions, outcomes
from pharmaetl.aws.account import Account
from pharmaetl.aws.executions import Execution, StateVisit
from pharmaetl.catalog import Dataset, shipped
from pharmaetl.errors import GateError, InterruptedRunError, PharmaetlError, UsageError
from pharmaetl.lake.documents import RunRecord, Source
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.runs import save
from pharmaetl.run_options import RunOptions

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/any"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(config={"stepfunctions": {"execute_state_machine": False}}):
        yield Account()


@pytest.fixture
def nsde() -> Dataset:
    return Dataset(shipped() / "fda" / "nsde")


def deploy(definition: dict[str, Any]) -> None:
    boto3.client("stepfunctions").create_state_machine(
        name="nsde-orchestrator", definition=json.dumps(definition), roleArn=ROLE
    )


PASSES = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}


def test_a_request_carries_what_was_asked_for_and_nothing_else(account: Account, nsde: Dataset) -> None:
    asked = RunOptions(source="https://example.org/x.zip", force=True, accept_shrink="smaller by design")

    wanted = executions.request(account, nsde, asked, NOON)

    assert wanted.state_machine_arn == "arn:aws:states:us-east-1:123456789012:stateMachine:nsde-orchestrator"
    assert wanted.name.startswith("20261123T120000Z-")
    assert wanted.input == {
        "dataset": "nsde",
        "force": True,
        "source_url": "https://example.org/x.zip",
        "accept_shrink": "smaller by design",
    }


def test_a_name_says_what_was_asked_for(account: Account, nsde: Dataset) -> None:
    plain = executions.request(account, nsde, RunOptions(), NOON)
    forced = executions.request(account, nsde, RunOptions(force=True), NOON)

    assert executions.request(account, nsde, RunOptions(), NOON) == plain
    assert forced.name != plain.name


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (RunOptions(until="bronze"), "--until"),
        (RunOptions(sample=5), "--sample"),
        (RunOptions(engine="sail"), "--engine"),
        (RunOptions(master="spark://h:7077"), "--master"),
        (RunOptions(source="/some/file.zip"), "--source"),
    ],
)
def test_what_only_a_local_run_has_is_refused(account: Account, nsde: Dataset, options: RunOptions, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        executions.request(account, nsde, options, NOON)


def test_a_request_sent_twice_starts_one_execution(account: Account, nsde: Dataset) -> None:
    deploy(PASSES)
    wanted = executions.request(account, nsde, RunOptions(), NOON)

    first, now = executions.start(account, wanted)
    second, _ = executions.start(account, wanted)

    assert (now, second.arn) == (True, first.arn)
    assert len(executions.recent(account, nsde)) == 1


def test_a_state_machine_that_is_not_deployed_is_named_with_its_fix(account: Account, nsde: Dataset) -> None:
    with pytest.raises(UsageError, match="states:StartExecution") as raised:
        executions.start(account, executions.request(account, nsde, RunOptions(), NOON))

    assert "pharmaetl aws deploy" in raised.value.hint


def test_a_running_execution_is_stopped_once(account: Account, nsde: Dataset) -> None:
    deploy(PASSES)
    running, _ = executions.start(account, executions.request(account, nsde, RunOptions(), NOON))

    stopped = executions.stop(account, running.arn, "by hand")

    assert stopped.status == "ABORTED"
    with pytest.raises(UsageError, match="has ended: aborted"):
        executions.stop(account, running.arn, "again")


def test_a_running_execution_can_not_be_resumed(account: Account, nsde: Dataset) -> None:
    deploy(PASSES)
    running, _ = executions.start(account, executions.request(account, nsde, RunOptions(), NOON))

    with pytest.raises(UsageError, match="is running: nothing to resume"):
        executions.resume(account, running.arn)


def test_a_failed_run_is_started_anew_with_the_same_input(
    account: Account, nsde: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(PASSES)
    wanted = executions.request(account, nsde, RunOptions(force=True), NOON)
    first, _ = executions.start(account, wanted)
    as_it_is = executions.describe
    failed = replace(first, status="FAILED", error="PipelineFailed", input=wanted.input)
    monkeypatch.setattr(executions, "describe", lambda a, arn: failed if arn == first.arn else as_it_is(a, arn))

    again = executions.resume(account, first.arn, NOON + timedelta(hours=1))

    assert again.arn != first.arn
    assert again.name.startswith("20261123T130000Z-")
    assert again.input == wanted.input


def test_a_stopped_run_is_redriven(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []
    monkeypatch.setattr(executions, "describe", lambda *_: ended("ABORTED"))
    monkeypatch.setattr(Account, "client", lambda *_: SimpleNamespace(redrive_execution=lambda **k: asked.append(k)))

    executions.resume(account, "arn:x")

    assert asked == [{"executionArn": "arn:x"}]


def event(seconds: int, kind: str, **details: Any) -> dict[str, Any]:
    return {"timestamp": NOON + timedelta(seconds=seconds), "type": kind, **details}


def entered(seconds: int, name: str, kind: str = "TaskStateEntered") -> dict[str, Any]:
    return event(seconds, kind, stateEnteredEventDetails={"name": name})


def test_a_history_is_read_as_visits_of_states() -> None:
    history = [
        event(0, "ExecutionStarted"),
        entered(0, "FetchAndHash"),
        event(1, "TaskScheduled"),
        event(9, "TaskSucceeded"),
        event(9, "TaskStateExited"),
        entered(9, "Changed?", "ChoiceStateEntered"),
        event(9, "ChoiceStateExited"),
        entered(10, "Bronze"),
        event(10, "TaskScheduled"),
        event(20, "TaskFailed", taskFailedEventDetails={"error": "Glue.ConcurrentRunsExceededException"}),
        event(50, "TaskScheduled"),
    ]

    assert executions.visits_in(history) == (
        StateVisit("FetchAndHash", "done", 9.0, ""),
        StateVisit("Changed?", "done", 0.0, ""),
        StateVisit("Bronze", "running", 40.0, "try 2 after Glue.ConcurrentRunsExceededException"),
    )


def test_a_task_that_was_caught_is_a_failed_visit_and_one_that_recovered_is_not() -> None:
    history = [
        entered(0, "FetchAndHash"),
        event(1, "TaskScheduled"),
        event(2, "TaskTimedOut", taskTimedOutEventDetails={"error": "States.Timeout"}),
        event(3, "TaskScheduled"),
        event(4, "TaskSucceeded"),
        event(4, "TaskStateExited"),
        entered(4, "UpdateManifest"),
        event(4, "TaskScheduled"),
        event(6, "TaskFailed", taskFailedEventDetails={"error": "GateError", "cause": "{}"}),
        event(6, "TaskStateExited"),
    ]

    assert [(visit.name, visit.outcome, visit.detail) for visit in executions.visits_in(history)] == [
        ("FetchAndHash", "done", ""),
        ("UpdateManifest", "failed", "GateError"),
    ]


def test_looking_on_ends_with_the_execution(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(["RUNNING", "RUNNING", "SUCCEEDED"])
    monkeypatch.setattr(executions, "describe", lambda *_: ended(next(looks)))
    monkeypatch.setattr(executions, "visits", lambda *_: ())
    seen: list[Any] = []

    assert executions.follow(account, "arn:x", seen.append, lambda: None).status == "SUCCEEDED"
    assert seen == [(), (), ()]


def test_pauses_grow_to_ten_seconds() -> None:
    waits = executions.pauses()

    assert [round(next(waits), 2) for _ in range(3)] == [1.0, 1.3, 1.69]
    assert [next(waits) for _ in range(20)][-1] == 10.0


def ended(status: Any, *, output: dict[str, Any] | None = None, cause: str = "", error: str = "") -> Execution:
    return Execution("arn:x", "20261123T120000Z-01234567", status, "", "", {}, output, error, cause)


def test_a_success_is_the_record_of_its_run(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    record = RunRecord(
        dataset="nsde",
        run_id="20261123T120000Z-89abcdef",
        outcome="published",
        source=Source(url="https://example.org"),
        started_at="2026-11-23T12:00:00Z",
    )
    save(storage, record)
    output = {"fetch": {"dataset": "nsde", "run_id": record.run_id}}

    assert outcomes.record_of(storage, ended("SUCCEEDED", output=output)) == record


def test_a_failure_is_the_error_that_the_run_would_have_raised_here() -> None:
    told = {"code": "gate", "reason": "Uniqueness: 0.4", "hint": "look", "run_id": "r", "state": "UpdateManifest"}

    error = outcomes.failure_of(ended("FAILED", cause=json.dumps(told), error="PipelineFailed"))

    assert isinstance(error, GateError)
    assert (error.exit_code, error.run_id, error.hint) == (4, "r", "look")
    assert error.reason == "20261123T120000Z-01234567 failed in UpdateManifest: Uniqueness: 0.4"


@pytest.mark.parametrize(
    ("execution", "kind", "exit_code"),
    [
        (ended("ABORTED", cause="by hand"), InterruptedRunError, 130),
        (ended("TIMED_OUT"), errors.UnavailableError, 5),
        (ended("FAILED", cause="no JSON", error="States.Runtime"), errors.EngineError, 1),
        (ended("FAILED", cause='{"code": "conflict", "reason": "first"}'), errors.ConflictError, 6),
    ],
)
def test_every_end_has_an_exit_code(execution: Execution, kind: type[PharmaetlError], exit_code: int) -> None:
    error = outcomes.failure_of(execution)

    assert type(error) is kind
    assert error.exit_code == exit_code
