"""What a state machine's role needs, and what a deployment has to fill in: read off the definition itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_NEEDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lambda:invoke": ("FunctionName", ("lambda:InvokeFunction",)),
    # a job run that is waited for is also looked at, and stopped when the execution is
    "glue:startJobRun.sync": (
        "JobName", ("glue:BatchStopJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun"),
    ),
    "aws-sdk:glue:startCrawler": ("Name", ("glue:StartCrawler",)),
    "sqs:sendMessage": ("QueueUrl", ("sqs:SendMessage",)),
    "sns:publish": ("TopicArn", ("sns:Publish",)),
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Permission:
    """One action on one resource, which is written as the definition does: a placeholder, or what filled it."""

    action: str
    resource: str


def iam_actions(definition: dict[str, Any]) -> tuple[Permission, ...]:
    """What the role must be allowed, each once, in order; KeyError for a kind of task that isn't known here."""
    return tuple(sorted(set(_permissions(definition))))


def _permissions(definition: dict[str, Any]) -> Iterator[Permission]:
    for state in definition["States"].values():
        if state["Type"] == "Task":
            named_by, actions = _NEEDS[state["Resource"].partition(":states:::")[2]]
            for action in actions:
                yield Permission(action, state["Parameters"][named_by])


def placeholders(definition: dict[str, Any]) -> tuple[str, ...]:
    """The names that a deployment has to fill in, each once, in order."""
    return tuple(sorted(set(re.findall(r"\$\{(\w+)\}", json.dumps(definition)))))
