"""What everything on AWS is called: the only place that spells names of stacks, functions, jobs and topics.

Names follow from the dataset's config and one prefix, so that a command line finds what a deployment made without
asking for stack outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.pipeline import Layer, SparkJob, local_steps_for

PREFIX = "PP-RAWS"
"""Prefix of every stack, where no other is asked for (CDK context `prefix`, or PHARMAETL_AWS_PREFIX)."""
SECRETS = frozenset({"UMLS_API_KEY"})
"""Placeholders in source URLs that the base stack keeps a secret for."""


@dataclass(frozen=True)
class BaseNames:
    """Names of what all datasets share; `prefix` is the stacks'."""

    prefix: str = PREFIX

    @property
    def stack(self) -> str:
        """The stack with bucket, keys and topics."""
        return f"{self.prefix}-DataLake-Base"

    def bucket(self, account: str, region: str) -> str:
        """The lake's bucket, which is the lake's root; a bucket's name is unique in all of AWS."""
        return f"{self.prefix.lower()}-lake-{account}-{region}"

    def log_bucket(self, account: str, region: str) -> str:
        """The bucket for access logs."""
        return f"{self.prefix.lower()}-lake-logs-{account}-{region}"

    @property
    def key_alias(self) -> str:
        """The KMS key of everything stored."""
        return f"alias/{self.prefix.lower()}-lake"

    @property
    def alerts_topic(self) -> str:
        """Where failures and alarms are announced."""
        return f"{self.prefix.lower()}-alerts"

    def secret(self, name: str) -> str:
        """The Secrets Manager secret behind a placeholder of a source URL, such as UMLS_API_KEY."""
        return f"{self.prefix.lower()}/{name.lower().replace('_', '-')}"


@dataclass(frozen=True)
class DatasetNames:
    """Names of what one dataset has for itself.

    With the usual prefix they are what the config says, or follow from the dataset alone; any other prefix stands
    before each of them, so that two deployments in one account don't meet.
    """

    config: DatasetConfig
    prefix: str = PREFIX

    @property
    def slug(self) -> str:
        """The dataset's name as AWS resources bear it: hyphens for underscores."""
        return self._apart(self.config.dataset.replace("_", "-"))

    @property
    def stack(self) -> str:
        """The dataset's own stack."""
        return f"{self.prefix}-{self.config.title_for_stacks}-Orchestrator"

    @property
    def state_machine(self) -> str:
        """The Step Functions state machine."""
        return f"{self.slug}-orchestrator"

    @property
    def fetch_function(self) -> str:
        """The Lambda that fetches, hashes, compares and splits."""
        return f"{self.slug}-fetch-and-hash"

    @property
    def manifest_function(self) -> str:
        """The Lambda that judges, audits and publishes, or records a failure."""
        return f"{self.slug}-update-manifest"

    @property
    def trigger_function(self) -> str:
        """The Lambda that starts an execution."""
        return f"{self.slug}-trigger"

    @property
    def jobs(self) -> dict[Layer, str]:
        """The Glue jobs by layer, in the order in which they run; gold only where the config has gold tables."""
        steps = local_steps_for(self.config)
        return {step.layer: self._apart(step.job_name) for step in steps if isinstance(step, SparkJob)}

    @property
    def security_configuration(self) -> str:
        """By which keys Glue encrypts what it writes itself; its log groups bear the name too."""
        return f"{self.prefix.lower()}-{self.config.dataset.replace('_', '-')}"

    @property
    def crawler(self) -> str | None:
        """The Glue crawler over bronze; None where the config names none."""
        name = self.config.bronze_crawler_name
        return self._apart(name) if name else None

    @property
    def database(self) -> str:
        """The Glue database with the dataset's tables, in whose name a query wants no hyphen."""
        return self._apart(self.config.database_name or f"{self.config.dataset}_db", "_")

    @property
    def dead_letters(self) -> str:
        """The SQS queue of failed runs."""
        return f"{self.slug}-dead-letters"

    @property
    def schedule(self) -> str:
        """The EventBridge schedule."""
        return f"{self.slug}-cadence"

    def _apart(self, name: str, hyphen: str = "-") -> str:
        return name if self.prefix == PREFIX else f"{self.prefix.lower().replace('-', hyphen)}{hyphen}{name}"
