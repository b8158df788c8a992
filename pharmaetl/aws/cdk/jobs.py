"""The Glue side of a dataset: database, a job for each layer, and the crawler where the config names one."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from pharmaetl.aws import retries
from pharmaetl.aws.cdk import roles
from pharmaetl.aws.cdk.arns import Text, sub
from pharmaetl.aws.cdk.functions import log_group
from pharmaetl.aws.cdk.policies import Grants
from pharmaetl.aws.cdk.roles import Granted
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.lake import layout
from pharmaetl.pipeline import Layer

_LOGS = ("error", "output")
"""What Glue tells apart: what Spark says, and what the script prints."""
_CRAWLED = "crawled_"
"""What the crawler's tables are called before their own name, so that it never touches a table that is published."""


class Jobs(Construct):
    """Glue resources of one dataset."""

    def __init__(
        self,
        scope: Construct,
        names: DatasetNames,
        grants: Grants,
        library: assets.Asset,
        scripts: dict[Layer, assets.Asset],
    ) -> None:
        super().__init__(scope, "Jobs")
        self._names, self._grants, self._library = names, grants, library
        self._security = None if grants.shared.settings.emulated else self._security_configuration()
        self.database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=names.database, description=f"{names.config.dataset}: bronze by run, the rest as it is published"
            ),
        )
        may = {"bronze": grants.bronze, "silver": grants.silver, "gold": grants.gold}
        statements = {layer.capitalize(): may[layer](self._code(scripts[layer])) for layer in names.jobs}
        granted = roles.roles(self, "glue.amazonaws.com", statements, "Shared")
        for layer, name in names.jobs.items():
            self._job(layer.capitalize(), name, granted[layer.capitalize()], scripts[layer])
        if names.crawler is not None:
            self._crawler(names.crawler)

    def _security_configuration(self) -> glue.CfnSecurityConfiguration:
        """What Glue itself writes, its logs and bookmarks, encrypted by the lake's key."""
        key = cdk.Fn.ref(self._grants.key["Ref"])
        return glue.CfnSecurityConfiguration(
            self,
            "Security",
            name=self._names.security_configuration,
            encryption_configuration=glue.CfnSecurityConfiguration.EncryptionConfigurationProperty(
                s3_encryptions=[
                    glue.CfnSecurityConfiguration.S3EncryptionProperty(s3_encryption_mode="SSE-KMS", kms_key_arn=key)
                ],
                cloud_watch_encryption=glue.CfnSecurityConfiguration.CloudWatchEncryptionProperty(
                    cloud_watch_encryption_mode="SSE-KMS", kms_key_arn=key
                ),
                job_bookmarks_encryption=glue.CfnSecurityConfiguration.JobBookmarksEncryptionProperty(
                    job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=key
                ),
            ),
        )

    def _code(self, script: assets.Asset) -> list[Text]:
        """The objects that a job reads its script and library from."""
        return [_object(script), _object(self._library)]

    def _job(self, title: str, name: str, role: Granted, script: assets.Asset) -> None:
        config = self._names.config
        made = glue.CfnJob(
            self,
            title,
            name=name,
            description=f"{config.dataset}: {title.lower()}",
            role=role.arn,
            command=glue.CfnJob.JobCommandProperty(
                name="glueetl", python_version="3", script_location=script.s3_object_url
            ),
            default_arguments={
                "--job-language": "python",
                "--extra-py-files": self._library.s3_object_url,
                "--enable-metrics": "true",
                "--enable-continuous-cloudwatch-log": "true",
                "--enable-job-insights": "true",
            },
            glue_version=config.glue_version,
            worker_type=config.worker_type,
            number_of_workers=config.number_of_workers,
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=1),
            max_retries=0,
            timeout=retries.GLUE_MINUTES,
            security_configuration=self._security.name if self._security else None,
        )
        self._after(made)
        for group in self._logs(title, role):
            made.add_resource_dependency(group)

    def _logs(self, title: str, role: Granted) -> list[logs.CfnLogGroup]:
        """The groups that Glue writes a job's logs to, made before Glue would, which lets logs never expire.

        Their names follow from security configuration and role (AWS Glue developer guide, Logging for AWS Glue jobs).
        """
        if self._security is None:
            return []
        place = f"/aws-glue/jobs/{self._names.security_configuration}-role/{role.role.ref}"
        return [log_group(self, f"{title}{kind.title()}", f"{place}/{kind}", self._grants) for kind in _LOGS]

    def _crawler(self, name: str) -> None:
        config = self._names.config
        role = roles.role(self, "Crawler", "glue.amazonaws.com", self._grants.crawler())
        # bucket, layer, dataset and, where it has several, table: one table for each folder at that depth
        level = 3 if len(config.tables) == 1 else 4
        made = glue.CfnCrawler(
            self,
            "Crawler",
            name=name,
            description=f"{config.dataset}: looks at bronze after a version is published; nothing waits for it",
            role=role.arn,
            database_name=self._names.database,
            table_prefix=_CRAWLED,
            targets=glue.CfnCrawler.TargetsProperty(
                s3_targets=[glue.CfnCrawler.S3TargetProperty(path=self._bronze(config.dataset))]
            ),
            configuration=json.dumps({"Version": 1.0, "Grouping": {"TableLevelConfiguration": level}}),
            schema_change_policy=glue.CfnCrawler.SchemaChangePolicyProperty(
                delete_behavior="LOG", update_behavior="UPDATE_IN_DATABASE"
            ),
            crawler_security_configuration=self._security.name if self._security else None,
        )
        self._after(made)
        made.add_resource_dependency(self.database)

    def _after(self, made: cdk.CfnResource) -> None:
        """It names the security configuration, so that it is made after that."""
        if self._security is not None:
            made.add_resource_dependency(self._security)

    def _bronze(self, dataset: str) -> str:
        return str(cdk.Fn.sub(f"s3://{self._grants.shared.bucket}/{layout.BRONZE}/{dataset}/"))


def _object(asset: assets.Asset) -> Text:
    # the bootstrap bucket's name is a text to be filled in; its ARN would come as a token
    return sub(f"arn:${{AWS::Partition}}:s3:::{_bucket_of(asset)}/{asset.s3_object_key}")


def _bucket_of(asset: assets.Asset) -> str:
    resolved = cdk.Stack.of(asset).resolve(asset.s3_bucket_name)
    return str(resolved["Fn::Sub"]) if isinstance(resolved, dict) else str(resolved)
