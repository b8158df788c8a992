"""What ends a run from outside and what starts one: `runs stop`, `runs resume`, and a schedule that rings."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import served
from deployed import LAKE, Cloud
from runs import Refused

pytestmark = pytest.mark.engine


@pytest.fixture
def silent_site() -> Iterator[str]:
    """The URL of a source whose site takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/never.zip"


def test_a_run_that_is_stopped_is_announced_and_publishes_nothing(
    cloud: Cloud, refused: Refused, silent_site: str
) -> None:
    before = cloud.manifest("cder")
    arn = cloud.start("cder", {"source_url": silent_site}, "stopped")
    stopped = cloud.pharmaetl("runs", "stop", "stopped", "--reason", "wrong source", "--lake", LAKE)
    assert "aborted" in stopped.out
    ended = cloud.emulator.client("stepfunctions").describe_execution(executionArn=arn)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "StoppedByUser", "wrong source")
    said = [alert["Message"] for alert in cloud.alerts(1)]
    assert any(arn in message and "ABORTED" in message for message in said)
    cloud.pharmaetl("runs", "stop", "stopped", "--lake", LAKE, code=2)
    assert cloud.manifest("cder") == before


def test_a_run_that_failed_is_resumed_as_a_new_one_with_the_same_input(
    cloud: Cloud, refused: Refused, site: tuple[Path, str]
) -> None:
    (site[0] / "late.zip").write_text("<html>Temporarily unavailable</html>")
    failed = cloud.wait(cloud.start("cder", {"source_url": f"{site[1]}/late.zip"}, "too-early"))
    assert (failed.status, failed.cause["state"]) == ("FAILED", "FetchAndHash")
    served.cder(site[0] / "late.zip", 29)
    resumed = cloud.pharmaetl("runs", "resume", failed.cause["run_id"], "--lake", LAKE, "--json")
    assert (resumed.json["dataset"], resumed.json["outcome"]) == ("cder", "published")
    assert cloud.manifest("cder")["run_id"] == resumed.json["run_id"]
    cloud.dead_letters("cder")


def test_a_schedule_rings_and_the_run_is_started(cloud: Cloud, refused: Refused) -> None:
    """With the target, role and input of the deployed schedule, whose own time comes once a day."""
    client, states = cloud.emulator.client("scheduler"), cloud.emulator.client("stepfunctions")
    deployed = client.get_schedule(Name="cder-cadence")
    machine = cloud.machine("cder")
    before = {one["executionArn"] for one in states.list_executions(stateMachineArn=machine)["executions"]}
    client.create_schedule(
        Name="once",
        ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=deployed["Target"],
    )
    until, started = time.monotonic() + 90, list[str]()
    while not started and time.monotonic() < until:
        time.sleep(0.5)
        listed = states.list_executions(stateMachineArn=machine)["executions"]
        started = [one["executionArn"] for one in listed if one["executionArn"] not in before]
    client.delete_schedule(Name="once")
    (arn,) = started
    assert cloud.wait(arn).status == "SUCCEEDED"
