"""The Lambda handlers on an AWS of moto's, with the embedded engine in the place of Glue."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cloud import DATASETS, MACHINE, Execution, a_release, records
from pyspark.sql import SparkSession
from s3_servers import S3Server, moto_server

from pharmaetl import api, engine
from pharmaetl.aws.lambdas import fetch_and_hash, trigger, update_manifest
from pharmaetl.errors import (
    ConfigError,
    DeniedError,
    GateError,
    PharmaetlError,
    SourceFormatError,
    UnavailableError,
    UsageError,
)
from pharmaetl.place import Place

KEY = "umls-canary-0123456789"


class Context:
    """What Lambda hands to a handler."""

    def __init__(self, request_id: str = "0a1b2c3d-0000-4000-8000-000000000001", seconds: float = 900) -> None:
        self.aws_request_id = request_id
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


@pytest.fixture(autouse=True)
def fresh_logger() -> None:
    """Powertools keeps a logger by its service's name, and with it the output that pytest has taken away since."""
    known = logging.getLogger("nsde")
    known.handlers.clear()
    for mark in ("init", "powertools_handler"):
        known.__dict__.pop(mark, None)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as running:
        yield running


@pytest.fixture
def place(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A lake in a bucket of its own, and the environment that a deployment gives the functions."""
    lake = f"s3://{server.new_bucket()}"
    deployed = {
        "PHARMAETL_LAKE": lake,
        "PHARMAETL_DATASETS": str(DATASETS),
        "PHARMAETL_DATASET": "nsde",
        "STATE_MACHINE_ARN": MACHINE,
        "POWERTOOLS_SERVICE_NAME": "nsde",
        "POWERTOOLS_METRICS_NAMESPACE": "pharmaetl",
    }
    for name, value in {**server.environment, **deployed}.items():
        monkeypatch.setenv(name, value)
    return Place(lake, str(DATASETS))


@pytest.fixture(scope="module")
def spark(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**server.environment, "AWS_ALLOW_HTTP": "true"}.items():
            patch.setenv(name, value)
        with engine.Engine(engine.choose("sail"), tmp_path_factory.mktemp("engine")) as running:
            yield running.session


@pytest.fixture
def database(place: Place) -> Iterator[Any]:
    client = boto3.client("glue")
    client.create_database(DatabaseInput={"Name": "nsde_db"})
    yield client
    client.delete_database(Name="nsde_db")


def lines(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


def metrics(said: str) -> dict[str, float]:
    """The metrics of the last line that embeds any."""
    (found,) = [line for line in lines(said) if "_aws" in line]
    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"], found["dataset"]) == ("pharmaetl", [["dataset"]], "nsde")
    assert "service" not in found
    return {metric["Name"]: found[metric["Name"]][0] for metric in directive["Metrics"]}


@pytest.mark.engine
def test_a_run_through_the_handlers_is_published_catalogued_logged_and_counted(
    place: Place, spark: SparkSession, database: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Execution(place, spark)
    found = fetch_and_hash.handler(run.fetch_event(a_release(tmp_path / "a.zip", 40)), Context())
    assert (found["changed"], found["raw_path"].startswith(f"{place.lake}/raw/nsde/sha256=")) == (True, True)
    run.fetch(None)
    run.job("bronze")
    run.job("silver")
    capsys.readouterr()
    result = update_manifest.handler(run.publish_event(), Context())
    assert result == {
        "outcome": "published",
        "run_id": found["run_id"],
        "sequence": 1,
        "version": "2026-11-23",
        "rows": 40,
        "reason": "first run",
    }
    said = capsys.readouterr().out
    assert [line["step"] for line in lines(said) if line.get("message") == "step ended"] == [
        "bronze",
        "silver",
        "gate",
        "publish",
    ]
    assert {line["request_id"] for line in lines(said) if "level" in line} == {Context().aws_request_id}
    counted = metrics(said)
    expected = {
        "Published": 1, "Skipped": 0, "Failed": 0, "Rows": 40, "RowsQuarantined": 0, "QualityVerdict": 0,
        "CatalogueFailed": 0, "AgeHours": 0,
    }  # fmt: skip
    assert counted.items() >= expected.items()
    assert counted["Bytes"] == (tmp_path / "a.zip").stat().st_size
    table = database.get_table(DatabaseName="nsde_db", Name="nsde")["Table"]
    assert (
        table["StorageDescriptor"]["Location"] == f"{place.lake}/silver/nsde/version=2026-11-23/run={found['run_id']}/"
    )
    assert len(database.get_partitions(DatabaseName="nsde_db", TableName="nsde_bronze")["Partitions"]) == 1
    assert api.verify(place, "nsde") == ()
    assert update_manifest.handler(run.publish_event(), Context()) == result

    unchanged = Execution(place, None, "two", "2026-11-24T03:15:00Z")
    capsys.readouterr()
    found = fetch_and_hash.handler(unchanged.fetch_event(tmp_path / "a.zip"), Context())
    assert found["changed"] is False
    assert set(found) == {
        "dataset", "run_id", "changed", "reason", "version", "source_sha256", "raw_path", "jobs_path", "bronze_path",
        "silver_path", "gold_path", "bronze_workers", "silver_workers", "gold_workers",
    }  # fmt: skip
    assert metrics(capsys.readouterr().out).items() >= {"Published": 0, "Skipped": 1, "Failed": 0}.items()


@pytest.mark.engine
def test_a_catalogue_that_fails_undoes_no_publication_and_is_told(
    place: Place, spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 40))
    run.job("bronze")
    run.job("silver")
    assert update_manifest.handler(run.publish_event(), Context())["outcome"] == "published"
    assert metrics(capsys.readouterr().out)["CatalogueFailed"] == 1
    (record,) = records(place)
    assert record.outcome == "published"
    assert "catalogue not updated: glue:UpdateTable" in record.steps[-1].detail


@pytest.mark.engine
def test_a_refused_release_leaves_the_handler_as_gate_error_with_reason_and_hint(
    place: Place, spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Execution(place, spark).run(a_release(tmp_path / "a.zip", 60))
    run = Execution(place, spark, "two", "2026-11-24T03:15:00Z")
    run.fetch(a_release(tmp_path / "b.zip", 20))
    run.job("bronze")
    run.job("silver")
    capsys.readouterr()
    with pytest.raises(GateError) as caught:
        update_manifest.handler(run.publish_event(), Context())
    assert str(caught.value).startswith("ShrinkGuard nsde: 0.333333 against 0.8")
    assert "\nhint: if the release is meant to be smaller" in str(caught.value)
    (error,) = [line for line in lines(capsys.readouterr().out) if line.get("level") == "ERROR"]
    assert (error["error"], error["code"]) == ("GateError", "gate")
    cause = json.dumps({"errorMessage": str(caught.value), "errorType": "GateError", "stackTrace": []})
    told = update_manifest.handler(run.failure_event("UpdateManifest", "GateError", cause), Context())
    assert (told["code"], told["hint"][:35]) == ("gate", "if the release is meant to be small")
    assert metrics(capsys.readouterr().out).items() >= {"Failed": 1, "QualityVerdict": 2}.items()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"forse": True}, "input.forse: no such key; did you mean force?"),
        ({"force": "false"}, "input.force: Input should be a valid boolean"),
        ({"dataset": "cder"}, "this state machine runs nsde, not cder"),
        ({"edition": "weekly"}, "nsde has no edition 'weekly'"),
        ({"edition": "weekly", "source_url": "https://x.test/"}, "each name a source"),
        ({"source_url": 7}, "input.source_url: Input should be a valid string"),
    ],
)
def test_an_input_that_nobody_can_have_meant_is_refused(place: Place, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        fetch_and_hash.handler(Execution(place, None).fetch_event(**given), Context())


def test_null_in_the_input_is_as_good_as_nothing(place: Place, tmp_path: Path) -> None:
    event = Execution(place, None).fetch_event(
        a_release(tmp_path / "a.zip", 3), force=None, edition=None, accept_shrink=None, dataset="nsde"
    )
    assert fetch_and_hash.handler(event, Context())["changed"] is True


def test_a_function_that_is_nearly_out_of_time_says_so(place: Place, tmp_path: Path) -> None:
    event = Execution(place, None).fetch_event(a_release(tmp_path / "a.zip", 3))
    with pytest.raises(UnavailableError, match="time of the Lambda function is up"):
        fetch_and_hash.handler(event, Context(seconds=10))


def test_a_bug_leaves_the_handler_without_the_text_of_its_own_class(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("https://x.test/?apiKey=abcdefgh1234")

    monkeypatch.setattr(fetch_and_hash.stages, "fetch_and_hash", broken)
    with pytest.raises(PharmaetlError, match="bug: KeyError") as caught:
        fetch_and_hash.handler(Execution(place, None).fetch_event(), Context())
    said = capsys.readouterr().out
    assert "Traceback" in said
    assert "abcdefgh1234" not in said + str(caught.value)
    assert caught.value.__cause__ is None


@pytest.fixture
def secret_dataset(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A dataset whose URL needs a key, which is refused, and the secret behind it."""
    folder = tmp_path / "datasets" / "fda" / "nsde" / "config"
    folder.mkdir(parents=True)
    text = json.loads((DATASETS / "fda" / "nsde" / "config" / "dataset.json").read_text())
    text["source_url"] = "http://127.0.0.1:9/file.zip?apiKey=${UMLS_API_KEY}"
    (folder / "dataset.json").write_text(json.dumps(text))
    monkeypatch.setenv("PHARMAETL_DATASETS", str(tmp_path / "datasets"))
    monkeypatch.setenv("PHARMAETL_SECRET_UMLS_API_KEY", "pp-raws/umls-api-key")
    monkeypatch.delenv("UMLS_API_KEY", raising=False)
    client = boto3.client("secretsmanager")
    client.create_secret(Name="pp-raws/umls-api-key", SecretString=json.dumps({"UMLS_API_KEY": KEY}))
    yield client
    client.delete_secret(SecretId="pp-raws/umls-api-key", ForceDeleteWithoutRecovery=True)


def test_a_secret_is_used_and_neither_kept_nor_shown(
    place: Place, secret_dataset: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = fetch_and_hash.stages.fetch_and_hash

    def looking(*given: Any) -> Any:
        seen.append(os.environ["UMLS_API_KEY"])
        return real(*given)

    monkeypatch.setattr(fetch_and_hash.stages, "fetch_and_hash", looking)
    # nothing listens there; no waiting for it
    monkeypatch.setattr("pharmaetl.download.patience.Retries.pause", _give_up)
    with pytest.raises(UnavailableError) as caught:
        fetch_and_hash.handler(Execution(place, None).fetch_event(), Context())
    assert seen == [KEY]
    assert "UMLS_API_KEY" not in os.environ
    assert KEY not in str(caught.value) + capsys.readouterr().out


def _give_up(_: object, problem: Any, __: float) -> None:
    raise UnavailableError(problem.reason)


def test_a_secret_without_a_value_is_an_error_that_says_how_to_set_it(place: Place, secret_dataset: Any) -> None:
    secret_dataset.put_secret_value(SecretId="pp-raws/umls-api-key", SecretString=" ")
    with pytest.raises(ConfigError, match="has no value for UMLS_API_KEY"):
        fetch_and_hash.handler(Execution(place, None).fetch_event(), Context())


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/?key=${UMLS_API_KEY}",
        "http://127.0.0.1:9@elsewhere.example/?key=${UMLS_API_KEY}",
        "http://elsewhere.example\\@127.0.0.1:9/?key=${UMLS_API_KEY}",
        "http://127.0.0.1:90/?key=${UMLS_API_KEY}",
        "https://127.0.0.1:9/?key=${UMLS_API_KEY}",
        "http://${UMLS_API_KEY}.elsewhere.example/",
        "http://127.0.0.1:9/?id=${AWS_ACCESS_KEY_ID}&key=${AWS_SECRET_ACCESS_KEY}",
        "http://127.0.0.1:9/?key=${ UMLS_API_KEY }",
    ],
)
def test_whoever_may_start_a_run_can_not_have_secrets_sent_elsewhere(
    place: Place, secret_dataset: Any, url: str
) -> None:
    with pytest.raises(UsageError, match="is not for this site"):
        fetch_and_hash.handler(Execution(place, None).fetch_event(url), Context())
    with pytest.raises(UsageError, match="is not for this site"):
        trigger.handler({"source_url": url}, Context())
    assert records(place) == []


