"""The state machine executed to a good end: which states it goes through, and what each of them is given."""

from __future__ import annotations

from typing import Any

import pytest
from machine import NSDE, Machine, aws, deploy
from machine_stages import FAILURE, FETCHED, PUBLISHED, RUN, TO_SILVER, TO_THE_END, Stages
from moto.glue.exceptions import ConcurrentRunsExceededException

from pharmaetl.errors import UnavailableError

pytest_plugins = ["machine_fixtures"]


def test_a_new_release_goes_all_the_way(machine: Machine, stages: Stages) -> None:
    ended = machine.run({"dataset": "nsde", "source_url": "https://example.org/x.zip", "force": False}, name="mine")

    assert (ended.status, ended.path) == ("SUCCEEDED", TO_THE_END)
    assert [name for name, _ in stages.calls] == ["fetch", "bronze", "silver", "publish"]
    assert ended.output["manifest"] == PUBLISHED
    assert ended.output["fetch"] == FETCHED
    assert (machine.dead_letters(), machine.notices()) == ([], [])


def test_every_stage_gets_every_argument_that_it_declares(machine: Machine, stages: Stages) -> None:
    given = {"dataset": "nsde", "force": True, "accept_shrink": "withdrawn"}

    machine.run(given, name="mine")

    execution = machine.arn.replace(":stateMachine:", ":execution:") + ":mine"
    (fetch,), (bronze,), (silver,), (publish,) = map(stages.told, ("fetch", "bronze", "silver", "publish"))
    started_at = fetch.pop("started_at")
    assert started_at.startswith("20")
    assert fetch == {"input": given, "execution": execution, "name": "mine"}
    assert bronze == {
        "--raw_path": "s3://lake/raw/nsde/sha256=abab",
        "--jobs_path": f"s3://lake/.work/nsde-{RUN}/jobs.json",
        "--bronze_path": f"s3://lake/.work/nsde-{RUN}/bronze",
        "--run_id": RUN,
    }
    assert silver == {
        "--bronze_path": f"s3://lake/.work/nsde-{RUN}/bronze/attempt={stages.attempts[0]}",
        "--jobs_path": f"s3://lake/.work/nsde-{RUN}/jobs.json",
        "--silver_path": f"s3://lake/.work/nsde-{RUN}/silver",
        "--run_id": RUN,
    }
    assert publish == {
        "action": "publish",
        "dataset": "nsde",
        "run_id": RUN,
        "execution": execution,
        "bronze_attempt": stages.attempts[0],
        "silver_attempt": stages.attempts[1],
    }


@pytest.mark.parametrize("given", [{}, {"force": True}, {"fetch": {"changed": False}, "error": 1}, [], "text", None])
def test_whatever_it_is_given_the_first_function_is_asked(machine: Machine, stages: Stages, given: Any) -> None:
    ended = machine.run(given)

    assert ended.path == TO_THE_END
    assert stages.told("fetch")[0]["input"] == given


def test_an_unchanged_source_ends_before_the_first_job(machine: Machine, stages: Stages) -> None:
    stages.answers["fetch"] = [FETCHED | {"changed": False, "raw_path": None, "bronze_path": None}]

    ended = machine.run({})

    assert (ended.status, ended.path) == ("SUCCEEDED", ("Begin", "FetchAndHash", "Changed", "Unchanged"))
    assert [name for name, _ in stages.calls] == ["fetch"]


def test_what_another_run_has_published_meanwhile_ends_as_unchanged(machine: Machine, stages: Stages) -> None:
    stages.answers["publish"] = [PUBLISHED | {"outcome": "skipped", "sequence": None, "version": None, "rows": None}]

    ended = machine.run({})

    assert (ended.status, ended.path) == ("SUCCEEDED", (*TO_SILVER, "UpdateManifest", "Committed", "Unchanged"))


def test_a_site_that_is_down_for_a_while_is_asked_again(machine: Machine, stages: Stages, waited: list[float]) -> None:
    stages.answers["fetch"] = [UnavailableError("503"), UnavailableError("503"), FETCHED]

    ended = machine.run({})

    assert (ended.status, ended.path) == ("SUCCEEDED", TO_THE_END)
    assert len(stages.told("fetch")) == 3
    assert stages.told("fetch")[0] == stages.told("fetch")[2]
    assert len(waited) == 2
    assert waited[0] <= 30
    assert waited[1] <= 60


@pytest.mark.parametrize("error", ["UsageError", "ConfigError", "SourceFormatError", "DeniedError", "ConflictError",
                                   "CommitUnknownError", "LocalIOError", "EngineError", "KeyError"])  # fmt: skip
def test_an_error_that_asking_again_cannot_mend_fails_at_once(machine: Machine, stages: Stages, error: str) -> None:
    stages.answers["fetch"] = [type(error, (Exception,), {})("no")] * 2

    ended = machine.run({})

    assert ended.path == ("Begin", "FetchAndHash", "FetchAndHashFailed", *FAILURE)
    assert len(stages.told("fetch")) == 1


def test_a_job_that_fails_is_tried_once_more_on_an_attempt_of_its_own(machine: Machine, stages: Stages) -> None:
    stages.answers["bronze"] = [RuntimeError("executor lost"), None]

    ended = machine.run({})

    assert ended.path == TO_THE_END
    assert len(stages.told("bronze")) == 2
    assert stages.told("silver")[0]["--bronze_path"].endswith(f"attempt={stages.attempts[0]}")
    assert len(stages.attempts) == 2


def test_another_run_of_a_job_is_waited_for_longer_than_a_job_may_take(
    machine: Machine, stages: Stages, waited: list[float]
) -> None:
    stages.answers["bronze"] = [ConcurrentRunsExceededException("already running")] * 30 + [None]

    ended = machine.run({})

    assert ended.path == TO_THE_END
    assert len(waited) == 30
    assert max(waited) <= 300


def test_a_crawler_that_cannot_start_leaves_the_version_published(waited: list[float]) -> None:
    with aws():
        ended = deploy(NSDE, crawler=False).run({})

    assert (ended.status, ended.path) == ("SUCCEEDED", TO_THE_END)
    assert ended.output["manifest"] == PUBLISHED
    assert "EntityNotFoundException" in ended.output["crawl"]["Error"]
