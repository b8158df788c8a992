"""The command line over what is deployed, in the words that a user types."""

from __future__ import annotations

import json

import pytest
from deployed import BUCKET, DEPLOYED, LAKE, Cloud
from emulator import ACCOUNT, REGION
from runs import First, Refused, Unchanged

pytestmark = pytest.mark.engine


def test_a_run_on_aws_shows_its_states_and_ends_with_its_record(first: First) -> None:
    lines = [line.split(":")[0] for line in first.command.err.splitlines()]
    assert lines[1:] == [
        "Begin", "FetchAndHash", "Changed", "Bronze", "Silver", "Gold", "UpdateManifest", "Committed", "Crawl",
        "Published",
    ]  # fmt: skip
    assert first.command.out.startswith("dataset  cder\noutcome  published\n")


def test_a_refused_run_says_why_in_the_words_of_the_gate(refused: Refused) -> None:
    *_, error, hint = [line for line in refused.command.err.splitlines() if line.startswith(("error:", "hint:"))]
    assert error.startswith("error: ")
    assert "failed in UpdateManifest" in error
    assert "accept-shrink" in hint


def test_one_can_look_on_at_a_run_that_has_ended(cloud: Cloud, first: First, refused: Refused) -> None:
    published = cloud.pharmaetl("runs", "watch", "one", "--lake", LAKE, "--json")
    assert published.json["run_id"] in {one.output["fetch"]["run_id"] for one in first.executions}
    failed = cloud.pharmaetl("runs", "watch", refused.execution.cause["run_id"], "--lake", LAKE, code=4)
    assert "failed in UpdateManifest" in failed.err


def test_the_lake_on_s3_is_looked_at_like_any_other(cloud: Cloud, refused: Refused) -> None:
    status = cloud.pharmaetl("status", "--lake", LAKE, "--json").json["datasets"]
    assert {one["dataset"]: one["version"] is not None for one in status} == {"cder": True, "nsde": True}
    listed = cloud.pharmaetl("runs", "list", "nsde", "--lake", LAKE, "--json").json["runs"]
    assert sorted(run["outcome"] for run in listed) == ["failed", *3 * ["published"], *2 * ["skipped"]]
    for dataset in DEPLOYED:
        cloud.pharmaetl("manifest", "verify", dataset, "--lake", LAKE)


def test_the_state_of_what_is_deployed(cloud: Cloud, refused: Refused) -> None:
    found = {one["dataset"]: one for one in cloud.pharmaetl("aws", "status", "--json").json["datasets"]}
    assert {name: one["stack_status"] for name, one in found.items()} == dict.fromkeys(DEPLOYED, "CREATE_COMPLETE")
    assert found["nsde"]["last_execution"]["status"] == "FAILED"
    assert found["cder"]["problem"] is None


def test_the_doctor_finds_what_is_deployed_to_be_in_order(cloud: Cloud) -> None:
    found = {one["name"]: one["outcome"] for one in cloud.pharmaetl("aws", "doctor", "--json").json["findings"]}
    quotas = found.pop("quotas")
    assert quotas == "warn"  # the emulator has no Service Quotas
    assert found == {
        "identity": "ok", "region": "ok", "lake": "ok",
        "stack PP-RAWS-DataLake-Base": "ok", "stack PP-RAWS-CDER-Orchestrator": "ok",
        "stack PP-RAWS-NSDE-Orchestrator": "ok",
        "state machine cder-orchestrator": "ok", "state machine nsde-orchestrator": "ok",
    }  # fmt: skip


def test_a_dry_run_shows_the_request_and_costs_by_past_runs(cloud: Cloud, refused: Refused) -> None:
    before = cloud.pharmaetl("aws", "status", "nsde", "--json").json["datasets"][0]["last_execution"]
    found = cloud.pharmaetl("run", "nsde", "--target", "aws", "--dry-run", "--json").json
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:nsde-orchestrator"
    assert found["request"]["stateMachineArn"] == machine
    assert json.loads(found["request"]["input"]) == {"dataset": "nsde", "force": False}
    assert found["cost"]["past_runs"] == 3
    assert found["cost"]["dollars"] > 0
    after = cloud.pharmaetl("aws", "status", "nsde", "--json").json["datasets"][0]["last_execution"]
    assert after == before


def test_starting_without_waiting(cloud: Cloud, unchanged: Unchanged) -> None:
    started = cloud.pharmaetl("aws", "start", "cder", "--json").json
    assert started["started"]
    assert cloud.wait(started["execution_arn"]).output["fetch"]["changed"] is False


def test_what_is_rolled_back_to_is_what_athena_reads_next(cloud: Cloud, first: First, refused: Refused) -> None:
    old, new = (f"s3://{BUCKET}/{entry['tables'][0]['path']}" for entry in (first.nsde, refused.before))
    assert _location(cloud) == new
    _roll_back(cloud, first.nsde["run_id"])
    assert _location(cloud) == old
    # and back again, for the other tests
    _roll_back(cloud, refused.before["run_id"])
    assert _location(cloud) == new


def _roll_back(cloud: Cloud, run_id: str) -> None:
    cloud.pharmaetl("manifest", "rollback", "nsde", "--to", run_id, "--lake", LAKE)


def _location(cloud: Cloud) -> str:
    found = cloud.emulator.client("glue").get_table(DatabaseName="nsde_db", Name="nsde")["Table"]
    return str(found["StorageDescriptor"]["Location"]).rstrip("/")
