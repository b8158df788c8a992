"""What is read off a state machine: the permissions of its role, and its picture."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from pharmaetl.aws import diagram, state_machine
from pharmaetl.aws.permissions import Permission, iam_actions
from pharmaetl.catalog import Dataset, shipped

NSDE = Dataset(shipped() / "fda" / "nsde").config


@pytest.fixture
def nsde() -> dict[str, Any]:
    return copy.deepcopy(state_machine.definition(NSDE))


def test_the_role_needs_exactly_what_the_tasks_call() -> None:
    bronze, silver = "${BronzeJobName}", "${SilverJobName}"
    jobs = ("BatchStopJobRun", "GetJobRun", "GetJobRuns", "StartJobRun")

    assert iam_actions(state_machine.definition(NSDE)) == tuple(
        sorted(
            [
                *(Permission(f"glue:{action}", job) for action in jobs for job in (bronze, silver)),
                Permission("glue:StartCrawler", "${CrawlerName}"),
                Permission("lambda:InvokeFunction", "${FetchAndHashFunctionArn}"),
                Permission("lambda:InvokeFunction", "${UpdateManifestFunctionArn}"),
                Permission("sns:Publish", "${AlertsTopicArn}"),
                Permission("sqs:SendMessage", "${DeadLetterQueueUrl}"),
            ]
        )
    )


def test_in_another_partition_the_tasks_are_called_by_other_names_and_nothing_else_changes(
    nsde: dict[str, Any],
) -> None:
    there = state_machine.in_partition(nsde, "aws-us-gov")

    assert {state["Resource"].split(":states:::")[0] for state in there["States"].values() if "Resource" in state} == {
        "arn:aws-us-gov"
    }
    assert state_machine.in_partition(there, "any") == there
    assert iam_actions(there) == iam_actions(nsde)
    assert json.dumps(there).replace("arn:aws-us-gov:", "arn:aws:") == json.dumps(nsde)


def test_a_task_whose_permissions_are_not_known_is_not_passed_over(nsde: dict[str, Any]) -> None:
    nsde["States"]["Crawl"]["Resource"] = "arn:aws:states:::athena:startQueryExecution"

    with pytest.raises(KeyError, match="athena"):
        iam_actions(nsde)


def test_the_picture_shows_states_choices_and_errors() -> None:
    small = {
        "States": {
            "Ask": {"Type": "Task", "Next": "Same", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Bad"}]},
            "Same": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.a.b", "BooleanEquals": False, "Next": "Good"}],
                "Default": "Bad",
            },
            "Good": {"Type": "Succeed"},
            "Bad": {"Type": "Fail"},
        }
    }

    assert diagram.mermaid(small) == (
        "flowchart TD\n"
        "  Ask[Ask]\n"
        "  Same{Same}\n"
        "  Good(((Good)))\n"
        "  Bad(((Bad)))\n"
        "  Ask --> Same\n"
        "  Ask -.->|error| Bad\n"
        '  Same -->|"a.b is false"| Good\n'
        "  Same --> Bad\n"
    )


def test_the_picture_of_a_dataset_has_every_state() -> None:
    definition = state_machine.definition(NSDE)

    shown = diagram.mermaid(definition)

    assert [name for name in definition["States"] if f"  {name}" not in shown] == []
