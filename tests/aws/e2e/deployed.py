"""The stacks as `pharmaetl aws deploy` leaves them in the emulator, and what tests do with them."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import ACCOUNT, REGION, Emulator
from tooling import Tools

DATASETS = Path(__file__).parents[3] / "datasets"
DEPLOYED = ("nsde", "cder")
BUCKET = f"pp-raws-lake-{ACCOUNT}-{REGION}"
LAKE = f"s3://{BUCKET}"
_ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
_STATES = f"arn:aws:states:{REGION}:{ACCOUNT}"
_LONGEST = 300
"""Seconds after which an execution hangs: some ten times what one takes where nothing else runs."""


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed on stdout, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Ended:
    """How an execution ended; of one that failed, what it says in its cause."""

    arn: str
    status: str
    output: dict[str, Any]
    error: str
    cause: dict[str, Any]


@dataclass(frozen=True)
class Cloud:
    """The deployed stacks of `DEPLOYED`; commands run in `folder`, with the datasets in it."""

    emulator: Emulator
    tools: Tools
    folder: Path
    inbox: str
    """URL of a queue that hears what the topic of alerts says."""

    def command(self, *words: str) -> subprocess.Popen[str]:
        """A command line that has been started."""
        path = f"{self.tools.cdk.parent}:{self.emulator.environment['PATH']}"
        environment = {**self.emulator.environment, "PHARMAETL_DATASETS": str(self.folder / "datasets"), "PATH": path}
        return subprocess.Popen(
            words, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def pharmaetl(self, *words: str, code: int = 0) -> Finished:
        """A command of ours, which ends with an exit code."""
        return finished(self.command(sys.executable, "-m", "pharmaetl", *words), code)

    @staticmethod
    def machine(dataset: str) -> str:
        """The ARN of a dataset's state machine."""
        return f"{_STATES}:stateMachine:{dataset}-orchestrator"

    def start(self, dataset: str, given: Mapping[str, Any], name: str) -> str:
        """Start an execution as `aws stepfunctions start-execution` does; its ARN."""
        found = self.emulator.client("stepfunctions").start_execution(
            stateMachineArn=self.machine(dataset), name=name, input=json.dumps(given)
        )
        return str(found["executionArn"])

    def wait(self, arn: str) -> Ended:
        """Look on until an execution has ended."""
        client, until = self.emulator.client("stepfunctions"), time.monotonic() + _LONGEST
        while (now := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < until, f"still running: {self.states(arn)}"
            time.sleep(0.2)
        failed = now["status"] != "SUCCEEDED"
        output = {} if failed else json.loads(now["output"])
        cause = json.loads(now.get("cause") or "{}")
        return Ended(arn, now["status"], output, now.get("error", ""), cause if failed else {})

    def states(self, arn: str) -> list[str]:
        """The states that an execution has entered, in order."""
        pages = self.emulator.client("stepfunctions").get_paginator("get_execution_history")
        events = [event for page in pages.paginate(executionArn=arn) for event in page["events"]]
        return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]

    def invoke(self, function: str, event: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Invoke a function as `aws lambda invoke` does; the kind of its error, if any, and what it returns."""
        found = self.emulator.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return found.get("FunctionError", ""), json.load(found["Payload"])

    def keys(self, prefix: str) -> list[str]:
        """The objects of the lake below a prefix."""
        pages = self.emulator.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def rows(self, path: str) -> list[dict[str, Any]]:
        """The rows of a Parquet file of the lake."""
        import pyarrow.parquet as pq

        body = self.emulator.client("s3").get_object(Bucket=BUCKET, Key=path)["Body"].read()
        return list(pq.read_table(io.BytesIO(body)).to_pylist())

    def manifest(self, dataset: str) -> dict[str, Any]:
        """The current entry of a dataset's publish log."""
        found: dict[str, Any] = self.pharmaetl("manifest", "show", dataset, "--lake", LAKE, "--json").json["current"]
        return found

    def dead_letters(self, dataset: str) -> list[dict[str, Any]]:
        """The messages that wait in a dataset's queue of failed runs; they are gone after that."""
        queue = self.emulator.client("sqs").get_queue_url(QueueName=f"{dataset}-dead-letters")["QueueUrl"]
        return [json.loads(body) for body in self._bodies(queue)]

    def alerts(self, expected: int) -> list[dict[str, Any]]:
        """What the topic said since the last look: waits for so many notices, which come by themselves."""
        found: list[dict[str, Any]] = []
        until = time.monotonic() + 20
        while len(found) < expected and time.monotonic() < until:
            found += [json.loads(body) for body in self._bodies(self.inbox)]
        return found

    def _bodies(self, queue: str) -> list[str]:
        sqs, found = self.emulator.client("sqs"), list[str]()
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(message["Body"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found


def finished(process: subprocess.Popen[str], code: int = 0) -> Finished:
    """Wait for a command; it has to end with an exit code."""
    out, err = process.communicate(timeout=_LONGEST)
    assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
    return Finished(process.returncode, out, err)


def deploy(emulator: Emulator, tools: Tools, folder: Path, site: str) -> Cloud:
    """Bootstrap the account and deploy, with the CDK's command line and ours; a source is `<site>/<name>.zip`."""
    for name in DEPLOYED:
        copy = shutil.copytree(DATASETS / "fda" / name, folder / "datasets" / "fda" / name) / "config" / "dataset.json"
        config = json.loads(copy.read_text())
        copy.write_text(json.dumps({**config, "source_url": f"{site}/{name}.zip", "editions": {}}))
    (folder / "cdk.json").write_text(json.dumps({"context": {"emulated": "true"}}))
    cloud = Cloud(emulator, tools, folder, "")
    finished(cloud.command(str(tools.cdk), "bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", ""))
    # the bucket for assets wants TLS, which the emulator doesn't speak
    emulator.client("s3").delete_bucket_policy(Bucket=_ASSETS)
    cloud.pharmaetl("aws", "deploy", *DEPLOYED, "--yes")
    return Cloud(emulator, tools, folder, _listening(emulator))


def _listening(emulator: Emulator) -> str:
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox"
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allowed, "Resource": arn}]})
    queue = emulator.client("sqs").create_queue(QueueName="inbox", Attributes={"Policy": policy})["QueueUrl"]
    emulator.client("sns").subscribe(
        TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:pp-raws-alerts",
        Protocol="sqs",
        Endpoint=arn,
    )
    return str(queue)
