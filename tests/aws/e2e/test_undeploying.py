"""A dataset's stack goes, by itself; last of all, since it doesn't come back."""

from __future__ import annotations

import sys

import pytest
from deployed import LAKE, Cloud, finished
from runs import Refused

pytestmark = pytest.mark.engine


def test_a_dataset_goes_and_the_others_and_what_it_published_stay(cloud: Cloud, refused: Refused) -> None:
    published = cloud.manifest("nsde")
    app = f"{sys.executable} -m pharmaetl.aws.cdk"
    finished(cloud.command(str(cloud.tools.cdk), "destroy", "PP-RAWS-NSDE-Orchestrator", "--force", "--app", app))
    found = {one["dataset"]: one["stack_status"] for one in cloud.pharmaetl("aws", "status", "--json").json["datasets"]}
    assert found == {"nsde": None, "cder": "CREATE_COMPLETE"}
    functions = cloud.emulator.client("lambda").list_functions()["Functions"]
    assert {one["FunctionName"].partition("-")[0] for one in functions} == {"cder"}
    assert [one["name"] for one in cloud.emulator.client("stepfunctions").list_state_machines()["stateMachines"]] == [
        "cder-orchestrator"
    ]
    assert cloud.manifest("nsde") == published
    cloud.pharmaetl("manifest", "verify", "nsde", "--lake", LAKE)
    ended = cloud.wait(cloud.start("cder", {"force": True}, "after-the-other-went"))
    assert (ended.status, ended.output["manifest"]["outcome"]) == ("SUCCEEDED", "published")
