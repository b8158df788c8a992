"""What a state machine does once a task has failed for good: record it, keep a dead letter, alert, fail.

Each of these states goes on to the next when it fails itself, and reads nothing that may be missing, so that no
failure hides the first one.
"""

from __future__ import annotations

from typing import Any

from pharmaetl.aws import retries

State = dict[str, Any]
States = dict[str, State]

ERROR = "PipelineFailed"
"""The error of every failed execution; its cause is a JSON object with the keys of `FAILURE`."""
FAILURE = ("dataset", "run_id", "state", "code", "reason", "hint", "redrive")
"""What is known of a failure: the result of the function that records it."""
ENTRY = "RecordFailure"

EXECUTION = {
    "execution.$": "$$.Execution.Id",
    "name.$": "$$.Execution.Name",
    "started_at.$": "$$.Execution.StartTime",
}
"""What a function is told of the execution: the run's id follows from when it started."""
_UNRECORDED = "States.Format('the failure could not be recorded: {}', States.JsonToString($.record_error))"


def caught(task: str) -> list[dict[str, Any]]:
    """The Catch of a task: its error is kept, and the state that notes its name comes next."""
    return [_go_on("$.error", f"{task}Failed")]


def noted(task: str, *, has_run_id: bool) -> States:
    """The state that notes which task failed, and in which run, if that has an id by then."""
    run_id = {"run_id.$": "$.fetch.run_id"} if has_run_id else {"run_id": None}
    return {
        f"{task}Failed": {
            "Type": "Pass",
            "Parameters": {"state": task, **run_id},
            "ResultPath": "$.failed",
            "Next": ENTRY,
        }
    }


def states(dataset: str) -> States:
    """The states of the failure path, from the record to the end."""
    return {
        ENTRY: _record(dataset),
        "FailureNotRecorded": _not_recorded(dataset),
        "DeadLetter": _dead_letter(),
        "Notify": _notify(dataset),
        "Failed": {"Type": "Fail", "Error": ERROR, "CausePath": "States.JsonToString($.failure)"},
    }


def _go_on(result: str, following: str) -> dict[str, Any]:
    return {"ErrorEquals": ["States.ALL"], "ResultPath": result, "Next": following}


def _record(dataset: str) -> State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {
            "FunctionName": "${UpdateManifestFunctionArn}",
            "Payload": {
                "action": "record_failure",
                "dataset": dataset,
                **EXECUTION,
                "state.$": "$.failed.state",
                "error.$": "$.error",
                "fetch.$": "$.fetch",
                "input.$": "$.input",
            },
        },
        "ResultSelector": {f"{key}.$": f"$.Payload.{key}" for key in FAILURE},
        "ResultPath": "$.failure",
        "TimeoutSeconds": retries.RECORDING_STATE_SECONDS,
        "Retry": retries.of_lambda(),
        "Catch": [_go_on("$.record_error", "FailureNotRecorded")],
        "Next": "DeadLetter",
    }


def _not_recorded(dataset: str) -> State:
    """The first failure in the words of Step Functions; a Cause may be missing, so the error is taken whole."""
    return {
        "Type": "Pass",
        "Parameters": {
            "dataset": dataset,
            "run_id.$": "$.failed.run_id",
            "state.$": "$.failed.state",
            "code": "unrecorded",
            "reason.$": "States.JsonToString($.error)",
            "hint.$": _UNRECORDED,
            "redrive": f"pharmaetl run {dataset} --target aws, with the options of the failed execution's input",
        },
        "ResultPath": "$.failure",
        "Next": "DeadLetter",
    }


def _dead_letter() -> State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {
            "QueueUrl": "${DeadLetterQueueUrl}",
            "MessageBody": {
                **{f"{key}.$": f"$.failure.{key}" for key in FAILURE},
                "error.$": "$.error.Error",
                "execution.$": "$$.Execution.Id",
                "input.$": "$.input",
            },
        },
        "ResultPath": "$.dead_letter",
        "TimeoutSeconds": retries.CALL_SECONDS,
        "Retry": retries.of_notice(),
        "Catch": [_go_on("$.dead_letter", "Notify")],
        "Next": "Notify",
    }


def _notify(dataset: str) -> State:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {
            "TopicArn": "${AlertsTopicArn}",
            "Subject": f"pharmaetl: {dataset} failed",
            "Message": {
                **{f"{key}.$": f"$.failure.{key}" for key in FAILURE},
                "execution.$": "$$.Execution.Id",
            },
        },
        "ResultPath": "$.notice",
        "TimeoutSeconds": retries.CALL_SECONDS,
        "Retry": retries.of_notice(),
        "Catch": [_go_on("$.notice", "Failed")],
        "Next": "Failed",
    }
