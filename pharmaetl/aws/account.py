"""The AWS account that commands work in: who we are there, and clients whose failures have a reason and a hint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pharmaetl.aws.naming import PREFIX, BaseNames
from pharmaetl.errors import ConfigError, DeniedError, UnavailableError, UsageError
from pharmaetl.secret import redact

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

PREFIX_VARIABLE = "PHARMAETL_AWS_PREFIX"
_DENIED = frozenset({
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "ExpiredToken",
    "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
})  # fmt: skip
_ABSENT = frozenset({
    "StateMachineDoesNotExist", "ExecutionDoesNotExist", "ResourceNotFoundException", "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
})  # fmt: skip


@dataclass(frozen=True)
class Account:
    """An AWS account and region, looked up when first asked for, and the prefix of what is deployed there."""

    prefix: str = PREFIX

    @classmethod
    def of_environment(cls) -> Account:
        """With the prefix that PHARMAETL_AWS_PREFIX names, or the usual one."""
        return cls(os.environ.get(PREFIX_VARIABLE) or PREFIX)

    @cached_property
    def identity(self) -> dict[str, str]:
        """Account number and ARN of whoever asks; ConfigError without credentials, DeniedError for wrong ones."""
        with speaking("sts:GetCallerIdentity"):
            found = self.client("sts").get_caller_identity()
        return {"account": str(found["Account"]), "arn": str(found["Arn"])}

    @property
    def number(self) -> str:
        """The account's twelve digits."""
        return self.identity["account"]

    @cached_property
    def region(self) -> str:
        """The region of the environment or the profile; ConfigError where there is none."""
        import boto3

        region = boto3.session.Session().region_name
        if not region:
            raise ConfigError("no AWS region is set", hint="export AWS_REGION=us-east-1, or `aws configure`")
        return region

    @property
    def lake(self) -> str:
        """URL of the lake that the base stack makes in this account and region."""
        return f"s3://{BaseNames(self.prefix).bucket(self.number, self.region)}"

    def state_machine_arn(self, name: str) -> str:
        """The ARN of a state machine here."""
        return f"arn:{self.partition}:states:{self.region}:{self.number}:stateMachine:{name}"

    def client(self, service: str) -> Any:
        """A boto3 client; ConfigError where boto3 is not installed."""
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise ConfigError("AWS needs the package boto3", hint="pip install 'pharmaetl[aws]'") from error
        settings = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=60)
        # the name is the caller's, boto3's own types want it literal
        factory: Any = boto3.client
        return factory(service, region_name=self.region, config=settings)

    @property
    def partition(self) -> str:
        """aws, aws-cn or aws-us-gov."""
        return self.identity["arn"].split(":")[1]


@contextmanager
def speaking(action: str, *, absent: str = "") -> Iterator[None]:
    """Turn what boto3 throws at `action` (such as states:StartExecution) into errors with a reason.

    `absent`: what to do where the thing asked for is not there.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    try:
        yield
    except ClientError as error:
        raise _explained(error, action, absent) from error
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
        raise ConfigError(
            f"{action}: no AWS credentials: {redact(str(error))}",
            hint="aws configure, or set AWS_PROFILE; `aws sts get-caller-identity` shows who you are",
        ) from error
    except BotoCoreError as error:
        raise UnavailableError(
            f"{action}: AWS can't be reached: {redact(str(error))[:300]}",
            hint="check the network and AWS_ENDPOINT_URL, then try again",
        ) from error


def _explained(error: ClientError, action: str, absent: str) -> Exception:
    found = error.response.get("Error", {})
    code, said = str(found.get("Code", "")), redact(str(found.get("Message", "")))[:300]
    if code in _DENIED:
        return DeniedError(
            f"{action}: denied: {said or code}", hint=f"the identity in use needs the permission {action}"
        )
    if code in _ABSENT:
        return UsageError(f"{action}: {said or code}", hint=absent or "pharmaetl aws status shows what is deployed")
    if code.startswith(("Validation", "Invalid")):
        return UsageError(f"{action}: {said or code}")
    return UnavailableError(f"{action}: {code}: {said}", hint="try again; `pharmaetl aws doctor` looks closer")