def test_another_file_of_the_configs_own_site_gets_the_key(
    place: Place, secret_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pharmaetl.download.patience.Retries.pause", _give_up)
    url = "HTTP://127.0.0.1:9/older.zip?apiKey=${UMLS_API_KEY}"
    with pytest.raises(UnavailableError):
        fetch_and_hash.handler(Execution(place, None).fetch_event(url), Context())


def test_a_secret_that_this_runs_source_does_not_need_is_not_read(
    place: Place, secret_dataset: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PHARMAETL_SECRET_UMLS_API_KEY", "no/such/secret")
    event = Execution(place, None).fetch_event(a_release(tmp_path / "a.zip", 3))
    assert fetch_and_hash.handler(event, Context())["changed"] is True


@pytest.fixture
def machine(place: Place) -> Iterator[Any]:
    client = boto3.client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Wait", "Seconds": 60, "End": True}}})
    made = client.create_state_machine(
        name="nsde-orchestrator", definition=definition, roleArn="arn:aws:iam::123456789012:role/any"
    )
    yield client
    client.delete_state_machine(stateMachineArn=made["stateMachineArn"])


def test_the_trigger_takes_the_payload_of_the_design_and_starts_once(
    place: Place, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = machine.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    monkeypatch.setenv("STATE_MACHINE_ARN", arn)
    result = trigger.handler({"force": False}, Context())
    name = f"nsde-{Context().aws_request_id}"
    execution = f"{arn.replace(':stateMachine:', ':execution:')}:{name}"
    assert result == {"execution_arn": execution, "name": name, "started": True}
    given = json.loads(machine.describe_execution(executionArn=execution)["input"])
    assert given == {"dataset": "nsde", "force": False}
    machine.stop_execution(executionArn=execution)
    assert trigger.handler({"force": False}, Context()) == {**result, "started": False}


def test_an_empty_event_runs_what_the_config_says(place: Place, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", machine.list_state_machines()["stateMachines"][0]["stateMachineArn"])
    assert trigger.handler({}, Context("0a1b2c3d-0000-4000-8000-000000000002"))["started"] is True


def test_a_schedule_that_rings_twice_for_one_time_starts_one_execution(
    place: Place, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", machine.list_state_machines()["stateMachines"][0]["stateMachineArn"])
    event = {"scheduled_time": "2026-11-23T06:43:00Z"}
    first = trigger.handler(event, Context("0a1b2c3d-0000-4000-8000-000000000003"))
    assert (first["name"], first["started"]) == ("nsde-scheduled-20261123T064300Z", True)
    # while it runs, Step Functions answers with the same one; once it has ended, the name is taken
    while_it_runs = trigger.handler(event, Context("0a1b2c3d-0000-4000-8000-000000000004"))
    machine.stop_execution(executionArn=first["execution_arn"])
    later = trigger.handler(event, Context("0a1b2c3d-0000-4000-8000-000000000007"))
    assert {one["execution_arn"] for one in (while_it_runs, later)} == {first["execution_arn"]}
    assert later["started"] is False
    given = machine.describe_execution(executionArn=first["execution_arn"])["input"]
    assert json.loads(given) == {"dataset": "nsde"}
    tomorrow = {"scheduled_time": "2026-11-24T06:43:00Z"}
    assert trigger.handler(tomorrow, Context("0a1b2c3d-0000-4000-8000-000000000005"))["started"] is True


def test_a_scheduled_time_that_nobody_filled_in_is_passed_over(
    place: Place, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", machine.list_state_machines()["stateMachines"][0]["stateMachineArn"])
    request = "0a1b2c3d-0000-4000-8000-000000000006"
    started = trigger.handler({"scheduled_time": "<aws.scheduler.scheduled-time>"}, Context(request))
    assert (started["name"], started["started"]) == (f"nsde-{request}", True)


@pytest.mark.parametrize("event", [{"forse": True}, {"dataset": "cder"}, [], "x", {"edition": "weekly"}])
def test_the_trigger_refuses_what_the_run_would_refuse(place: Place, event: Any) -> None:
    with pytest.raises(UsageError):
        trigger.handler(event or [], Context())


def test_a_state_machine_that_is_not_there_is_an_error_with_a_hint(place: Place) -> None:
    with pytest.raises(UsageError, match="states:StartExecution") as caught:
        trigger.handler({}, Context())
    assert "pharmaetl aws deploy" in str(caught.value)


def test_an_action_that_is_none_is_refused(place: Place) -> None:
    with pytest.raises(UsageError, match="neither publish nor record_failure"):
        update_manifest.handler({"action": "delete_everything"}, Context())


@pytest.mark.parametrize("run_id", ["../../manifests/nsde", "20261123T031500Z-1f2e3d4c"])
def test_publishing_a_run_that_nobody_handed_over_is_refused(place: Place, run_id: str) -> None:
    event = {"action": "publish", "dataset": "nsde", "run_id": run_id, "execution": "x"}
    with pytest.raises(UsageError):
        update_manifest.handler({**event, "bronze_attempt": "jr_1", "silver_attempt": "jr_2"}, Context())


def test_a_malformed_source_leaves_the_handler_under_its_class(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no zip at all")
    with pytest.raises(SourceFormatError, match=r"\nhint: "):
        fetch_and_hash.handler(Execution(place, None).fetch_event(tmp_path / "bad.zip"), Context())


def test_a_missing_setting_of_the_deployment_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHARMAETL_LAKE")
    with pytest.raises(ConfigError, match="PHARMAETL_LAKE is not set"):
        fetch_and_hash.handler(Execution(place, None).fetch_event(), Context())


def test_importing_the_handlers_needs_neither_an_engine_nor_pandas_nor_numpy() -> None:
    handlers = "fetch_and_hash", "update_manifest", "trigger"
    program = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{"pyspark", "pysail", "pandas", "numpy", "duckdb", "rich", "typer", "aws_cdk"}}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
for name in {handlers!r}:
    __import__("pharmaetl.aws.lambdas." + name)
print(sorted({{"boto3", "pyarrow", "requests", "aws_lambda_powertools"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "[]\n")


def test_denied_is_denied(place: Place, secret_dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that may not read the secret: no retry, since DeniedError is another name than UnavailableError."""
    from botocore.exceptions import ClientError

    class Denying:
        def get_secret_value(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetSecretValue")

    monkeypatch.setattr("pharmaetl.aws.account.Account.client", lambda *_: Denying())
    with pytest.raises(DeniedError, match="secretsmanager:GetSecretValue"):
        fetch_and_hash.handler(Execution(place, None).fetch_event(), Context())
