"""The S3 client that a lake is reached with: time limits, retries, endpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pharmaetl.errors import ConfigError

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_s3.client import S3Client

ATTEMPTS = 5
"""How often one request is sent, throttling (503 SlowDown) and broken connections included."""
CONNECTIONS = 24
_CONNECT_SECONDS, _READ_SECONDS = 10, 60


def endpoint() -> str | None:
    """The S3 endpoint that the environment asks for; None for AWS itself."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def client() -> S3Client:
    """A client by the environment: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and what else botocore reads.

    Raises ConfigError without boto3, with a profile that isn't there, or with an endpoint that is no URL.
    """
    made = session()
    from botocore.exceptions import BotoCoreError

    try:
        # S3 alone can be asked without a region: it redirects, and botocore follows
        return made.client("s3", region_name=made.region_name or "us-east-1", config=patience())
    except (BotoCoreError, ValueError) as error:
        raise _unusable(error) from error


def session() -> Session:
    """A session of boto3; ConfigError without boto3, or with a profile that isn't there."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise ConfigError("a lake on S3 needs the package boto3", hint="pip install 'pharmaetl[aws]'") from error
    try:
        return boto3.session.Session()
    except BotoCoreError as error:
        raise _unusable(error) from error


def patience() -> Config:
    """How long to wait for an answer, and how often to ask again."""
    from botocore.config import Config

    return Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        # servers other than AWS seldom have a host name for each bucket
        s3={"addressing_style": "path" if endpoint() else "auto"},
    )


def _unusable(error: Exception) -> ConfigError:
    said = " ".join(str(error).split())
    return ConfigError(
        f"the AWS settings can't be used: {said}", hint="check AWS_PROFILE, AWS_REGION and AWS_ENDPOINT_URL"
    )
