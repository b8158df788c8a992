"""The state machine of a dataset, what starts it by the clock, and what says so when it fails."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from pharmaetl.aws import state_machine
from pharmaetl.aws.cdk import cadence, roles
from pharmaetl.aws.cdk.arns import Own, arn
from pharmaetl.aws.cdk.functions import Functions, log_group
from pharmaetl.aws.cdk.policies import Grants
from pharmaetl.aws.naming import DatasetNames

_FAILURES = ("FAILED", "TIMED_OUT", "ABORTED")
_WAKING = json.dumps({"scheduled_time": "<aws.scheduler.scheduled-time>"})
"""What Scheduler fills in (its user guide, context attributes): it delivers at least once, a run is started once."""
_TWO_WEEKS = 14 * 24 * 3600


class Machine(Construct):
    """State machine, schedules, failure rule and dead-letter queue of one dataset."""

    def __init__(self, scope: Construct, names: DatasetNames, grants: Grants, functions: Functions) -> None:
        super().__init__(scope, "Machine")
        self._names, self._grants = names, grants
        self.dead_letters = self._queue()
        for function in functions.all:
            # each names the queue by its ARN only, and Lambda may ask whether it can write there
            function.add_resource_dependency(self.dead_letters)
        self._role = roles.role(self, "Orchestrator", "states.amazonaws.com", grants.state_machine())
        self.resource = self._state_machine(functions)
        self._schedules(functions)
        self._failure_rule()

    @property
    def _rule(self) -> str:
        return f"{self._names.slug}-failures"

    def _queue(self) -> sqs.CfnQueue:
        queue = sqs.CfnQueue(
            self,
            "DeadLetters",
            queue_name=self._names.dead_letters,
            kms_master_key_id=cdk.Fn.ref(self._grants.key["Ref"]),
            message_retention_period=_TWO_WEEKS,
        )
        statements = [_rule_may_send(queue, self._rule)]
        if not self._grants.shared.settings.emulated:
            statements.append(_tls_only(queue))
        document = {"Version": "2012-10-17", "Statement": statements}
        sqs.CfnQueuePolicy(self, "DeadLettersPolicy", queues=[queue.ref], policy_document=document)
        return queue

    def _state_machine(self, functions: Functions) -> stepfunctions.CfnStateMachine:
        names = self._names
        logs = log_group(self, "Orchestrator", f"/aws/vendedlogs/states/{names.state_machine}", self._grants)
        definition = state_machine.definition(names.config)
        definition = state_machine.in_partition(definition, self._grants.shared.settings.partition)
        filled = {
            "FetchAndHashFunctionArn": functions.fetch.attr_arn,
            "UpdateManifestFunctionArn": functions.publish.attr_arn,
            **{f"{layer.capitalize()}JobName": name for layer, name in names.jobs.items()},
            "DeadLetterQueueUrl": self.dead_letters.ref,
            "AlertsTopicArn": cdk.Fn.sub(self._grants.shared.alerts["Fn::Sub"]),
            **({"CrawlerName": names.crawler} if names.crawler else {}),
        }
        made = stepfunctions.CfnStateMachine(
            self,
            "Orchestrator",
            state_machine_name=names.state_machine,
            state_machine_type="STANDARD",
            role_arn=self._role.arn,
            definition_string=json.dumps(definition, separators=(",", ":")),
            definition_substitutions=filled,
            logging_configuration=stepfunctions.CfnStateMachine.LoggingConfigurationProperty(
                destinations=[
                    stepfunctions.CfnStateMachine.LogDestinationProperty(
                        cloud_watch_logs_log_group=stepfunctions.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                            log_group_arn=logs.attr_arn
                        )
                    )
                ],
                include_execution_data=True,
                level="ALL",
            ),
            tracing_configuration=stepfunctions.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        )
        # a role that may not deliver logs yet is refused
        for policy in self._role.policies:
            made.add_resource_dependency(policy)
        return made

    def _schedules(self, functions: Functions) -> None:
        role = roles.role(self, "Schedule", "scheduler.amazonaws.com", self._grants.schedule())
        config = self._names.config
        own = Own(self._names)
        runs = (self._names.schedule, cadence.of_runs(config), functions.trigger.attr_arn, _WAKING)
        freshness = (own.freshness_function, cadence.of_freshness(config), functions.freshness.attr_arn, "{}")
        for title, (name, expression, target, given) in {"Cadence": runs, "FreshnessCadence": freshness}.items():
            scheduler.CfnSchedule(
                self,
                title,
                name=name,
                description=f"{config.dataset}: {title.lower()}",
                schedule_expression=expression,
                schedule_expression_timezone="UTC",
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
                kms_key_arn=cdk.Fn.ref(self._grants.key["Ref"]),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=target,
                    role_arn=role.arn,
                    input=given,
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters.attr_arn),
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=3600, maximum_retry_attempts=5
                    ),
                ),
            )

    def _failure_rule(self) -> None:
        """Whatever ends an execution without success is announced, also what the state machine can't say itself."""
        events.CfnRule(
            self,
            "Failures",
            name=self._rule,
            description=f"{self._names.config.dataset}: an execution failed, timed out or was stopped",
            event_pattern={
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {"status": list(_FAILURES), "stateMachineArn": [self.resource.ref]},
            },
            state="ENABLED",
            targets=[
                events.CfnRule.TargetProperty(
                    id="alerts",
                    arn=cdk.Fn.sub(self._grants.shared.alerts["Fn::Sub"]),
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self.dead_letters.attr_arn),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=3600, maximum_retry_attempts=8
                    ),
                )
            ],
        )


def _rule_may_send(queue: sqs.CfnQueue, rule: str) -> dict[str, Any]:
    return {
        "Sid": "UndeliveredAlerts",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue.attr_arn,
        # the condition that EventBridge is documented to fill in for queues of dead letters
        "Condition": {"ArnEquals": {"aws:SourceArn": arn("events", f"rule/{rule}")}},
    }


def _tls_only(queue: sqs.CfnQueue) -> dict[str, Any]:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sqs:*",
        "Resource": queue.attr_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
