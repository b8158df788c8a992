"""A dataset's state machine, executed by moto in this process; fakes stand where Lambda and Glue run code."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.config import DefaultConfig

from pharmaetl.aws import state_machine
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.catalog import Dataset, shipped

REGION, ACCOUNT = "us-east-1", "123456789012"
CONFIG: DefaultConfig = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}
NSDE = Dataset(shipped() / "fda" / "nsde")


@dataclass(frozen=True)
class Ended:
    """How an execution ended."""

    status: str
    path: tuple[str, ...]
    output: dict[str, Any]
    error: str
    cause: str


@dataclass
class Machine:
    """A deployed state machine with its queue, topic, jobs and crawler; `deploy` inside `mock_aws(config=CONFIG)`."""

    dataset: Dataset
    arn: str
    queue: str
    inbox: str
    names: DatasetNames
    started: int = field(default=0)

    def run(self, given: Any, *, name: str | None = None, seconds: float = 20) -> Ended:
        """Execute it to its end."""
        client = boto3.client("stepfunctions")
        self.started += 1
        found = client.start_execution(
            stateMachineArn=self.arn, name=name or f"execution-{self.started}", input=json.dumps(given)
        )
        arn, until = found["executionArn"], time.monotonic() + seconds
        while (now := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < until, f"still running: {_path(arn)}"
            time.sleep(0.02)
        output = json.loads(now.get("output") or "{}")
        return Ended(now["status"], _path(arn), output, now.get("error", ""), now.get("cause", ""))

    def dead_letters(self) -> list[dict[str, Any]]:
        """What reached the queue since the last look."""
        return [json.loads(body) for body in _bodies(self.queue)]

    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        """Subject and message of what reached the topic since the last look."""
        envelopes = [json.loads(body) for body in _bodies(self.inbox)]
        return [(envelope["Subject"], json.loads(envelope["Message"])) for envelope in envelopes]


def _path(arn: str) -> tuple[str, ...]:
    pages = boto3.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
    events = [event for page in pages for event in page["events"]]
    return tuple(event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event)


def _bodies(queue: str) -> list[str]:
    sqs, found = boto3.client("sqs"), list[str]()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def filled(definition: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """The definition with its placeholders filled in, as a deployment does."""
    text = json.dumps(definition)
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def deploy(dataset: Dataset, *, crawler: bool = True, definition: dict[str, Any] | None = None) -> Machine:
    """Create the state machine and everything that it calls."""
    names = DatasetNames(dataset.config)
    glue, sqs, sns = boto3.client("glue"), boto3.client("sqs"), boto3.client("sns")
    for job in names.jobs.values():
        glue.create_job(Name=job, Role="any", Command={"Name": "glueetl", "ScriptLocation": "s3://b/x.py"})
    if crawler and names.crawler:
        glue.create_crawler(Name=names.crawler, Role="any", Targets={"S3Targets": [{"Path": "s3://b/bronze/"}]})
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue, inbox = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in (names.dead_letters, "inbox"))
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox")
    values = {
        "FetchAndHashFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{names.fetch_function}",
        "UpdateManifestFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{names.manifest_function}",
        **{f"{layer.capitalize()}JobName": job for layer, job in names.jobs.items()},
        "CrawlerName": names.crawler or "",
        "DeadLetterQueueUrl": queue,
        "AlertsTopicArn": topic,
    }
    made = boto3.client("stepfunctions").create_state_machine(
        name=names.state_machine,
        definition=json.dumps(filled(definition or state_machine.definition(dataset.config), values)),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/any",
    )
    return Machine(dataset, made["stateMachineArn"], queue, inbox, names)


def environment(patch: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
    }.items():  # fmt: skip
        patch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        patch.delenv(name, raising=False)


def aws() -> Any:
    """An AWS of one's own, whose Step Functions execute."""
    return mock_aws(config=CONFIG)


__all__ = ["NSDE", "Ended", "Machine", "aws", "deploy", "environment", "filled"]
