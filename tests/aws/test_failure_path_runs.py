"""The state machine executed to a bad end: what is recorded, kept and told, whatever else fails."""

from __future__ import annotations

import json

import boto3
import moto_patches
from machine import NSDE, Machine, aws, deploy
from machine_stages import FAILURE, FETCHED, RECORDED, RUN, TO_SILVER, Stages

from pharmaetl.aws import state_machine
from pharmaetl.errors import GateError, UnavailableError

pytest_plugins = ["machine_fixtures"]


def test_a_site_that_stays_down_fails_the_run_without_an_id(machine: Machine, stages: Stages) -> None:
    stages.answers["fetch"] = [UnavailableError("the site answers 503")] * 9

    ended = machine.run({"force": True}, name="mine")

    assert (ended.status, ended.error) == ("FAILED", "PipelineFailed")
    assert ended.path == ("Begin", "FetchAndHash", "FetchAndHashFailed", *FAILURE)
    assert len(stages.told("fetch")) == 5
    (failure,) = stages.told("record_failure")
    assert failure.pop("started_at").startswith("20")
    assert json.loads(failure["error"].pop("Cause"))["errorMessage"] == "the site answers 503"
    assert failure == {
        "action": "record_failure",
        "dataset": "nsde",
        "execution": machine.arn.replace(":stateMachine:", ":execution:") + ":mine",
        "name": "mine",
        "state": "FetchAndHash",
        "error": {"Error": "UnavailableError"},
        "fetch": None,
        "input": {"force": True},
    }


def test_refused_data_is_not_tried_again_and_is_told_of(machine: Machine, stages: Stages) -> None:
    stages.answers["publish"] = [GateError("too few rows", hint="accept it")]
    stages.answers["record_failure"] = [RECORDED | {"state": "UpdateManifest"}]

    ended = machine.run({"force": True}, name="mine")

    assert ended.path == (*TO_SILVER, "UpdateManifest", "UpdateManifestFailed", *FAILURE)
    assert len(stages.told("publish")) == 1
    told = RECORDED | {
        "state": "UpdateManifest",
        "execution": f"{machine.arn.replace('stateMachine', 'execution')}:mine",
    }
    assert machine.dead_letters() == [told | {"error": "GateError", "input": {"force": True}}]
    assert machine.notices() == [("pharmaetl: nsde failed", told)]
    assert json.loads(ended.cause) == RECORDED | {"state": "UpdateManifest"}
    (failure,) = stages.told("record_failure")
    assert (failure["state"], failure["error"]["Error"], failure["fetch"]) == ("UpdateManifest", "GateError", FETCHED)


def test_a_job_that_fails_twice_fails_the_run_with_its_message(machine: Machine, stages: Stages) -> None:
    stages.answers["silver"] = [RuntimeError("no such column")] * 3

    ended = machine.run({})

    assert ended.path == (*TO_SILVER, "SilverFailed", *FAILURE)
    assert len(stages.told("silver")) == 2
    (failure,) = stages.told("record_failure")
    assert failure["error"]["Error"] == "States.TaskFailed"
    cause = json.loads(failure["error"]["Cause"])
    assert (cause["JobRunState"], cause["ErrorMessage"]) == ("FAILED", "RuntimeError: no such column")
    assert cause["JobName"] == "nsde-silver-etl"
    assert machine.dead_letters()[0]["run_id"] == RUN


def test_a_job_that_is_not_there_is_not_asked_for_twice(machine: Machine, waited: list[float], stages: Stages) -> None:
    boto3.client("glue").delete_job(JobName="nsde-bronze-etl")

    ended = machine.run({})

    assert ended.path == (*TO_SILVER[:-1], "BronzeFailed", *FAILURE)
    assert waited == []
    assert stages.told("record_failure")[0]["error"]["Error"] == "Glue.EntityNotFoundException"


def test_a_failure_that_cannot_be_recorded_is_told_of_all_the_same(machine: Machine, stages: Stages) -> None:
    stages.answers["bronze"] = [RuntimeError("executor lost")] * 2
    stages.answers["record_failure"] = [TypeError("a bug")]

    ended = machine.run({"force": True}, name="mine")

    assert ended.path == (*TO_SILVER[:-1], "BronzeFailed", "RecordFailure", "FailureNotRecorded", *FAILURE[1:])
    (letter,), ((subject, notice),) = machine.dead_letters(), machine.notices()
    assert (letter["run_id"], letter["state"], letter["code"]) == (RUN, "Bronze", "unrecorded")
    assert "executor lost" in letter["reason"]
    assert "a bug" in letter["hint"]
    assert letter["redrive"].startswith("pharmaetl run nsde --target aws")
    assert letter["input"] == {"force": True}
    assert subject == "pharmaetl: nsde failed"
    assert notice["reason"] == letter["reason"] == json.loads(ended.cause)["reason"]


def test_a_recorder_that_forgets_what_it_should_say_is_told_of_all_the_same(machine: Machine, stages: Stages) -> None:
    stages.answers["fetch"] = [GateError("no")]
    stages.answers["record_failure"] = [{"dataset": "nsde"}]

    ended = machine.run({})

    assert ended.path[-4:] == ("FailureNotRecorded", *FAILURE[1:])
    assert machine.dead_letters()[0]["run_id"] is None


def test_a_queue_that_is_gone_does_not_keep_the_alert_back(machine: Machine, stages: Stages) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=machine.queue)
    stages.answers["fetch"] = [GateError("no")]

    ended = machine.run({})

    assert ended.path == ("Begin", "FetchAndHash", "FetchAndHashFailed", *FAILURE)
    assert json.loads(ended.cause) == RECORDED
    assert len(machine.notices()) == 1


def test_a_topic_that_is_gone_leaves_the_dead_letter_and_the_first_error(machine: Machine, stages: Stages) -> None:
    sns = boto3.client("sns")
    sns.delete_topic(TopicArn=sns.list_topics()["Topics"][0]["TopicArn"])
    stages.answers["fetch"] = [GateError("no")]

    ended = machine.run({})

    assert (ended.path[-2:], json.loads(ended.cause)) == (("Notify", "Failed"), RECORDED)
    assert len(machine.dead_letters()) == 1


def test_a_job_that_hangs_ends_at_its_time_limit_and_is_not_started_again(waited: list[float], stages: Stages) -> None:
    quick = state_machine.definition(NSDE.config)
    quick["States"]["Bronze"]["TimeoutSeconds"] = 1
    stages.answers["bronze"] = [moto_patches.HangingJobError()]

    with aws():
        ended = deploy(NSDE, definition=quick).run({})

    assert ended.path == (*TO_SILVER[:-1], "BronzeFailed", *FAILURE)
    assert stages.told("record_failure")[0]["error"]["Error"] == "States.Timeout"
