"""Executions of a dataset's state machine: start one, look at its states, stop it, go on with it.

An execution's name is derived from what is asked for and the second in which it is, so that a request whose answer was
lost can be sent again without starting a second run (StartExecution is idempotent for the same name and input).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pharmaetl import hashing
from pharmaetl.aws import failure_path
from pharmaetl.aws.account import Account, speaking
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.catalog import Dataset
from pharmaetl.errors import UsageError
from pharmaetl.run_options import RunOptions

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]
ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
_DEPLOY_FIRST = "deploy it first: pharmaetl aws deploy"


@dataclass(frozen=True)
class Request:
    """What StartExecution is asked for."""

    state_machine_arn: str
    name: str
    input: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The request as the API takes it."""
        return {
            "stateMachineArn": self.state_machine_arn,
            "name": self.name,
            "input": json.dumps(self.input, sort_keys=True),
        }


@dataclass(frozen=True)
class Execution:
    """How an execution stands."""

    arn: str
    name: str
    status: Status
    started_at: str
    ended_at: str | None
    input: dict[str, Any]
    output: dict[str, Any] | None
    """What the last state handed on; None while it runs, and where it failed."""
    error: str = ""
    cause: str = ""

    @property
    def has_ended(self) -> bool:
        """Will nothing happen any more, unless it is redriven?"""
        return self.status in ENDED


@dataclass(frozen=True)
class StateVisit:
    """One visit of a state: how it ended, or that it is running."""

    name: str
    outcome: Literal["running", "done", "failed"]
    seconds: float
    detail: str = ""
    """Of a running task, how often it was tried; of a failed one, the error."""


def request(account: Account, dataset: Dataset, options: RunOptions, now: datetime | None = None) -> Request:
    """The request that starts a run with these options; UsageError for options that only a local run has."""
    _refuse_local_options(options)
    asked: dict[str, Any] = {"dataset": dataset.name, "force": options.force}
    if options.source is not None:
        asked["source_url"] = options.source
    if options.edition is not None:
        dataset.config.url_of(options.edition)
        asked["edition"] = options.edition
    if options.accept_shrink is not None:
        asked["accept_shrink"] = options.accept_shrink
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    inputs = hashing.of_json([asked, dataset.config_sha256, dataset.code_sha256])
    names = DatasetNames(dataset.config, account.prefix)
    return Request(account.state_machine_arn(names.state_machine), f"{moment:%Y%m%dT%H%M%SZ}-{inputs[:8]}", asked)


def _refuse_local_options(options: RunOptions) -> None:
    given = {
        "--until": options.until, "--sample": options.sample, "--master": options.master,
        "--engine": None if options.engine == "auto" else options.engine,
    }  # fmt: skip
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} is for local runs: on AWS the jobs are Glue's", hint=f"leave {name} out")
    if options.source is not None and not options.source.startswith(("https://", "http://")):
        raise UsageError(
            f"--source {options.source} is on this machine, where AWS can't read it",
            hint="give an https URL, or run it here into the lake: pharmaetl run DATASET --source FILE --lake s3://…",
        )


