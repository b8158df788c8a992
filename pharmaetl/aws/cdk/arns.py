"""ARNs and other texts of a template, for whatever account and region it is deployed to."""

from __future__ import annotations

from dataclasses import dataclass

from pharmaetl.aws.cdk.settings import Settings
from pharmaetl.aws.naming import DatasetNames

ACCOUNT = "${AWS::AccountId}"
REGION = "${AWS::Region}"
LAKE, KEY = "LakeArn", "LakeKeyArn"
"""Parameters of a dataset's template: the ARNs of the lake's bucket and of its key, as the base stack keeps them."""
Text = dict[str, str]
"""A text of a template that CloudFormation fills in: `{"Fn::Sub": …}` or `{"Ref": …}`."""


def sub(text: str) -> Text:
    """A text with `${AWS::…}` in it."""
    return {"Fn::Sub": text}


def arn(service: str, resource: str) -> Text:
    """The ARN of something in the account and region of the stack."""
    return sub(f"arn:${{AWS::Partition}}:{service}:{REGION}:{ACCOUNT}:{resource}")


def log_group(name: str) -> Text:
    """A log group, as policies name it."""
    return arn("logs", f"log-group:{name}:*")


@dataclass(frozen=True)
class Shared:
    """What the base stack made, by name: stacks export nothing to each other, so that each can go alone."""

    settings: Settings

    @property
    def bucket(self) -> str:
        """The lake's bucket, to be filled in."""
        return self.settings.base.bucket(ACCOUNT, REGION)

    @property
    def lake(self) -> Text:
        """The lake's URL."""
        return sub(f"s3://{self.bucket}")

    @property
    def bucket_arn(self) -> Text:
        """The bucket itself, for listing."""
        return {"Ref": LAKE}

    def objects(self, pattern: str) -> Text:
        """Objects of the lake below a prefix."""
        return sub(f"${{{LAKE}}}/{pattern}")

    @property
    def alerts(self) -> Text:
        """The topic of failures and alarms."""
        return arn("sns", self.settings.base.alerts_topic)

    def secret(self, name: str) -> Text:
        """A secret; Secrets Manager adds a hyphen and six characters of its own to the name."""
        return arn("secretsmanager", f"secret:{self.settings.base.secret(name)}-??????")


@dataclass(frozen=True)
class Own:
    """What a dataset's stack makes, by name."""

    names: DatasetNames

    @property
    def state_machine(self) -> Text:
        """The state machine."""
        return arn("states", f"stateMachine:{self.names.state_machine}")

    @property
    def dead_letters(self) -> Text:
        """The queue of failed runs."""
        return arn("sqs", self.names.dead_letters)

    @property
    def freshness_function(self) -> str:
        """The Lambda that measures how old the published version is; its name, and its schedule's."""
        return f"{self.names.slug}-freshness"

    def function(self, name: str) -> Text:
        """One of the functions."""
        return arn("lambda", f"function:{name}")

    def job(self, name: str) -> Text:
        """One of the Glue jobs."""
        return arn("glue", f"job/{name}")

    def catalogue(self) -> list[Text]:
        """The Glue catalogue, as far as the dataset's tables need it: a call names catalogue, database and table."""
        database = self.names.database
        return [arn("glue", "catalog"), arn("glue", f"database/{database}"), arn("glue", f"table/{database}/*")]
