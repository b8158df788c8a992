"""Each patch of moto is still needed: these tests fail when a new moto makes one superfluous."""

from __future__ import annotations

import json

import boto3
import machine
import moto_patches
import pytest
from moto import mock_aws

from pharmaetl.aws.naming import DatasetNames

SYNC = {
    "StartAt": "Job",
    "States": {
        "Job": {
            "Type": "Task",
            "Resource": "arn:aws:states:::glue:startJobRun.sync",
            "Parameters": {"JobName": "job"},
            "End": True,
        }
    },
}


def ran(name: str) -> machine.Ended:
    boto3.client("glue").create_job(Name="job", Role="any", Command={"Name": "glueetl", "ScriptLocation": "s3://b/x"})
    made = boto3.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(SYNC), roleArn="arn:aws:iam::123456789012:role/any"
    )
    names = DatasetNames(machine.NSDE.config)
    return machine.Machine(machine.NSDE, made["stateMachineArn"], "", "", names).run({})


def test_moto_cannot_wait_for_a_job_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    machine.environment(monkeypatch)
    with machine.aws():
        ended = ran("unpatched")

    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")
    assert "interrupt_all" in ended.cause


def test_moto_runs_no_job_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    machine.environment(monkeypatch)
    moto_patches.glue_sync(monkeypatch)
    with machine.aws():
        ended = ran("unpatched")

    assert (ended.status, ended.output["JobRunState"]) == ("SUCCEEDED", "SUCCEEDED")


def test_moto_runs_no_function_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    machine.environment(monkeypatch)
    with mock_aws(config=machine.CONFIG):
        answer = boto3.client("lambda").invoke(FunctionName="nowhere", Payload=b'{"asked": 1}')

    assert json.load(answer["Payload"]) == {"asked": 1}