def start(account: Account, wanted: Request) -> tuple[Execution, bool]:
    """Start an execution, or find the one that this request started before; was it started now?"""
    from botocore.exceptions import ClientError

    client = account.client("stepfunctions")
    started = True
    with speaking("states:StartExecution", absent=_DEPLOY_FIRST):
        try:
            arn = str(client.start_execution(**wanted.as_json())["executionArn"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
                raise
            started = False
            arn = f"{wanted.state_machine_arn.replace(':stateMachine:', ':execution:')}:{wanted.name}"
    return describe(account, arn), started


def describe(account: Account, arn: str) -> Execution:
    """An execution as it stands now."""
    with speaking("states:DescribeExecution", absent="pharmaetl runs list shows the runs of the lake"):
        found = account.client("stepfunctions").describe_execution(executionArn=arn)
    ended = found.get("stopDate")
    return Execution(
        arn=arn,
        name=str(found.get("name") or arn.rpartition(":")[2]),
        status=found["status"],
        started_at=_stamp(found["startDate"]),
        ended_at=_stamp(ended) if ended else None,
        input=_object(found.get("input")) or {},
        output=_object(found.get("output")) if found["status"] == "SUCCEEDED" else None,
        error=str(found.get("error") or ""),
        cause=str(found.get("cause") or ""),
    )


def recent(account: Account, dataset: Dataset, limit: int = 10) -> tuple[Execution, ...]:
    """The newest executions of a dataset, newest first; without their inputs and outputs."""
    arn = account.state_machine_arn(DatasetNames(dataset.config, account.prefix).state_machine)
    with speaking("states:ListExecutions", absent=_DEPLOY_FIRST):
        found = account.client("stepfunctions").list_executions(stateMachineArn=arn, maxResults=limit)
    return tuple(
        Execution(
            arn=str(one["executionArn"]),
            name=str(one["name"]),
            status=one["status"],
            started_at=_stamp(one["startDate"]),
            ended_at=_stamp(one["stopDate"]) if one.get("stopDate") else None,
            input={},
            output=None,
        )
        for one in found["executions"]
    )


def stop(account: Account, arn: str, reason: str) -> Execution:
    """Stop a running execution; UsageError where it has ended."""
    before = describe(account, arn)
    if before.has_ended:
        raise UsageError(f"{before.name} has ended: {before.status.lower()}", hint="pharmaetl runs list")
    with speaking("states:StopExecution"):
        account.client("stepfunctions").stop_execution(executionArn=arn, error="StoppedByUser", cause=reason)
    return describe(account, arn)


def resume(account: Account, arn: str, now: datetime | None = None) -> Execution:
    """Go on with an execution that has ended without success; UsageError for others.

    One that timed out or was stopped is redriven from the state in which it was. One that failed has been through its
    failure path and would end in the same Fail state again, so a new one is started with the same input.
    """
    before = describe(account, arn)
    if before.status in {"RUNNING", "PENDING_REDRIVE", "SUCCEEDED"}:
        raise UsageError(f"{before.name} is {before.status.lower()}: nothing to resume", hint="pharmaetl runs list")
    if before.status == "FAILED" and before.error == failure_path.ERROR:
        return start(account, _again(before, now or datetime.now(UTC)))[0]
    with speaking("states:RedriveExecution"):
        account.client("stepfunctions").redrive_execution(executionArn=arn)
    return describe(account, arn)


def _again(failed: Execution, moment: datetime) -> Request:
    machine = failed.arn.rpartition(":")[0].replace(":execution:", ":stateMachine:")
    name = f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{hashing.of_json([failed.name, failed.input])[:8]}"
    return Request(machine, name, failed.input)


def visits(account: Account, arn: str) -> tuple[StateVisit, ...]:
    """Every state that an execution has visited, in order, read from its history."""
    client = account.client("stepfunctions")
    with speaking("states:GetExecutionHistory"):
        pages = client.get_paginator("get_execution_history").paginate(executionArn=arn, includeExecutionData=False)
        events = [event for page in pages for event in page["events"]]
    return visits_in(events)


def visits_in(events: Sequence[dict[str, Any]]) -> tuple[StateVisit, ...]:
    """The states visited in a history, oldest first; the last one may be running."""
    found: list[StateVisit] = []
    entered: datetime | None = None
    tries, failure = 0, ""
    for event in events:
        kind = str(event["type"])
        if kind.endswith("StateEntered"):
            found.append(StateVisit(event["stateEnteredEventDetails"]["name"], "running", 0.0))
            entered, tries, failure = event["timestamp"], 0, ""
        elif kind in {"TaskScheduled", "LambdaFunctionScheduled"}:
            tries += 1
        elif (details := _failure_in(event)) is not None:
            failure = str(details.get("error") or kind)
        if found and entered is not None and found[-1].outcome == "running":
            seconds = round((event["timestamp"] - entered).total_seconds(), 3)
            found[-1] = StateVisit(found[-1].name, "running", seconds, _tried(tries, failure))
            if kind.endswith("StateExited"):
                # a task that was caught leaves its state as any other does, the last word was its failure
                found[-1] = StateVisit(found[-1].name, "failed" if failure else "done", seconds, failure)
            elif kind in {"ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}:
                found[-1] = StateVisit(found[-1].name, "failed", seconds, failure or kind.removeprefix("Execution"))
        if kind in {"TaskSucceeded", "LambdaFunctionSucceeded"}:
            failure = ""
    return tuple(found)


def _failure_in(event: dict[str, Any]) -> dict[str, Any] | None:
    """The error of an event that says that a task failed; None for every other event."""
    for key, details in event.items():
        if key.startswith(("task", "lambdaFunction")) and key.endswith(("FailedEventDetails", "TimedOutEventDetails")):
            return dict(details)
    return None


def _tried(tries: int, failure: str) -> str:
    if tries > 1:
        return f"try {tries}" + (f" after {failure}" if failure else "")
    return failure


def follow(
    account: Account, arn: str, saw: Callable[[Sequence[StateVisit]], None], pause: Callable[[], None]
) -> Execution:
    """Look at an execution until it has ended, and show its states each time; `pause` waits between two looks."""
    while True:
        now = describe(account, arn)
        saw(visits(account, arn))
        if now.has_ended:
            return now
        pause()


def pauses(shortest: float = 1.0, longest: float = 10.0) -> Iterator[float]:
    """Seconds to wait between looks: short at first, then longer, within what the API's request rate allows."""
    seconds = shortest
    while True:
        yield seconds
        seconds = min(seconds * 1.3, longest)


def _object(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
