"""Who may do what: hand-written statements, one function for each role, free of CDK.

An action is always spelled out. A resource with a wildcard says why it needs one, and is acknowledged by that.
Writing to S3 means `s3:PutObject`, which also is what a multipart upload needs, and aborting one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pharmaetl.aws import naming
from pharmaetl.aws.cdk.arns import Own, Shared, Text, arn, log_group
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.errors import ConfigError
from pharmaetl.lake import layout

OBJECTS = "S3 grants objects by key prefix: the dataset's own folders, and those of its runs under way"
STREAMS = "the streams of one log group, whose names Lambda or Glue make up"
NO_RESOURCE = "the service has no resource to name for these actions"
TABLES = "the tables of the dataset's own database"
GLUE_LOGS = "Glue makes its log groups itself, named by the security configuration"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Statement:
    """An Allow statement; `why` gives the reason where a resource has a wildcard."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[Text | str, ...]
    why: str = ""
    condition: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The statement as IAM reads it."""
        made: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        return made | ({"Condition": self.condition} if self.condition else {})


@dataclass(frozen=True)
class Grants:
    """The statements that the roles of one dataset are made of."""

    names: DatasetNames
    shared: Shared
    key: Text

    @property
    def own(self) -> Own:
        """What the dataset's stack makes."""
        return Own(self.names)

    def fetch(self) -> list[Statement]:
        """λ fetch and hash: writes raw files, runs under way and records; reads what is published."""
        dataset = self.names.config.dataset
        read = _folders(dataset, layout.RAW, layout.MANIFESTS, layout.CONTRACTS, layout.RUNS, layout.LINEAGE)
        write = _folders(dataset, layout.RAW, layout.RUNS, layout.LINEAGE)
        temporary = [*self._under_way, f"{layout.notices(dataset)}/*"]
        return [
            *self._lake([*read, f"{layout.MANIFESTS}/{dataset}.json"], write, temporary),
            *self._secrets(),
            *self._function(self.names.fetch_function),
        ]

    def publish(self) -> list[Statement]:
        """λ update manifest: copies a run's files to their place, commits, and keeps the catalogue."""
        dataset = self.names.config.dataset
        made = _folders(
            dataset, layout.BRONZE, layout.SILVER, layout.QUARANTINE, layout.MANIFESTS, layout.RUNS, layout.LINEAGE
        )
        current = f"{layout.MANIFESTS}/{dataset}.json"
        made += [f"{layout.GOLD}/{table.name}/*" for table in self.names.config.gold]
        read = _folders(dataset, layout.RAW, layout.CONTRACTS)
        return [
            *self._lake([*read, *made, current], [*made, current], self._under_way),
            Statement(
                "Catalogue",
                (
                    "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable", "glue:DeleteTable",
                    "glue:BatchCreatePartition",
                ),
                tuple(self.own.catalogue()),
                TABLES,
            ),
            *self._function(self.names.manifest_function),
        ]  # fmt: skip

    def trigger(self) -> list[Statement]:
        """λ trigger: starts executions, and does nothing else."""
        start = Statement("Start", ("states:StartExecution",), (self.own.state_machine,))
        return [start, self._own_key(), *self._function(self.names.trigger_function)]

    def freshness(self) -> list[Statement]:
        """λ freshness: reads the publish log and the records of runs."""
        dataset = self.names.config.dataset
        read = [*_folders(dataset, layout.MANIFESTS, layout.RUNS), f"{layout.MANIFESTS}/{dataset}.json"]
        return [*self._lake(read, []), *self._function(self.own.freshness_function)]

    def bronze(self, code: list[Text]) -> list[Statement]:
        """Glue job bronze: raw files and records in, the run's own folder out; `code` is its script and library."""
        read = _folders(self.names.config.dataset, layout.RAW)
        return [*self._lake(read, [], self._under_way), *self._job(code)]

    def silver(self, code: list[Text]) -> list[Statement]:
        """Glue job silver: reads and writes runs under way only."""
        return [*self._lake([], [], self._under_way), *self._job(code)]

    def gold(self, code: list[Text]) -> list[Statement]:
        """Glue job gold: reads and writes runs under way only; what is published, it never sees."""
        return [*self._lake([], [], self._under_way), *self._job(code)]

    def crawler(self) -> list[Statement]:
        """The crawler: reads bronze, and writes tables of the dataset's database."""
        return [
            *self._lake(_folders(self.names.config.dataset, layout.BRONZE), []),
            Statement(
                "Catalogue",
                (
                    "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable",
                    "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition", "glue:BatchCreatePartition",
                    "glue:UpdatePartition",
                ),
                tuple(self.own.catalogue()),
                TABLES,
            ),
            self._glue_logs(),
        ]  # fmt: skip

    def state_machine(self) -> list[Statement]:
        """The state machine: exactly what its definition calls, and its own logs and traces."""
        names, own = self.names, self.own
        functions = (own.function(names.fetch_function), own.function(names.manifest_function))
        jobs = tuple(own.job(name) for name in names.jobs.values())
        crawl = [] if names.crawler is None else [_crawl(names.crawler)]
        return [
            Statement("Functions", ("lambda:InvokeFunction",), functions),
            Statement("Jobs", ("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"), jobs),
            *crawl,
            Statement("DeadLetters", ("sqs:SendMessage",), (own.dead_letters,)),
            Statement("Alerts", ("sns:Publish",), (self.shared.alerts,)),
            self._own_key(),
            Statement("LogDelivery", LOG_DELIVERY, ("*",), NO_RESOURCE),
            _traces("xray:GetSamplingRules", "xray:GetSamplingTargets"),
        ]

    def schedule(self) -> list[Statement]:
        """The schedules: wake two functions, and keep what could not be delivered."""
        names = (self.names.trigger_function, self.own.freshness_function)
        functions = tuple(self.own.function(name) for name in names)
        return [
            Statement("Functions", ("lambda:InvokeFunction",), functions),
            Statement("DeadLetters", ("sqs:SendMessage",), (self.own.dead_letters,)),
            self._own_key(),
        ]

    @property
    def _under_way(self) -> list[str]:
        """The folders of the dataset's runs before they are published (`pharmaetl.aws.handover`)."""
        return [f"{layout.WORK}/{self.names.config.dataset}-*"]

    def _lake(self, read: list[str], write: list[str], temporary: Sequence[str] = ()) -> list[Statement]:
        """Reading by folders, writing to some of them, and clearing away what is temporary."""
        shared, write = self.shared, [*write, *temporary]
        # not narrowed to prefixes: S3 says of a missing object that it is missing only to who may list the bucket
        made = [Statement("List", ("s3:ListBucket", "s3:GetBucketLocation"), (shared.bucket_arn,))]
        if only_read := [pattern for pattern in read if pattern not in write]:
            made.append(Statement("Read", ("s3:GetObject",), tuple(map(shared.objects, only_read)), OBJECTS))
        if write:
            actions = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
            made.append(Statement("Write", actions, tuple(map(shared.objects, write)), OBJECTS))
        if temporary:
            made.append(Statement("CleanUp", ("s3:DeleteObject",), tuple(map(shared.objects, temporary)), OBJECTS))
        return [*made, self._own_key()]

    def _own_key(self) -> Statement:
        return Statement("Key", ("kms:Decrypt", "kms:GenerateDataKey"), (self.key,))

    def _secrets(self) -> list[Statement]:
        secrets = tuple(self.shared.secret(name) for name in secrets_of(self.names.config))
        return [Statement("Secrets", ("secretsmanager:GetSecretValue",), secrets)] if secrets else []

    def _function(self, name: str) -> list[Statement]:
        return [
            Statement("Logs", _WRITE_LOGS, (log_group(f"/aws/lambda/{name}"),), STREAMS),
            Statement("DeadLetters", ("sqs:SendMessage",), (self.own.dead_letters,)),
            _traces(),
        ]

    def _job(self, code: list[Text]) -> list[Statement]:
        return [
            Statement("Code", ("s3:GetObject",), tuple(code)),
            self._glue_logs(),
            Statement(
                "Metrics",
                ("cloudwatch:PutMetricData",),
                ("*",),
                NO_RESOURCE,
                {"StringEquals": {"cloudwatch:namespace": "Glue"}},
            ),
        ]

    def _glue_logs(self) -> Statement:
        actions = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey")
        return Statement("Logs", actions, (arn("logs", "log-group:/aws-glue/*"),), GLUE_LOGS)


LOG_DELIVERY = (
    "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
)  # fmt: skip
"""What Step Functions needs to log (docs.aws.amazon.com/step-functions, Using CloudWatch Logs)."""
_WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")


def secrets_of(config: DatasetConfig) -> tuple[str, ...]:
    """Placeholders in the source URLs, each a secret; ConfigError for one that the base stack keeps none for."""
    urls = [config.source_url, *config.editions.values()]
    found = sorted({name for url in urls for name in _PLACEHOLDER.findall(url)})
    for name in found:
        if name not in naming.SECRETS:
            raise ConfigError(
                f"{config.dataset}: the source URL needs ${{{name}}}, which has no secret on AWS",
                hint=f"known: {', '.join(sorted(naming.SECRETS))}",
            )
    return tuple(found)


def _folders(dataset: str, *tops: str) -> list[str]:
    return [f"{top}/{dataset}/*" for top in tops]


def _crawl(crawler: str) -> Statement:
    return Statement("Crawl", ("glue:StartCrawler",), (arn("glue", f"crawler/{crawler}"),))


def _traces(*more: str) -> Statement:
    return Statement("Traces", ("xray:PutTraceSegments", "xray:PutTelemetryRecords", *more), ("*",), NO_RESOURCE)
