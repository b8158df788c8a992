"""What is deployed: the stacks as CloudFormation knows them, and the command that brings them up to date."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pharmaetl.aws import executions
from pharmaetl.aws.account import Account, speaking
from pharmaetl.aws.naming import BaseNames, DatasetNames
from pharmaetl.catalog import Catalog, Dataset
from pharmaetl.errors import ConfigError, PharmaetlError, UnavailableError

CDK_CLI = "aws-cdk@2.1148.1"
"""The version line that reads the assemblies of the aws-cdk-lib that the extra `cdk` asks for."""
CODE_TAG = "pharmaetl:code-sha256"
"""Stack tag with the hash of the code that decides the data, so that a deployment that lags behind is seen."""


@dataclass(frozen=True)
class Deployed:
    """A dataset as it is deployed; None for what is not there or could not be asked."""

    dataset: str
    stack: str
    stack_status: str | None
    code_sha256: str | None
    last_execution: executions.Execution | None
    running: int
    dead_letters: int | None
    problem: str = ""
    """Why something could not be asked."""


def stack_of(account: Account, name: str) -> dict[str, Any] | None:
    """A stack as CloudFormation describes it; None where there is none of this name."""
    from botocore.exceptions import ClientError

    with speaking("cloudformation:DescribeStacks"):
        try:
            found = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error.response.get("Error", {}).get("Message", "")):
                return None
            raise
    return dict(found[0]) if found else None


def code_of(stack: dict[str, Any]) -> str | None:
    """The code hash that a stack was deployed with."""
    return next((tag["Value"] for tag in stack.get("Tags", []) if tag["Key"] == CODE_TAG), None)


def deployed(account: Account, dataset: Dataset) -> Deployed:
    """How a dataset stands on AWS."""
    names = DatasetNames(dataset.config, account.prefix)
    stack = stack_of(account, names.stack)
    if stack is None:
        return Deployed(dataset.name, names.stack, None, None, None, 0, None)
    problem = ""
    newest: tuple[executions.Execution, ...] = ()
    waiting: int | None = None
    try:
        newest = executions.recent(account, dataset)
        waiting = _waiting(account, names.dead_letters)
    except PharmaetlError as error:
        problem = error.reason
    return Deployed(
        dataset=dataset.name,
        stack=names.stack,
        stack_status=str(stack["StackStatus"]),
        code_sha256=code_of(stack),
        last_execution=newest[0] if newest else None,
        running=sum(execution.status == "RUNNING" for execution in newest),
        dead_letters=waiting,
        problem=problem,
    )


def _waiting(account: Account, queue: str) -> int:
    """Messages in a queue, about."""
    client = account.client("sqs")
    with speaking("sqs:GetQueueAttributes"):
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        names = ["ApproximateNumberOfMessages"]
        return int(client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])


def stacks_for(catalog: Catalog, chosen: Sequence[str], prefix: str) -> list[str]:
    """The stacks of the datasets asked for, the base first; of all of them where none is."""
    names = list(chosen) or catalog.names()
    return [BaseNames(prefix).stack, *(DatasetNames(catalog.find(name).config, prefix).stack for name in names)]


def deploy_command(stacks: Sequence[str], prefix: str, context: Sequence[str] = (), *, approve: bool) -> list[str]:
    """The CDK command line that deploys stacks; ConfigError where neither cdk nor npx is installed.

    `context`: KEY=VALUE of `pharmaetl.aws.cdk.settings.Settings`, such as reserved_concurrency=0.
    """
    cdk = shutil.which("cdk")
    npx = shutil.which("npx")
    if cdk is None and npx is None:
        raise ConfigError(
            "deploying needs Node and the CDK command line", hint=f"install Node 20 or newer, then: npm i -g {CDK_CLI}"
        )
    program = [cdk] if cdk else [str(npx), "--yes", CDK_CLI]
    options = ["--app", f"{sys.executable} -m pharmaetl.aws.cdk", "--context", f"prefix={prefix}"]
    options += [word for pair in context for word in ("--context", pair)]
    return [*program, "deploy", *stacks, *options, "--require-approval", "never" if approve else "broadening"]


def deploy(command: Sequence[str], datasets: str | None) -> None:
    """Run the CDK over a folder of datasets, or those found; it speaks on stderr. UnavailableError where it fails."""
    environment = {**os.environ, **({"PHARMAETL_DATASETS": datasets} if datasets else {})}
    # words of our own making, and no shell
    done = subprocess.run(list(command), env=environment, stdout=sys.stderr, check=False)  # noqa: S603
    if done.returncode != 0:
        raise UnavailableError(
            f"cdk deploy ended with exit status {done.returncode}",
            hint="what it said stands above; `pharmaetl aws doctor` checks account, region and stacks",
        )
