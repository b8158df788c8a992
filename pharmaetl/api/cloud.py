"""AWS: start runs there, look on, stop them, go on with them, and see what is deployed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl.errors import PharmaetlError, UsageError
from pharmaetl.lake import runs as run_records
from pharmaetl.lake.documents import RunRecord
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

if TYPE_CHECKING:
    from pharmaetl.aws.costs import RunCost
    from pharmaetl.aws.deployment import Deployed
    from pharmaetl.aws.executions import Execution, Request, StateVisit
    from pharmaetl.doctor import Diagnosis

Looker = Callable[["Sequence[StateVisit]"], None]
"""Is shown the states of an execution, again and again while it runs."""


@dataclass(frozen=True)
class CloudPlan:
    """What would be asked of Step Functions, and what the run would cost."""

    dataset: str
    request: Request
    cost: RunCost


@dataclass(frozen=True)
class Synthesised:
    """What `synth` has written."""

    files: tuple[Path, ...]
    unbundled: str
    """Why the functions' archives lack their libraries, and can't run on Lambda; empty where they have them."""


def cloud_place(place: Place) -> Place:
    """The place with its lake on S3: the one asked for, or that of the account's base stack."""
    from pharmaetl.aws.account import Account

    return place if place.lake.startswith("s3://") else replace(place, lake=Account.of_environment().lake)


def start(place: Place, dataset: str, options: RunOptions) -> tuple[Execution, bool]:
    """Start a run on AWS; was it started now, or by the same request before?"""
    from pharmaetl.aws import executions
    from pharmaetl.aws.account import Account

    account = Account.of_environment()
    return executions.start(account, executions.request(account, place.catalog.find(dataset), options))


def follow(place: Place, arn: str, saw: Looker) -> RunRecord:
    """Look on until an execution has ended: its run's record, or the error that it failed with."""
    from pharmaetl.aws import executions, outcomes
    from pharmaetl.aws.account import Account

    waits = executions.pauses()
    ended = executions.follow(Account.of_environment(), arn, saw, lambda: time.sleep(next(waits)))
    return outcomes.record_of(cloud_place(place).storage, ended)


def execution_of(place: Place, run: str) -> str:
    """The ARN behind a run id, an execution's ARN, or its name; UsageError where it is none of them."""
    if run.startswith("arn:"):
        return run
    try:
        record = run_records.find(cloud_place(place).storage, run)
    except UsageError:
        if (found := _by_name(place, run)) is None:
            raise
        return found
    if not record.process.startswith("arn:"):
        raise UsageError(f"{record.run_id} was run on {record.process}, not on AWS", hint="pharmaetl runs list")
    return record.process


def _by_name(place: Place, name: str) -> str | None:
    """The execution of a name among the newest ones of every dataset that is deployed."""
    from pharmaetl.aws import executions
    from pharmaetl.aws.account import Account

    account = Account.of_environment()
    for dataset in place.catalog:
        try:
            known = executions.recent(account, dataset, limit=100)
        except UsageError:  # not deployed
            continue
        for execution in known:
            if execution.name == name:
                return execution.arn
    return None


def stop(place: Place, run: str, reason: str) -> Execution:
    """Stop a run on AWS; what it has written stays invisible, and is pruned."""
    from pharmaetl.aws import executions
    from pharmaetl.aws.account import Account

    return executions.stop(Account.of_environment(), execution_of(place, run), reason)


def resume(place: Place, run: str) -> Execution:
    """Go on with a run on AWS that failed, timed out or was stopped; the execution that does."""
    from pharmaetl.aws import executions
    from pharmaetl.aws.account import Account

    return executions.resume(Account.of_environment(), execution_of(place, run))


def cloud_plan(place: Place, dataset: str, options: RunOptions) -> CloudPlan:
    """What `start` would ask for, and what it would cost by past runs; starts nothing."""
    from pharmaetl.aws import costs, executions
    from pharmaetl.aws.account import Account

    account, found = Account.of_environment(), place.catalog.find(dataset)
    past = run_records.recent(cloud_place(place).storage, found.name, 20)
    return CloudPlan(found.name, executions.request(account, found, options), costs.estimate(found.config, past))


def cloud_status(place: Place, dataset: str | None = None) -> tuple[Deployed, ...]:
    """What is deployed of one dataset, or of all, and how it stands."""
    from pharmaetl.aws import deployment
    from pharmaetl.aws.account import Account

    account = Account.of_environment()
    chosen = [place.catalog.find(dataset)] if dataset else list(place.catalog)
    return tuple(deployment.deployed(account, each) for each in chosen)


def cloud_doctor(place: Place) -> tuple[Diagnosis, ...]:
    """Is the AWS side set up? Each finding comes with its fix."""
    from pharmaetl.aws import doctor
    from pharmaetl.aws.account import Account

    return doctor.doctor(Account.of_environment(), place)


def deploy(place: Place, datasets: Sequence[str], context: Sequence[str] = (), *, approve: bool) -> list[str]:
    """Deploy the base stack and those of datasets (all where none is named) with the CDK; the stacks' names."""
    from pharmaetl.aws import deployment
    from pharmaetl.aws.account import Account

    prefix = Account.of_environment().prefix
    stacks = deployment.stacks_for(place.catalog, datasets, prefix)
    deployment.deploy(deployment.deploy_command(stacks, prefix, context, approve=approve), place.datasets)
    return stacks


def synth(place: Place, out: Path, *, bundle: bool | None = None) -> Synthesised:
    """Write every stack's template and every dataset's state machine; asks AWS nothing, and needs no network.

    The functions' archives get their libraries, which pip downloads once: where they can be had (`bundle` None), or
    else ConfigError (True), or not at all (False).
    """
    from pharmaetl.aws import cdk
    from pharmaetl.aws.account import Account

    cdk.require()
    why = _why_unbundled(bundle)
    settings = cdk.Settings(prefix=Account.of_environment().prefix, bundle=not why)
    return Synthesised(cdk.synth(place.catalog, out, settings), why)


def _why_unbundled(bundle: bool | None) -> str:
    from pharmaetl.aws import packaging

    if bundle is False:
        return "they weren't asked for"
    try:
        packaging.libraries()
    except PharmaetlError as error:
        if bundle:
            raise
        return error.reason
    return ""


def request_json(plan: CloudPlan) -> dict[str, Any]:
    """The StartExecution request of a plan, as the API takes it."""
    return plan.request.as_json()
