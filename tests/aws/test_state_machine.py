"""The compiled state machines: word for word in git, sound for the linter, the services' models and our own rules."""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import service_models
from botocore.loaders import Loader
from statelint.linter import Linter

from pharmaetl.aws import retries, state_machine
from pharmaetl.aws.permissions import placeholders
from pharmaetl.catalog import Dataset, shipped
from pharmaetl.config.dataset_config import DatasetConfig, GoldColumn, GoldTable

GOLDEN = Path(__file__).parents[1] / "golden"
DATASETS = sorted(path.parent.parent for path in shipped().glob("*/*/config/dataset.json"))
NSDE = Dataset(shipped() / "fda" / "nsde").config
NEVER_AGAIN = ("GateError", "SourceFormatError", "RefusedError", "ConfigError", "UsageError", "ConflictError",
               "CommitUnknownError", "DeniedError", "States.ALL")  # fmt: skip


GILDED = NSDE.model_copy(update={"gold": (GoldTable(name="drug_forms", columns=(GoldColumn(name="dosage_form"),)),)})


@pytest.fixture(params=[*DATASETS, GILDED], ids=lambda one: getattr(one, "name", "gilded"))
def config(request: pytest.FixtureRequest) -> DatasetConfig:
    return request.param if isinstance(request.param, DatasetConfig) else Dataset(request.param).config


@pytest.fixture
def nsde() -> dict[str, Any]:
    return copy.deepcopy(state_machine.definition(NSDE))


def tasks(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in definition["States"].items() if state["Type"] == "Task"}


def ways(state: dict[str, Any]) -> set[str]:
    """The states that a state may go on to."""
    found = {state.get("Next"), state.get("Default")}
    found |= {other["Next"] for key in ("Choices", "Catch") for other in state.get(key, [])}
    return {name for name in found if name}


def paths_read(state: dict[str, Any]) -> set[str]:
    """What a state reads of its input, two levels deep; the context object and its own result aside."""
    read = [state.get(key) for key in ("Parameters", "Choices", "CausePath")]
    return set(re.findall(r"(?<!\$)\$\.(\w+(?:\.\w+)?)", json.dumps(read)))


def paths_there(states: dict[str, Any], start: str) -> dict[str, set[str]]:
    """By state, the paths that are in its input whichever way led to it; of an error, only its name always is."""
    there: dict[str, set[str]] = {start: set()}
    todo = [start]
    while todo:
        name = todo.pop()
        state = states[name]
        written = {key.removesuffix(".$") for key in state.get("ResultSelector") or state.get("Parameters") or {}}
        result = state.get("ResultPath", "$").removeprefix("$").removeprefix(".")
        done = written if not result else {result, *(f"{result}.{key}" for key in written)}
        steps = [(other["Next"], set[str]()) for other in state.get("Choices", [])]
        steps += [(state[key], done) for key in ("Next", "Default") if key in state]
        for catch in state.get("Catch", []):
            error = catch["ResultPath"].removeprefix("$.")
            steps.append((catch["Next"], {error, f"{error}.Error"}))
        for following, added in steps:
            found = there[name] | (set() if state["Type"] == "Choice" else added)
            both = found & there.get(following, found)
            if there.get(following) != both:
                there[following] = both
                todo.append(following)
    return there


def longest_wait(retrier: dict[str, Any]) -> float:
    """Seconds that a retrier waits at most, all tries together."""
    first, rate = retrier.get("IntervalSeconds", 1), retrier.get("BackoffRate", 2.0)
    return float(sum(min(first * rate**done, retrier["MaxDelaySeconds"]) for done in range(retrier["MaxAttempts"])))


