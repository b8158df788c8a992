"""The steps of a dataset compiled to Amazon States Language, with `${Placeholders}` for what a deployment names.

A state machine wraps its input first, so that whatever an execution is given, every path that a later state reads is
there. Each task keeps its result below a name of its own, and hands on places, never data.
"""

from __future__ import annotations

from typing import Any, assert_never

from pharmaetl.aws import failure_path, retries
from pharmaetl.aws.failure_path import State, States
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.pipeline import Crawl, Fetch, Gate, Layer, Publish, SkipIfUnchanged, SparkJob, Step, Unpack, steps_for

FETCHED = (
    "dataset", "run_id", "changed", "reason", "version", "source_sha256", "raw_path", "jobs_path", "bronze_path",
    "silver_path", "gold_path", "bronze_workers", "silver_workers", "gold_workers",
)  # fmt: skip
"""Keys of what the function that fetches returns: always all of them, null rather than absent."""
PUBLISHED = ("outcome", "run_id", "sequence", "version", "rows", "reason")
"""Keys of what the function that publishes returns; `outcome` is published or skipped."""

_SILVER_ATTEMPT = "States.Format('{}/attempt={}', $.fetch.silver_path, $.silver.attempt)"
_BRONZE_ATTEMPT = "States.Format('{}/attempt={}', $.fetch.bronze_path, $.bronze.attempt)"
_ARGUMENTS: dict[Layer, dict[str, str]] = {
    "bronze": {
        "--raw_path.$": "$.fetch.raw_path",
        "--jobs_path.$": "$.fetch.jobs_path",
        "--bronze_path.$": "$.fetch.bronze_path",
        "--run_id.$": "$.fetch.run_id",
    },
    "silver": {
        "--bronze_path.$": _BRONZE_ATTEMPT,
        "--jobs_path.$": "$.fetch.jobs_path",
        "--silver_path.$": "$.fetch.silver_path",
        "--run_id.$": "$.fetch.run_id",
    },
    "gold": {
        "--silver_path.$": _SILVER_ATTEMPT,
        "--jobs_path.$": "$.fetch.jobs_path",
        "--gold_path.$": "$.fetch.gold_path",
        "--run_id.$": "$.fetch.run_id",
    },
}


def definition(config: DatasetConfig) -> dict[str, Any]:
    """The state machine of a dataset."""
    following, states = "Published", {"Published": {"Type": "Succeed"}}
    for step in reversed(steps_for(config)):
        compiled = _compiled(step, config, following)
        following = next(iter(compiled), following)
        states = compiled | states
    return {
        "Comment": f"{config.dataset}: fetched, hashed, transformed, judged and published, or left as it is",
        "StartAt": following,
        "TimeoutSeconds": retries.MACHINE_SECONDS,
        "States": states | failure_path.states(config.dataset),
    }


def in_partition(definition: dict[str, Any], partition: str) -> dict[str, Any]:
    """A definition as it stands in another partition of AWS, such as aws-us-gov."""
    states = {
        name: {key: _moved(value, partition) if key == "Resource" else value for key, value in state.items()}
        for name, state in definition["States"].items()
    }
    return {**definition, "States": states}


def _moved(arn: str, partition: str) -> str:
    return arn.replace("arn:aws:", f"arn:{partition}:", 1)


def _compiled(step: Step, config: DatasetConfig, following: str) -> States:
    """The states of a step, the first one to enter first; none where another step's function does its work."""
    match step:
        case Fetch():
            return _fetch(following)
        case SkipIfUnchanged():
            return _skip_if_unchanged(following)
        case Unpack() | Gate():
            # the function that fetches also unpacks; the one that publishes judges first
            return {}
        case SparkJob(layer=layer):
            return _job(layer, config, following)
        case Publish():
            return _publish(config, following)
        case Crawl():
            return _crawl(following)
        case _ as never:
            assert_never(never)


def _task(name: str, body: State, following: str, *, has_run_id: bool = True) -> States:
    """A task whose failure is caught, and the state that notes its failure."""
    task = {"Type": "Task", **body, "Catch": failure_path.caught(name), "Next": following}
    return {name: task, **failure_path.noted(name, has_run_id=has_run_id)}


def _fetch(following: str) -> States:
    begin = {"Type": "Pass", "Parameters": {"input.$": "$", "fetch": None}, "Next": "FetchAndHash"}
    payload = {"input.$": "$.input", **failure_path.EXECUTION}
    body = _function("${FetchAndHashFunctionArn}", payload, FETCHED, "$.fetch")
    return {"Begin": begin, **_task("FetchAndHash", body, following, has_run_id=False)}


def _skip_if_unchanged(following: str) -> States:
    unchanged = {"Variable": "$.fetch.changed", "BooleanEquals": False, "Next": "Unchanged"}
    return {
        "Changed": {"Type": "Choice", "Choices": [unchanged], "Default": following},
        "Unchanged": {"Type": "Succeed"},
    }


def _job(layer: Layer, config: DatasetConfig, following: str) -> States:
    body = {
        "Resource": "arn:aws:states:::glue:startJobRun.sync",
        "Parameters": {
            "JobName": f"${{{layer.capitalize()}JobName}}",
            "Arguments": _ARGUMENTS[layer],
            "WorkerType": config.worker_type,
            "NumberOfWorkers.$": f"$.fetch.{layer}_workers",
            "Timeout": retries.GLUE_MINUTES,
        },
        "ResultSelector": {"attempt.$": "$.Id"},
        "ResultPath": f"$.{layer}",
        "TimeoutSeconds": retries.GLUE_STATE_SECONDS,
        "Retry": retries.of_glue(),
    }
    return _task(layer.capitalize(), body, following)


def _publish(config: DatasetConfig, following: str) -> States:
    layers: tuple[Layer, ...] = ("bronze", "silver", "gold") if config.gold else ("bronze", "silver")
    payload = {
        "action": "publish",
        "dataset": config.dataset,
        "run_id.$": "$.fetch.run_id",
        "execution.$": "$$.Execution.Id",
        **{f"{layer}_attempt.$": f"$.{layer}.attempt" for layer in layers},
    }
    # another run published the same inputs meanwhile: the lake has them already
    skipped = {"Variable": "$.manifest.outcome", "StringEquals": "skipped", "Next": "Unchanged"}
    body = _function("${UpdateManifestFunctionArn}", payload, PUBLISHED, "$.manifest")
    return {
        **_task("UpdateManifest", body, "Committed"),
        "Committed": {"Type": "Choice", "Choices": [skipped], "Default": following},
    }


def _crawl(following: str) -> States:
    """A crawler's start, which isn't waited for; whatever it says, the version is published."""
    crawl = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:glue:startCrawler",
        "Parameters": {"Name": "${CrawlerName}"},
        "ResultPath": "$.crawl",
        "TimeoutSeconds": retries.CALL_SECONDS,
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.crawl", "Next": following}],
        "Next": following,
    }
    return {"Crawl": crawl}


def _function(arn: str, payload: dict[str, Any], keys: tuple[str, ...], result: str) -> State:
    return {
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": arn, "Payload": payload},
        "ResultSelector": {f"{key}.$": f"$.Payload.{key}" for key in keys},
        "ResultPath": result,
        "TimeoutSeconds": retries.LAMBDA_STATE_SECONDS,
        "Retry": retries.of_lambda(),
    }
