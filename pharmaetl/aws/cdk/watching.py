"""What tells people how a dataset does: alarms on the shared topic, and a dashboard."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from pharmaetl.aws.cdk.arns import Own
from pharmaetl.aws.cdk.policies import Grants
from pharmaetl.aws.lambdas import freshness
from pharmaetl.aws.naming import DatasetNames


@dataclass(frozen=True)
class _Watched:
    """A metric that must stay below 1."""

    title: str
    what: str
    namespace: str
    metric: str
    dimension: tuple[str, str]
    seconds: int
    statistic: str
    missing: str = "notBreaching"


class Watching(Construct):
    """Alarms and dashboard of one dataset."""

    def __init__(self, scope: Construct, names: DatasetNames, grants: Grants) -> None:
        super().__init__(scope, "Watching")
        self._names, self._alerts = names, cdk.Fn.sub(grants.shared.alerts["Fn::Sub"])
        machine = ("StateMachineArn", cdk.Fn.sub(Own(names).state_machine["Fn::Sub"]))
        queue = ("QueueName", names.dead_letters)
        dataset = ("dataset", names.config.dataset)
        states, letters = "AWS/States", "ApproximateNumberOfMessagesVisible"
        for watched in (
            _Watched("Failed", "an execution failed", states, "ExecutionsFailed", machine, 300, "Sum"),
            _Watched("TimedOut", "an execution timed out", states, "ExecutionsTimedOut", machine, 300, "Sum"),
            # SQS stops reporting on a queue that nobody touches for six hours: what waits there waits on
            _Watched(
                "DeadLetters", "a failed run waits in the queue", "AWS/SQS", letters, queue, 300, "Maximum", "ignore"
            ),
            # λ freshness says 0 or 1 every six hours; when it falls silent, nobody knows, which is as bad
            _Watched(
                "Stale",
                "no fresh version for too long, or nobody knows",
                freshness.NAMESPACE,
                freshness.STALE,
                dataset,
                43_200,
                "Minimum",
                missing="breaching",
            ),
        ):
            self._alarm(watched)
        self._dashboard()

    def _alarm(self, watched: _Watched) -> None:
        name, value = watched.dimension
        cloudwatch.CfnAlarm(
            self,
            watched.title,
            alarm_name=f"{self._names.slug}-{_kebab(watched.title)}",
            alarm_description=f"{self._names.config.dataset}: {watched.what}. Runbooks: docs/aws.md",
            namespace=watched.namespace,
            metric_name=watched.metric,
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value)],
            statistic=watched.statistic,
            period=watched.seconds,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data=watched.missing,
            alarm_actions=[self._alerts],
            ok_actions=[self._alerts],
        )

    def _dashboard(self) -> None:
        names, own = self._names, Own(self._names)
        machine = own.state_machine["Fn::Sub"]
        functions = (names.fetch_function, names.manifest_function, names.trigger_function)
        ended = ("ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
        widgets = [
            _widget(
                0, "Executions", _alike([["AWS/States", name, "StateMachineArn", machine] for name in ended]), "Sum"
            ),
            _widget(
                1,
                "Hours since the last version",
                [[freshness.NAMESPACE, freshness.AGE, "dataset", names.config.dataset]],
                "Maximum",
            ),
            _widget(
                2,
                "Functions, ms",
                _alike([["AWS/Lambda", "Duration", "FunctionName", name] for name in functions]),
                "Maximum",
            ),
            _widget(
                3,
                "Dead letters",
                [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", names.dead_letters]],
                "Maximum",
            ),
        ]
        cloudwatch.CfnDashboard(
            self,
            "Dashboard",
            dashboard_name=names.state_machine,
            dashboard_body=cdk.Fn.sub(json.dumps({"widgets": widgets})),
        )


def _alike(metrics: list[list[str]]) -> list[list[str]]:
    """A dot stands for what the metric before has in the same place (CloudWatch user guide, dashboard body)."""
    after_another = pairwise(metrics)
    shorter = [["." if a == b else b for a, b in zip(one, other, strict=True)] for one, other in after_another]
    return [metrics[0], *shorter]


def _widget(place: int, title: str, metrics: list[list[str]], statistic: str) -> dict[str, Any]:
    shown = {
        "title": title,
        "metrics": metrics,
        "stat": statistic,
        "period": 3600,
        "region": "${AWS::Region}",
        "view": "timeSeries",
    }
    return {
        "type": "metric",
        "x": 12 * (place % 2),
        "y": 6 * (place // 2),
        "width": 12,
        "height": 6,
        "properties": shown,
    }


def _kebab(title: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in title).lstrip("-")
