"""Each role may do what it needs and no more: without one of its statements, its work is denied.

The emulator checks the roles of functions and jobs. Those of state machine, schedules and rule it takes on without
looking: what is deployed is compared with what they call.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from deployed import LAKE, Cloud
from emulator import ACCOUNT, REGION
from runs import Unchanged

from pharmaetl.aws.permissions import iam_actions

pytestmark = pytest.mark.engine

EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:cder-orchestrator:by-hand"
KNOWN = {"execution": EXECUTION, "name": "by-hand", "started_at": "2026-11-23T03:15:00.123Z"}


def test_fetching_needs_the_right_to_write_to_the_lake(cloud: Cloud, unchanged: Unchanged) -> None:
    with without(cloud, _role_of_function(cloud, "cder-fetch-and-hash"), "Write"):
        failure, answer = cloud.invoke("cder-fetch-and-hash", {"input": {"force": True}, **KNOWN})
    assert (failure, answer["errorType"]) == ("Unhandled", "DeniedError")
    assert "s3:PutObject" in answer["errorMessage"]


def test_publishing_needs_the_right_to_write_to_the_lake(cloud: Cloud, unchanged: Unchanged) -> None:
    failed = {"Error": "GateError", "Cause": "too many nulls"}
    event = {"action": "record_failure", "dataset": "cder", **KNOWN, "state": "Bronze", "error": failed, "fetch": None}
    with without(cloud, _role_of_function(cloud, "cder-update-manifest"), "Write"):
        failure, answer = cloud.invoke("cder-update-manifest", {**event, "input": {}})
    assert (failure, answer["errorType"]) == ("Unhandled", "DeniedError")


def test_triggering_needs_the_right_to_start_executions(cloud: Cloud, unchanged: Unchanged) -> None:
    with without(cloud, _role_of_function(cloud, "cder-trigger"), "Start"):
        failure, answer = cloud.invoke("cder-trigger", {"force": False})
    assert (failure, answer["errorType"]) == ("Unhandled", "DeniedError")
    assert "states:StartExecution" in answer["errorMessage"]


def test_a_lake_that_cannot_be_read_is_stale(cloud: Cloud, unchanged: Unchanged) -> None:
    known, fresh = cloud.invoke("cder-freshness", {})
    with without(cloud, _role_of_function(cloud, "cder-freshness"), "Read"):
        denied = cloud.invoke("cder-freshness", {})
    assert (known, fresh["Stale"], "AgeHours" in fresh) == ("", 0, True)
    assert denied == ("", {"dataset": "cder", "Stale": 1})


def test_the_jobs_need_the_right_to_the_runs_under_way(cloud: Cloud, unchanged: Unchanged) -> None:
    glue = cloud.emulator.client("glue")
    jobs = ("cder-bronze-etl", "cder-silver-etl", "cder-gold-etl")
    roles = [glue.get_job(JobName=job)["Job"]["Role"].rpartition("/")[2] for job in jobs]
    assert len({_policy(cloud, role, "Write")[0] for role in roles}) == 1
    with without(cloud, roles[0], "Write"):
        said = _again(cloud, jobs)
    assert all("AccessDenied" in one for one in said), said


def test_a_gold_job_that_may_not_read_its_code_fails_the_run_and_leaves_the_version(
    cloud: Cloud, unchanged: Unchanged
) -> None:
    before = cloud.manifest("cder")
    job = cloud.emulator.client("glue").get_job(JobName="cder-gold-etl")["Job"]
    with without(cloud, job["Role"].rpartition("/")[2], "Code"):
        ended = cloud.wait(cloud.start("cder", {"force": True}, "without-gold"))
    assert (ended.status, ended.cause["state"]) == ("FAILED", "Gold")
    assert cloud.states(ended.arn)[-6:] == ["Gold", "GoldFailed", "RecordFailure", "DeadLetter", "Notify", "Failed"]
    assert "AccessDenied" in ended.cause["reason"]
    assert cloud.manifest("cder") == before
    assert [letter["state"] for letter in cloud.dead_letters("cder")] == ["Gold"]
    record = cloud.pharmaetl("runs", "show", ended.cause["run_id"], "--lake", LAKE, "--json").json
    assert [step["name"] for step in record["steps"]][-3:] == ["bronze", "silver", "gold"]
    assert record["steps"][-1]["outcome"] == "failed"


def test_the_state_machine_may_do_exactly_what_it_calls(cloud: Cloud) -> None:
    client = cloud.emulator.client("stepfunctions")
    machine = client.describe_state_machine(
        stateMachineArn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:cder-orchestrator"
    )
    called = {
        (need.action, _arn(need.resource, need.action)) for need in iam_actions(json.loads(machine["definition"]))
    }
    granted = _granted(cloud, machine["roleArn"].rpartition("/")[2])
    beside = {action for action, _ in granted - called}
    assert called <= granted
    assert {action.split(":")[0] for action in beside} == {"kms", "logs", "xray"}


def test_the_schedules_may_wake_exactly_the_functions_that_they_name(cloud: Cloud) -> None:
    client = cloud.emulator.client("scheduler")
    targets = [client.get_schedule(Name=name)["Target"] for name in ("cder-cadence", "cder-freshness")]
    (role,) = {target["RoleArn"].rpartition("/")[2] for target in targets}
    granted = _granted(cloud, role)
    assert {resource for action, resource in granted if action == "lambda:InvokeFunction"} == {
        target["Arn"] for target in targets
    }
    assert {action for action, _ in granted} == {
        "lambda:InvokeFunction", "sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey",
    }  # fmt: skip


@contextmanager
def without(cloud: Cloud, role: str, sid: str) -> Iterator[None]:
    """The role's policy lacks one of its statements meanwhile."""
    arn, document = _policy(cloud, role, sid)
    # about nothing that there is, since a policy has to say something
    nothing = {"Resource": ["arn:aws:s3:::nothing"]}
    kept = [{**one, **nothing} if one["Sid"] == sid else one for one in document["Statement"]]
    _settle(cloud, arn, {**document, "Statement": kept})
    try:
        yield
    finally:
        _settle(cloud, arn, document)


