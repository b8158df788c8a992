"""From a source to a published version in the deployed stacks: real functions, real Spark, and what is told of them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import runs
import served
from deployed import BUCKET, LAKE, Cloud, Ended
from emulator import ACCOUNT, REGION
from runs import First, Refused, Unchanged

pytestmark = pytest.mark.engine

WAY = ["Begin", "FetchAndHash", "Changed", "Bronze", "Silver", "UpdateManifest", "Committed"]


def test_two_executions_at_once_publish_one_version(cloud: Cloud, first: First) -> None:
    statuses = [execution.status for execution in first.executions]
    outcomes = sorted(execution.output["manifest"]["outcome"] for execution in first.executions)
    assert (statuses, outcomes, first.nsde["sequence"]) == (["SUCCEEDED", "SUCCEEDED"], ["published", "skipped"], 1)
    ways = sorted(tuple(cloud.states(execution.arn)) for execution in first.executions)
    assert ways == [(*WAY, "Crawl", "Published"), (*WAY, "Unchanged")]


def test_what_is_published_is_what_a_run_on_this_machine_publishes(cloud: Cloud, first: First, tmp_path: Path) -> None:
    source = served.nsde(tmp_path / "nsde.zip", range(40), "0037-0022-98,00037002298,too,short")
    here = runs.locally(cloud, source, "nsde", tmp_path / "lake")
    assert _tables(first.nsde) == _tables(here)
    assert first.nsde["source"]["sha256"] == here["source"]["sha256"]
    assert [check["outcome"] for check in first.nsde["quality"]["checks"]] == [
        check["outcome"] for check in here["quality"]["checks"]
    ]
    assert (first.nsde["engine"], [table["rows"] for table in first.nsde["tables"]]) == ("glue", [40])
    assert _published(cloud, first.nsde) == _on_this_machine(tmp_path / "lake", here)


def test_a_dataset_of_two_tables_is_published_alike(cloud: Cloud, first: First, tmp_path: Path) -> None:
    source = served.cder(tmp_path / "cder.zip", 30)
    here = runs.locally(cloud, source, "cder", tmp_path / "lake")
    assert [(table["name"], table["rows"]) for table in first.cder["tables"]] == [("products", 30), ("packages", 61)]
    assert [(table["name"], table["rows"]) for table in first.cder["gold"]] == [
        ("product_ingredient", 60), ("pharm_class", 60),
    ]  # fmt: skip
    assert _tables(first.cder) == _tables(here)
    assert _published(cloud, first.cder) == _on_this_machine(tmp_path / "lake", here)


def test_athena_reads_a_gold_table_beside_the_silver_that_it_was_made_of(cloud: Cloud, first: First) -> None:
    joined = """SELECT count(*), count(DISTINCT product_ingredient.product_id), min(strength)
        FROM cder_db.product_ingredient JOIN cder_db.products
        ON product_ingredient.product_id = products.product_id
        WHERE product_ingredient.meta_run_id = products.meta_run_id AND product_ingredient.substance_name = 'SALT'"""
    assert _athena(cloud, joined) == [["30", "30", ".5"]]
    found = cloud.emulator.client("glue").get_table(DatabaseName="cder_db", Name="pharm_class")["Table"]
    assert found["StorageDescriptor"]["Location"] == f"s3://{BUCKET}/{first.cder['gold'][1]['path']}/"


def test_an_unchanged_source_is_skipped_and_nothing_is_uploaded(unchanged: Unchanged) -> None:
    before, after = unchanged.objects
    assert before == after
    assert "outcome  skipped" in unchanged.command.out


def test_a_forced_run_publishes_the_same_rows_anew(cloud: Cloud, first: First, forced: Ended) -> None:
    assert (forced.status, forced.output["manifest"]["sequence"]) == ("SUCCEEDED", 2)
    shown = cloud.pharmaetl("manifest", "history", "nsde", "--lake", LAKE, "--json").json["entries"]
    again = next(entry for entry in shown if entry["sequence"] == 2)
    assert again["run_id"] == forced.output["fetch"]["run_id"] != first.nsde["run_id"]
    assert again["source"]["sha256"] == first.nsde["source"]["sha256"]


def test_another_release_is_published_as_on_this_machine(
    cloud: Cloud, changed: Ended, refused: Refused, site: tuple[Path, str], tmp_path: Path
) -> None:
    here = runs.locally(cloud, site[0] / "second.zip", "nsde", tmp_path / "lake")
    assert (changed.status, refused.before["sequence"]) == ("SUCCEEDED", 3)
    assert _tables(refused.before) == _tables(here)
    assert _published(cloud, refused.before) == _on_this_machine(tmp_path / "lake", here)


def test_athena_reads_the_rows_that_the_manifest_names(cloud: Cloud, changed: Ended, refused: Refused) -> None:
    rows = changed.output["manifest"]["rows"]
    assert rows == refused.before["tables"][0]["rows"] > 0
    assert _athena(cloud, "SELECT count(*), count(DISTINCT meta_run_id) FROM nsde_db.nsde") == [[str(rows), "1"]]


def test_bronze_has_a_partition_for_each_published_run(cloud: Cloud, changed: Ended, refused: Refused) -> None:
    found = cloud.emulator.client("glue").get_partitions(DatabaseName="nsde_db", TableName="nsde_bronze")["Partitions"]
    shown = cloud.pharmaetl("manifest", "history", "nsde", "--lake", LAKE, "--json").json["entries"]
    published = sorted(entry["run_id"] for entry in shown if entry["action"] == "publish")
    assert sorted(partition["Values"][0] for partition in found) == published
    assert len(published) == 3


def test_refused_data_fails_the_run_and_leaves_the_version(cloud: Cloud, refused: Refused) -> None:
    assert refused.after == refused.before
    assert (refused.execution.status, refused.execution.error) == ("FAILED", "PipelineFailed")
    cause = refused.execution.cause
    assert (cause["state"], cause["code"], cause["dataset"]) == ("UpdateManifest", "gate", "nsde")
    assert "UpdateManifest: failed" in refused.command.err
    record = cloud.pharmaetl("runs", "show", cause["run_id"], "--lake", LAKE, "--json").json
    assert (record["outcome"], record["error"]["code"], record["process"]) == (
        "failed", "gate", refused.execution.arn,
    )  # fmt: skip


def test_a_failed_run_is_kept_as_a_dead_letter(refused: Refused) -> None:
    (letter,) = refused.dead_letters
    known = {key: letter[key] for key in ("dataset", "state", "code", "error", "execution")}
    assert known == {
        "dataset": "nsde", "state": "UpdateManifest", "code": "gate", "error": "GateError",
        "execution": refused.execution.arn,
    }  # fmt: skip
    assert letter["run_id"] == refused.execution.cause["run_id"]
    assert letter["redrive"].startswith("aws stepfunctions start-execution ")


def test_a_failure_is_announced_by_the_run_and_by_the_rule(refused: Refused) -> None:
    said = [json.loads(alert["Message"]) for alert in refused.alerts]
    by_run = [one for one in said if "code" in one]
    by_rule = [one for one in said if one.get("detail-type") == "Step Functions Execution Status Change"]
    assert [one["code"] for one in by_run] == ["gate"]
    assert [(one["detail"]["status"], one["detail"]["executionArn"]) for one in by_rule] == [
        ("FAILED", refused.execution.arn)
    ]
    assert [alert["TopicArn"] for alert in refused.alerts] == 2 * [f"arn:aws:sns:{REGION}:{ACCOUNT}:pp-raws-alerts"]


def test_what_the_dead_letter_says_to_do_can_be_done(cloud: Cloud, refused: Refused) -> None:
    (letter,) = refused.dead_letters
    words = shlex.split(letter["redrive"])
    given = dict(zip(words[3::2], words[4::2], strict=True))
    found = cloud.emulator.client("stepfunctions").describe_state_machine(stateMachineArn=given["--state-machine-arn"])
    assert found["name"] == "nsde-orchestrator"
    assert json.loads(given["--input"]) == {"dataset": "nsde", "force": False}


def test_the_trigger_as_it_stands_in_the_design_runs_the_source_of_the_config(
    cloud: Cloud, unchanged: Unchanged
) -> None:
    failure, answer = cloud.invoke("cder-trigger", {"force": False})
    assert (failure, answer["started"]) == ("", True)
    ended = cloud.wait(answer["execution_arn"])
    assert (ended.status, ended.output["fetch"]["changed"]) == ("SUCCEEDED", False)


def test_a_source_that_is_no_zip_is_refused_while_it_is_fetched(
    cloud: Cloud, refused: Refused, site: tuple[Path, str]
) -> None:
    (site[0] / "page.zip").write_text("<html>Temporarily unavailable</html>")
    ended = cloud.wait(cloud.start("cder", {"source_url": f"{site[1]}/page.zip"}, "page"))
    assert (ended.status, ended.cause["state"]) == ("FAILED", "FetchAndHash")
    assert cloud.states(ended.arn)[-4:] == ["RecordFailure", "DeadLetter", "Notify", "Failed"]
    assert [letter["error"] for letter in cloud.dead_letters("cder")] == ["SourceFormatError"]


def _tables(manifest: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What both runners have to agree on: tables, rows, columns with their types, and the digest of the content."""
    return [(table["name"], table["rows"], table["schema"], table["digest"]) for table in _all(manifest)]