@pytest.mark.parametrize("folder", DATASETS, ids=lambda folder: folder.name)
def test_the_state_machine_of_a_dataset_is_the_one_in_git(folder: Path) -> None:
    config = Dataset(folder).config
    text = json.dumps(state_machine.definition(config), indent=2) + "\n"
    path = GOLDEN / f"{config.dataset}.asl.json"
    if os.environ.get("PHARMAETL_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == text


def test_every_state_machine_in_git_has_its_dataset() -> None:
    assert sorted(path.name for path in GOLDEN.glob("*.asl.json")) == sorted(f"{one.name}.asl.json" for one in DATASETS)


def test_the_linter_finds_nothing(config: DatasetConfig) -> None:
    assert Linter.validate(state_machine.definition(config)) == []


def test_the_linter_would_find_a_way_that_leads_nowhere(nsde: dict[str, Any]) -> None:
    nsde["States"]["Bronze"]["Next"] = "Slver"

    assert Linter.validate(nsde)


def test_every_task_calls_an_action_that_is_with_parameters_that_are(config: DatasetConfig) -> None:
    assert service_models.problems(state_machine.definition(config)) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"Resource": "arn:aws:states:::glue:startJobRunn.sync"}, "glue has no action startJobRunn: StartJobRun?"),
        ({"Resource": "arn:aws:states:::gleu:startJobRun"}, "no service gleu"),
        ({"JobNamee": "x"}, "StartJobRun has no parameter JobNamee: JobName?"),
        ({"JobName": None}, "StartJobRun needs JobName"),
        ({"Timeout": "60"}, "StartJobRun: Timeout is no integer"),
        ({"Arguments": "--a b"}, "StartJobRun: Arguments is no map"),
    ],
)
def test_a_task_that_its_service_would_refuse_is_found(
    nsde: dict[str, Any], change: dict[str, Any], found: str
) -> None:
    bronze = nsde["States"]["Bronze"]
    for name, value in change.items():
        place = bronze if name == "Resource" else bronze["Parameters"]
        if value is None:
            del place[name]
        else:
            place[name] = value

    assert service_models.problems(nsde) == [f"Bronze: {found}"]


def test_the_steps_of_a_run_stand_in_the_order_that_a_local_run_has() -> None:
    states = state_machine.definition(NSDE)["States"]

    path, at = ["Begin"], "Begin"
    while at := states[at].get("Next") or states[at].get("Default"):
        path.append(at)

    assert path == [
        "Begin", "FetchAndHash", "Changed", "Bronze", "Silver", "UpdateManifest", "Committed", "Crawl", "Published",
    ]  # fmt: skip


def test_gold_is_made_of_the_silver_attempt_before_anything_is_published() -> None:
    states = state_machine.definition(GILDED)["States"]

    assert (states["Silver"]["Next"], states["Gold"]["Next"]) == ("Gold", "UpdateManifest")
    assert states["Gold"]["Parameters"]["Arguments"] == {
        "--silver_path.$": "States.Format('{}/attempt={}', $.fetch.silver_path, $.silver.attempt)",
        "--jobs_path.$": "$.fetch.jobs_path",
        "--gold_path.$": "$.fetch.gold_path",
        "--run_id.$": "$.fetch.run_id",
    }
    assert states["UpdateManifest"]["Parameters"]["Payload"]["gold_attempt.$"] == "$.gold.attempt"


def test_a_dataset_without_gold_tables_says_nothing_of_gold_but_that_there_is_none() -> None:
    text = json.dumps(state_machine.definition(NSDE))

    assert set(re.findall(r"[\w.$]*[Gg]old[\w.$]*", text)) == {
        "gold_path.$", "$.Payload.gold_path", "gold_workers.$", "$.Payload.gold_workers",
    }  # fmt: skip


def test_a_dataset_without_a_crawler_is_published_without_one() -> None:
    without = state_machine.definition(NSDE.model_copy(update={"bronze_crawler_name": None}))

    assert "Crawl" not in without["States"]
    assert "CrawlerName" not in placeholders(without)
    assert without["States"]["Committed"]["Default"] == "Published"
    assert Linter.validate(without) == []


def test_every_state_is_reached_and_every_way_ends(config: DatasetConfig) -> None:
    definition = state_machine.definition(config)

    reached, todo = set[str](), {definition["StartAt"]}
    while todo:
        reached |= todo
        todo = set[str]().union(*(ways(definition["States"][name]) for name in todo)) - reached

    assert reached == set(definition["States"])
    ends = {name for name, state in definition["States"].items() if not ways(state)}
    assert ends == {"Published", "Unchanged", "Failed"}


