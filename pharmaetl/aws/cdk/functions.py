"""The Lambda functions of a dataset, each with its role and its log group."""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from pharmaetl.aws import retries
from pharmaetl.aws.account import PREFIX_VARIABLE
from pharmaetl.aws.cdk import policies, roles
from pharmaetl.aws.cdk.arns import Own, Shared
from pharmaetl.aws.cdk.policies import Grants
from pharmaetl.aws.naming import PREFIX, DatasetNames
from pharmaetl.config.dataset_config import DatasetConfig

LOG_DAYS = 365
NAMESPACE = "pharmaetl"
_MOST_STORAGE, _LEAST_STORAGE = 10_240, 1_024
_MIB = 1024**2


@dataclass(frozen=True)
class Size:
    """What a function may use; seconds, and MiB of memory and of /tmp."""

    seconds: int
    memory: int
    storage: int = 512


class Functions(Construct):
    """The functions of one dataset, which share one archive."""

    def __init__(
        self, scope: Construct, names: DatasetNames, grants: Grants, archive: assets.Asset, reserved: int
    ) -> None:
        super().__init__(scope, "Functions")
        self._names, self._grants, self._archive, self._reserved = names, grants, archive, reserved
        config = names.config
        secrets = {
            f"PHARMAETL_SECRET_{name}": grants.shared.settings.base.secret(name) for name in policies.secrets_of(config)
        }
        statements = {
            "FetchAndHash": grants.fetch(), "UpdateManifest": grants.publish(),
            "Trigger": grants.trigger(), "Freshness": grants.freshness(),
        }  # fmt: skip
        self._roles = roles.roles(self, "lambda.amazonaws.com", statements, "Shared")
        large = Size(retries.LAMBDA_SECONDS, 3_008, storage_for(config))
        self.fetch = self._function("fetch_and_hash", names.fetch_function, large, secrets)
        publishing = Size(retries.LAMBDA_SECONDS, 2_048, _LEAST_STORAGE)
        self.publish = self._function("update_manifest", names.manifest_function, publishing)
        small = Size(60, 512)
        machine = {"STATE_MACHINE_ARN": cdk.Fn.sub(Own(names).state_machine["Fn::Sub"])}
        self.trigger = self._function("trigger", names.trigger_function, small, machine)
        self.freshness = self._function("freshness", Own(names).freshness_function, small)
        self.all = (self.fetch, self.publish, self.trigger, self.freshness)

    def _function(self, module: str, name: str, size: Size, more: dict[str, str] | None = None) -> lambda_.CfnFunction:
        title = "".join(part.capitalize() for part in module.split("_"))
        group = log_group(self, title, f"/aws/lambda/{name}", self._grants)
        role = self._roles[title]
        made = lambda_.CfnFunction(
            self,
            title,
            function_name=name,
            description=f"{self._names.config.dataset}: {module.replace('_', ' ')}",
            runtime="python3.11",
            architectures=["x86_64"],
            handler=f"pharmaetl.aws.lambdas.{module}.handler",
            code=lambda_.CfnFunction.CodeProperty(
                s3_bucket=self._archive.s3_bucket_name, s3_key=self._archive.s3_object_key
            ),
            role=role.arn,
            timeout=size.seconds,
            memory_size=size.memory,
            ephemeral_storage=lambda_.CfnFunction.EphemeralStorageProperty(size=size.storage),
            environment=lambda_.CfnFunction.EnvironmentProperty(variables=self._environment(more or {})),
            kms_key_arn=cdk.Fn.ref(self._grants.key["Ref"]),
            logging_config=lambda_.CfnFunction.LoggingConfigProperty(log_format="JSON", log_group=group.ref),
            dead_letter_config=lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=self._dead_letters()),
            tracing_config=lambda_.CfnFunction.TracingConfigProperty(mode="Active"),
            reserved_concurrent_executions=self._reserved or None,
        )
        # Lambda refuses a dead-letter queue that the role can't write to yet
        for policy in role.policies:
            made.add_resource_dependency(policy)
        return made

    def _dead_letters(self) -> str:
        return str(cdk.Fn.sub(Own(self._names).dead_letters["Fn::Sub"]))

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        shared: Shared = self._grants.shared
        return {
            "PHARMAETL_LAKE": cdk.Fn.sub(shared.lake["Fn::Sub"]),
            "PHARMAETL_DATASET": self._names.config.dataset,
            "POWERTOOLS_SERVICE_NAME": self._names.slug,
            "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
            # names follow from it; without, from the usual one
            **({PREFIX_VARIABLE: self._names.prefix} if self._names.prefix != PREFIX else {}),
            **more,
        }


def storage_for(config: DatasetConfig) -> int:
    """MiB of /tmp for a source, what is unpacked of it and its records: four times the largest source accepted."""
    wanted = -(-4 * config.max_bytes // _MIB)
    return min(_MOST_STORAGE, max(_LEAST_STORAGE, wanted))


def log_group(scope: Construct, title: str, name: str, grants: Grants) -> logs.CfnLogGroup:
    """An encrypted log group that keeps a year, and goes with its stack: CloudFormation deletes unless told not to."""
    return logs.CfnLogGroup(
        scope,
        f"{title}Logs",
        log_group_name=name,
        kms_key_id=cdk.Fn.ref(grants.key["Ref"]),
        retention_in_days=LOG_DAYS,
    )
