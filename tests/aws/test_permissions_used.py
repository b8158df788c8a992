"""What the handlers ask of AWS is what their roles may do: every call of a few runs, held against the statements."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from cloud import DATASETS, Execution, a_release
from deployments import filled
from pyspark.sql import SparkSession
from s3_servers import S3Server, moto_server
from test_handlers import Context

from pharmaetl import engine
from pharmaetl.aws.cdk.arns import Shared
from pharmaetl.aws.cdk.policies import Grants, Statement
from pharmaetl.aws.cdk.settings import Settings
from pharmaetl.aws.lambdas import fetch_and_hash, freshness, trigger, update_manifest
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.catalog import Dataset
from pharmaetl.lake import runs
from pharmaetl.lake.documents import RunRecord, Source
from pharmaetl.lake.process import process_name
from pharmaetl.place import Place

NSDE = Dataset(DATASETS / "fda" / "nsde").config
GRANTS = Grants(DatasetNames(NSDE), Shared(Settings()), {"Ref": "LakeKeyArn"})
LAKE = "arn:aws:s3:::pp-raws-lake-111122223333-us-east-1"
WRITES = {"PutObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}
READS = {"GetObject", "HeadObject"}
CREATED_ONCE = ("manifests/*/*.json", "contracts/*/*.json")

Role = Callable[[], list[Statement]]
Asked = tuple[str, str]
"""An action, and the resource that it is asked for."""


@dataclass
class Calls:
    """What was asked of AWS, by the role that asked."""

    asked: dict[str, set[Asked]] = field(default_factory=dict)
    writes: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    role: str = ""

    def note(self, service: str, operation: str, given: dict[str, Any]) -> None:
        if service == "s3" and operation in WRITES | {"DeleteObject"}:
            self.writes.append((operation, given["Key"], given))
        self.asked.setdefault(self.role, set()).update(needs(service, operation, given))


def needs(service: str, operation: str, given: dict[str, Any]) -> Iterator[Asked]:
    """The actions that a call needs (service authorisation reference)."""
    match service, operation:
        case "s3", "ListObjectsV2":
            yield "s3:ListBucket", LAKE
        case "s3", _ if operation in READS | WRITES | {"AbortMultipartUpload", "DeleteObject"}:
            action = "GetObject" if operation in READS else "PutObject" if operation in WRITES else operation
            yield f"s3:{action}", f"{LAKE}/{given['Key']}"
            if operation == "UploadPartCopy":
                yield "s3:GetObject", f"{LAKE}/{given['CopySource']['Key']}"
        case "glue", _:
            table = given.get("Name") or given.get("TableName") or given.get("TableInput", {}).get("Name") or "any"
            at = "arn:aws:glue:us-east-1:111122223333"
            for resource in ("catalog", f"database/{given['DatabaseName']}", f"table/{given['DatabaseName']}/{table}"):
                yield f"glue:{operation}", f"{at}:{resource}"
        case "stepfunctions", "StartExecution":
            name = given["stateMachineArn"].rpartition(":")[2]
            yield "states:StartExecution", f"arn:aws:states:us-east-1:111122223333:stateMachine:{name}"
        case _:
            yield f"{service}:{operation}", "unknown to this test"


def allows(statements: list[Statement], asked: Asked) -> bool:
    action, resource = asked
    return any(
        action in statement.actions and any(fnmatch.fnmatchcase(resource, filled(one)) for one in statement.resources)
        for statement in statements
    )


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as running:
        yield running


@pytest.fixture(scope="module")
def spark(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**server.environment, "AWS_ALLOW_HTTP": "true"}.items():
            patch.setenv(name, value)
        with engine.Engine(engine.choose("sail"), tmp_path_factory.mktemp("engine")) as running:
            yield running.session


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    found = Calls()
    real = BaseClient._make_api_call  # type: ignore[attr-defined]

    def noted(client: Any, operation: str, given: dict[str, Any]) -> Any:
        if found.role:
            found.note(client.meta.service_model.service_name, operation, given)
        return real(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    return found


@pytest.fixture
def place(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    lake = f"s3://{server.new_bucket()}"
    deployed = {"PHARMAETL_LAKE": lake, "PHARMAETL_DATASETS": str(DATASETS), "PHARMAETL_DATASET": "nsde"}
    for name, value in {**server.environment, **deployed, "POWERTOOLS_SERVICE_NAME": "nsde"}.items():
        monkeypatch.setenv(name, value)
    glue, machines = boto3.client("glue"), boto3.client("stepfunctions")
    glue.create_database(DatabaseInput={"Name": "nsde_db"})
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    role = "arn:aws:iam::123456789012:role/any"
    made = machines.create_state_machine(name="nsde-orchestrator", definition=definition, roleArn=role)
    monkeypatch.setenv("STATE_MACHINE_ARN", made["stateMachineArn"])
    yield Place(lake, str(DATASETS))
    machines.delete_state_machine(stateMachineArn=made["stateMachineArn"])
    glue.delete_database(Name="nsde_db")


def a_dead_run(place: Place) -> None:
    """A run of a process on this machine that is gone: the next run closes its record."""
    gone = f"{process_name().rpartition(':')[0]}:4194304"
    record = RunRecord(
        dataset="nsde", run_id="20261122T031500Z-1f2e3d4c", outcome="running", source=Source(url="https://x.test/"),
        started_at="2026-11-22T03:15:00Z", config_sha256="c", code_sha256="d", process=gone,
    )  # fmt: skip
    assert runs.claim(place.storage, record)


def go_through_everything(place: Place, spark: SparkSession, calls: Calls, tmp_path: Path) -> None:
    """Published, published again, unchanged, forced, refused, failed, triggered, looked at."""
    a_dead_run(place)
    run = Execution(place, spark)

    def handled(role: str, handler: Callable[..., Any], event: object) -> Any:
        calls.role = role
        try:
            return handler(event, Context())
        finally:
            calls.role = ""

    handled("fetch", fetch_and_hash.handler, run.fetch_event(a_release(tmp_path / "a.zip", 40, more=["too,short"])))
    handled("fetch", fetch_and_hash.handler, run.fetch_event(None))
    run.fetch(None)
    run.job("bronze")
    run.job("silver")
    handled("publish", update_manifest.handler, run.publish_event())
    handled("publish", update_manifest.handler, run.publish_event())
    later = Execution(place, spark, "two", "2026-11-24T03:15:00Z")
    handled("fetch", fetch_and_hash.handler, later.fetch_event(tmp_path / "a.zip"))
    handled("publish", update_manifest.handler, later.failure_event("FetchAndHash", "UnavailableError", "{}"))
    failed = Execution(place, spark, "three", "2026-11-25T03:15:00Z")
    failed.fetch(tmp_path / "a.zip", force=True)
    handled("publish", update_manifest.handler, failed.failure_event("Bronze", "States.TaskFailed", "{}"))
    handled("trigger", trigger.handler, {"force": False})
    handled("freshness", freshness.handler, {})


@pytest.mark.engine
def test_every_call_of_a_handler_is_allowed_by_its_role(
    place: Place, spark: SparkSession, calls: Calls, tmp_path: Path
) -> None:
    go_through_everything(place, spark, calls, tmp_path)
    roles: dict[str, Role] = {
        "fetch": GRANTS.fetch, "publish": GRANTS.publish, "trigger": GRANTS.trigger, "freshness": GRANTS.freshness,
    }  # fmt: skip
    assert set(calls.asked) == set(roles)
    for name, statements in roles.items():
        assert [asked for asked in sorted(calls.asked[name]) if not allows(statements(), asked)] == [], name
    seen = {action for asked in calls.asked.values() for action, _ in asked}
    assert seen >= {
        "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "glue:CreateTable",
        "glue:BatchCreatePartition", "glue:GetTables", "states:StartExecution",
    }  # fmt: skip
    assert any("/.work/notices/nsde/" in resource for _, resource in calls.asked["fetch"])

    # the bucket's policy refuses all else, whoever asks
    logged = [(kind, given) for kind, key, given in calls.writes if any(map(_matches(key), CREATED_ONCE))]
    assert [kind for kind, _ in logged] == ["PutObject"]
    assert logged[0][1]["IfNoneMatch"] == "*"


def _matches(key: str) -> Callable[[str], bool]:
    return lambda pattern: fnmatch.fnmatchcase(key, pattern)