def test_every_task_has_its_own_result_a_time_limit_and_a_catch_of_every_error(config: DatasetConfig) -> None:
    found = tasks(state_machine.definition(config))

    results = [task["ResultPath"] for task in found.values()]
    assert len(set(results)) == len(results)
    assert not {"$", "$.input", "$.error", "$.failed"} & set(results)
    assert all(0 < task["TimeoutSeconds"] < 24 * 3600 for task in found.values())
    assert all(task["Catch"][-1]["ErrorEquals"] == ["States.ALL"] for task in found.values())


def test_no_error_but_one_that_may_pass_is_tried_again(config: DatasetConfig) -> None:
    for name, task in tasks(state_machine.definition(config)).items():
        again = {
            error for retrier in task.get("Retry", []) if retrier["MaxAttempts"] for error in retrier["ErrorEquals"]
        }

        assert not again & set(NEVER_AGAIN), name
        if "lambda" in task["Resource"]:
            assert {error for error in again if not error.startswith("Lambda.")} == {"UnavailableError"}


def test_every_retry_backs_off_up_to_a_limit_with_full_jitter(config: DatasetConfig) -> None:
    for task in tasks(state_machine.definition(config)).values():
        for retrier in task.get("Retry", []):
            if retrier["MaxAttempts"] > 0:
                assert retrier["JitterStrategy"] == "FULL"
                assert retrier["BackoffRate"] > 1
                assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"]


def test_the_errors_of_glue_that_are_named_are_errors_of_glue() -> None:
    shapes = Loader().load_service_model("glue", "service-2")["shapes"]

    named = {error for retrier in retries.of_glue() for error in retrier["ErrorEquals"] if error.startswith("Glue.")}

    assert {error for error in named if error.removeprefix("Glue.") not in shapes} == set()


def test_another_run_of_a_job_is_waited_for_longer_than_a_job_run_may_take() -> None:
    apart = retries.of_glue()[0]

    assert "Glue.ConcurrentRunsExceededException" in apart["ErrorEquals"]
    # with full jitter a wait is half its limit on average
    assert longest_wait(apart) / 2 > retries.GLUE_MINUTES * 60


def test_the_state_machine_may_take_longer_than_all_its_tries_and_waits_and_less_than_a_day(
    config: DatasetConfig,
) -> None:
    definition = state_machine.definition(config)
    # errors that come only once the work has taken its time; the others refuse it at its start
    late = {"UnavailableError", "States.TaskFailed", "States.Timeout"}
    seconds = 0.0
    for task in tasks(definition).values():
        seconds += task["TimeoutSeconds"] + sum(map(longest_wait, task.get("Retry", []))) if task.get("Retry") else 0
        tries = sum(one["MaxAttempts"] for one in task.get("Retry", []) if late & set(one["ErrorEquals"]))
        seconds += tries * task["TimeoutSeconds"]

    assert seconds < definition["TimeoutSeconds"] < 24 * 3600


def test_every_placeholder_is_one_that_a_deployment_fills_in(config: DatasetConfig) -> None:
    gold = ("GoldJobName",) if config.gold else ()
    assert placeholders(state_machine.definition(config)) == (
        "AlertsTopicArn", "BronzeJobName", "CrawlerName", "DeadLetterQueueUrl", "FetchAndHashFunctionArn",
        *gold, "SilverJobName", "UpdateManifestFunctionArn",
    )  # fmt: skip


def test_every_path_that_a_state_reads_is_there_on_every_way_to_it(config: DatasetConfig) -> None:
    states = state_machine.definition(config)["States"]

    there = paths_there(states, "Begin")

    for name, state in states.items():
        assert paths_read(state) <= there[name], name


@pytest.mark.parametrize(
    ("state", "field", "path"),
    [("RecordFailure", "fetch.$", "$.fetch.run_id"), ("RecordFailure", "error.$", "$.error.Cause"),
     ("Bronze", "--bronze_path.$", "$.bronze.attempt"), ("Silver", "--run_id.$", "$.silver.attempt")],
)  # fmt: skip
def test_a_path_that_is_not_always_there_would_be_found(
    nsde: dict[str, Any], state: str, field: str, path: str
) -> None:
    parameters = nsde["States"][state]["Parameters"]
    (parameters.get("Payload") or parameters["Arguments"])[field] = path

    assert paths_read(nsde["States"][state]) - paths_there(nsde["States"], "Begin")[state] == {path.removeprefix("$.")}
