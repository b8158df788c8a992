"""Runs on AWS at the command line, over a fake of what the cloud answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cli_literals import PUBLISHED

from pharmaetl import api
from pharmaetl.api import cloud
from pharmaetl.aws.costs import JobCost, RunCost
from pharmaetl.aws.deployment import Deployed
from pharmaetl.aws.executions import Execution, Request, StateVisit
from pharmaetl.cli import execution_tree
from pharmaetl.errors import GateError

NAME = "20261123T120000Z-01234567"
ARN = f"arn:aws:states:us-east-1:123456789012:execution:nsde-orchestrator:{NAME}"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:nsde-orchestrator"
RUNNING = Execution(ARN, NAME, "RUNNING", "2026-11-23T12:00:00Z", None, {}, None)
VISITS = (
    StateVisit("FetchAndHash", "done", 9.0),
    StateVisit("Bronze", "running", 40.0, "try 2 after Glue.ConcurrentRunsExceededException"),
)
Piped = Callable[..., Any]


@pytest.fixture
def gives(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_answers(**answers: Any) -> None:
        for name, found in answers.items():
            assert callable(getattr(cloud, name)), f"no function {name}"
            monkeypatch.setattr(cloud, name, found if callable(found) else lambda *_, f=found, **__: f)

    return set_answers


def follows(_: Any, __: str, saw: Callable[[Any], None]) -> Any:
    saw(VISITS)
    saw((VISITS[0], StateVisit("Bronze", "done", 60.0)))
    return PUBLISHED


def test_a_run_on_aws_shows_its_states_and_ends_with_its_record(piped: Piped, gives: Callable[..., None]) -> None:
    gives(start=(RUNNING, True), follow=follows)

    found = piped("run", "nsde", "--target", "aws")

    assert found.code == 0
    assert found.err == (f"{NAME}: started, {ARN}\nFetchAndHash: done in 9.0 s\nBronze: done in 1 min 0 s\n")
    assert found.out.startswith("dataset  nsde\noutcome  published\n")


def test_without_waiting_the_execution_is_the_answer(piped: Piped, gives: Callable[..., None]) -> None:
    gives(start=(RUNNING, True))

    found = piped("run", "nsde", "--target", "aws", "--no-wait", "--json")

    assert json.loads(found.out) == {
        "execution_arn": ARN,
        "name": NAME,
        "status": "RUNNING",
        "started_at": "2026-11-23T12:00:00Z",
        "ended_at": None,
        "started": True,
    }


def test_a_refused_run_on_aws_has_the_exit_code_of_a_refused_one_here(piped: Piped, gives: Callable[..., None]) -> None:
    def refused(*_: Any) -> Any:
        raise GateError("Uniqueness ndc11: 0.4 against 0.9", hint="look", run_id="r1")

    gives(start=(RUNNING, True), follow=refused)

    found = piped("run", "nsde", "--target", "aws")

    assert found.code == 4
    assert "error: Uniqueness ndc11: 0.4 against 0.9" in found.err


def test_ctrl_c_says_that_it_goes_on_and_how_to_stop_it(piped: Piped, gives: Callable[..., None]) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    gives(start=(RUNNING, True), follow=interrupted)

    found = piped("run", "nsde", "--target", "aws", "--lake", "s3://bucket")

    assert found.code == 130
    assert f"stopped looking on: {NAME} goes on in AWS" in found.err
    assert f"pharmaetl runs watch {NAME} --lake s3://bucket looks on again" in found.err
    assert f"pharmaetl runs stop {NAME} --lake s3://bucket ends it" in found.err


def test_a_lake_on_this_machine_and_a_run_on_aws_do_not_go_together(piped: Piped) -> None:
    found = piped("run", "nsde", "--target", "aws", "--lake", "lake")

    assert found.code == 2
    assert "--lake lake is on this machine" in found.err


def test_a_dry_run_prints_the_request_and_what_it_would_cost(piped: Piped, gives: Callable[..., None]) -> None:
    request = Request(MACHINE, NAME, {"dataset": "nsde", "force": False})
    cost = RunCost((JobCost("bronze", 10, 1, 110.0, 0.134), JobCost("silver", 10, 1, None, 0.073)), 3, 30.4)
    gives(cloud_plan=cloud.CloudPlan("nsde", request, cost))

    as_json = json.loads(piped("run", "nsde", "--target", "aws", "--dry-run", "--json").out)
    text = piped("plan", "nsde", "--target", "aws").out

    assert as_json["request"] == {
        "stateMachineArn": MACHINE,
        "name": NAME,
        "input": '{"dataset": "nsde", "force": false}',
    }
    assert as_json["cost"]["dollars"] == 0.207
    assert "a run    $0.207 for 1,700 DPU-seconds (median of 3 past runs)" in text
    assert ["bronze", "10", "4.40", "1", "min", "50", "s", "1,100", "0.134"] in [
        line.split() for line in text.splitlines()
    ]


def test_runs_are_watched_stopped_and_resumed_by_name(piped: Piped, gives: Callable[..., None]) -> None:
    gives(execution_of=ARN, follow=follows, stop=RUNNING, resume=RUNNING)

    assert piped("runs", "watch", NAME).code == 0
    assert f"execution  {NAME}" in piped("runs", "stop", NAME).out
    assert piped("runs", "resume", ARN).out.startswith("dataset  nsde")


def test_a_run_of_a_lake_on_s3_that_an_execution_made_is_redriven(
    piped: Piped, gives: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = PUBLISHED.model_copy(update={"process": ARN})
    monkeypatch.setattr(api, "run_record", lambda *_: record)
    gives(resume=RUNNING, follow=follows)

    assert piped("runs", "resume", record.run_id, "--lake", "s3://bucket").code == 0


def test_what_is_deployed_is_shown_a_dataset_a_line(piped: Piped, gives: Callable[..., None]) -> None:
    here = Deployed("nsde", "PP-RAWS-NSDE-Orchestrator", "UPDATE_COMPLETE", "ab" * 32, RUNNING, 1, 2)
    absent = Deployed("cder", "PP-RAWS-CDER-Orchestrator", None, None, None, 0, None)
    gives(cloud_status=(here, absent))

    lines = piped("aws", "status").out.splitlines()

    assert lines[1].split() == ["nsde", "update_complete", NAME, "running", "1", "2", "abababababab", "-"]
    assert lines[2].split() == ["cder", "not", "deployed", "-", "-", "-", "-", "-", "-"]


def test_a_terminal_sees_a_tree_of_states() -> None:
    found = execution_tree.tree(NAME, VISITS)

    assert found.label.text == NAME
    assert [child.label.text for child in found.children] == [
        "FetchAndHash: done in 9.0 s",
        "Bronze: running for 40 s, try 2 after Glue.ConcurrentRunsExceededException",
    ]


def test_local_only_words_are_still_refused_for_local_runs(piped: Piped) -> None:
    found = piped("run", "nsde", "--no-wait")

    assert found.code == 2
    assert "a local run is over when the command is" in found.err