def _all(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Tables of silver and gold."""
    return [*manifest["tables"], *manifest["gold"]]


def _published(cloud: Cloud, manifest: dict[str, Any]) -> list[str]:
    files = [file["path"] for table in _all(manifest) for file in table["files"]]
    return _sorted([row for path in files for row in cloud.rows(path)])


def _on_this_machine(lake: Path, manifest: dict[str, Any]) -> list[str]:
    files = [lake / file["path"] for table in _all(manifest) for file in table["files"]]
    return _sorted([row for path in files for row in pq.read_table(path).to_pylist()])


def _sorted(rows: list[dict[str, Any]]) -> list[str]:
    """Rows without the one column that names the run."""
    return sorted(json.dumps({**row, "meta_run_id": ""}, default=str) for row in rows)


def _athena(cloud: Cloud, query: str) -> list[list[str]]:
    client = cloud.emulator.client("athena")
    asked = client.start_query_execution(
        QueryString=query, ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/.work/athena/"}
    )["QueryExecutionId"]
    while (found := client.get_query_execution(QueryExecutionId=asked)["QueryExecution"]["Status"])["State"] in {
        "QUEUED", "RUNNING",
    }:  # fmt: skip
        pass
    assert found["State"] == "SUCCEEDED", found
    header, *rows = client.get_query_results(QueryExecutionId=asked)["ResultSet"]["Rows"]
    assert header
    return [[cell["VarCharValue"] for cell in row["Data"]] for row in rows]