def _settle(cloud: Cloud, arn: str, document: dict[str, Any]) -> None:
    """Make a document the policy's only version; the emulator can't go back to an older one."""
    iam = cloud.emulator.client("iam")
    before = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
    iam.delete_policy_version(PolicyArn=arn, VersionId=before)


def _policies(cloud: Cloud, role: str) -> dict[str, dict[str, Any]]:
    """The policies of a role, by ARN."""
    iam, found = cloud.emulator.client("iam"), {}
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found[arn] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return found


def _policy(cloud: Cloud, role: str, sid: str) -> tuple[str, dict[str, Any]]:
    """The one policy of a role that has a statement, which other roles may have too."""
    policies = _policies(cloud, role).items()
    (found,) = [(arn, one) for arn, one in policies if sid in {statement["Sid"] for statement in one["Statement"]}]
    return found


def _granted(cloud: Cloud, role: str) -> set[tuple[str, str]]:
    statements = [statement for one in _policies(cloud, role).values() for statement in one["Statement"]]
    return {(action, str(resource)) for one in statements for action in one["Action"] for resource in one["Resource"]}


def _arn(resource: str, action: str) -> str:
    """What a definition names, as a policy names it."""
    service = action.partition(":")[0]
    if service == "glue":
        kind = "crawler" if action == "glue:StartCrawler" else "job"
        return f"arn:aws:glue:{REGION}:{ACCOUNT}:{kind}/{resource}"
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{resource.rpartition('/')[2]}" if service == "sqs" else resource


def _role_of_function(cloud: Cloud, name: str) -> str:
    found = cloud.emulator.client("lambda").get_function(FunctionName=name)["Configuration"]["Role"]
    return str(found).rpartition("/")[2]


def _again(cloud: Cloud, jobs: tuple[str, ...]) -> list[str]:
    """Run each job again with the arguments of its last run, all at once; what they failed with."""
    glue = cloud.emulator.client("glue")
    started = []
    for job in jobs:
        last = glue.get_job_runs(JobName=job)["JobRuns"][0]["Arguments"]
        arguments = {key: value for key, value in last.items() if key.endswith(("path", "run_id"))}
        started.append((job, glue.start_job_run(JobName=job, Arguments=arguments)["JobRunId"]))
    said, until = [], time.monotonic() + 300
    for job, run in started:
        while (found := glue.get_job_run(JobName=job, RunId=run)["JobRun"])["JobRunState"] in {"STARTING", "RUNNING"}:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert found["JobRunState"] == "FAILED"
        said.append(found["ErrorMessage"])
    return said
