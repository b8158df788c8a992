"""The stack of one dataset: its functions, jobs, state machine, schedules and alarms."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from pharmaetl.aws import packaging
from pharmaetl.aws.cdk import acknowledged
from pharmaetl.aws.cdk.arns import KEY, LAKE, Shared
from pharmaetl.aws.cdk.functions import Functions
from pharmaetl.aws.cdk.jobs import Jobs
from pharmaetl.aws.cdk.machine import Machine
from pharmaetl.aws.cdk.policies import Grants
from pharmaetl.aws.cdk.settings import Settings
from pharmaetl.aws.cdk.watching import Watching
from pharmaetl.aws.deployment import CODE_TAG
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.catalog import Dataset
from pharmaetl.errors import ConfigError

_LONGEST_NAME = 64
UNTAGGED = ["AWS::IAM::Role"]
"""Types whose resources cost nothing: of the tags they get those of the stack only, when that is deployed."""


class OrchestratorStack(cdk.Stack):
    """Everything that one dataset has for itself; it needs the base stack, and no other dataset's."""

    def __init__(
        self, scope: Construct, dataset: Dataset, settings: Settings, build: Path, libraries: Path | None
    ) -> None:
        names = DatasetNames(dataset.config, settings.prefix)
        _refuse_too_long(names)
        super().__init__(
            scope,
            names.stack,
            stack_name=names.stack,
            description=f"pharmaetl: {dataset.name}, from its source to what is published",
            tags={CODE_TAG: dataset.code_sha256},
            # the command line checks the bootstrap's version itself, and no template depends on it
            synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
            analytics_reporting=False,
            # CreateStack takes up to 51,200 bytes as they are, which indentation alone would exceed
            suppress_template_indentation=True,
        )
        for name, kept_as in {LAKE: settings.lake_parameter, KEY: settings.key_parameter}.items():
            cdk.CfnParameter(
                self,
                name,
                type="AWS::SSM::Parameter::Value<String>",
                default=kept_as,
                description="A Systems Manager parameter that the base stack keeps",
            )
        grants = Grants(names, Shared(settings), {"Ref": KEY})
        archive = assets.Asset(self, "FunctionsCode", path=str(packaging.function_archive(dataset, build, libraries)))
        library = assets.Asset(self, "JobsLibrary", path=str(packaging.job_library(dataset, build)))
        scripts = {
            layer: assets.Asset(self, f"{layer.capitalize()}Script", path=str(packaging.job_script(layer)))
            for layer in names.jobs
        }
        functions = Functions(self, names, grants, archive, settings.reserved_concurrency)
        Jobs(self, names, grants, library, scripts)
        Machine(self, names, grants, functions)
        Watching(self, names, grants)
        acknowledged.in_orchestrator(self)
        if libraries is None:
            self.template_options.metadata = {"pharmaetl": packaging.UNBUNDLED}
        for tag, value in {"dataset": dataset.name, "organization": dataset.organization}.items():
            cdk.Tags.of(self).add(tag, value, exclude_resource_types=UNTAGGED)


def _refuse_too_long(names: DatasetNames) -> None:
    """Lambda takes names of up to 64 characters; ConfigError here, instead of a rollback half way through."""
    longest = max(names.fetch_function, names.manifest_function, key=len)
    if len(longest) > _LONGEST_NAME:
        raise ConfigError(
            f"{longest} is {len(longest)} characters long, and a function's name has {_LONGEST_NAME} at most",
            hint="choose a shorter prefix",
        )
