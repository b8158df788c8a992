"""Findings of cdk-nag that stay, each with its reason; `tests/aws` checks that the reasons hold.

Wildcards in policies (AwsSolutions-IAM5) are acknowledged one by one beside their statements, in `policies`.
"""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from constructs import Construct, IConstruct


@dataclass(frozen=True)
class Acknowledged:
    """One decision, and the rules of the packs that ask about it."""

    rules: tuple[str, ...]
    reason: str


REPLICATION = Acknowledged(
    ("HIPAA.Security-S3BucketReplicationEnabled", "NIST.800.53.R5-S3BucketReplicationEnabled"),
    "The lake is made of public files that can be fetched and processed anew; versions and the write-once log guard "
    "against loss by mistake, and a second region would double the cost of storage",
)
LOG_ENCRYPTION = Acknowledged(
    ("HIPAA.Security-S3DefaultEncryptionKMS", "NIST.800.53.R5-S3DefaultEncryptionKMS"),
    "S3 delivers access logs only to a bucket that is encrypted by S3's own key, which this one is",
)
ROTATION = Acknowledged(
    (
        "AwsSolutions-SMG4",
        "HIPAA.Security-SecretsManagerRotationEnabled",
        "NIST.800.53.R5-SecretsManagerRotationEnabled",
    ),
    "The licence key is issued by NLM to a person, who alone can renew it: nothing can rotate it by itself",
)
OUTSIDE_A_VPC = Acknowledged(
    ("HIPAA.Security-LambdaInsideVPC", "NIST.800.53.R5-LambdaInsideVPC"),
    "The functions read public sites and AWS over TLS and talk to nothing in a VPC; inside one they would need a NAT "
    "gateway, and no function has a URL or a trigger from outside the account",
)
RUNTIME = Acknowledged(
    ("AwsSolutions-L1", "Serverless-LambdaLatestVersion"),
    "Python 3.11 is what Glue 5.1 runs and what the tests run: laptop, functions and jobs share one Python, and the "
    "pinned wheels are for it",
)
LAST_QUEUE = Acknowledged(
    ("Serverless-SQSRedrivePolicy",),
    "The queue is itself the place for dead letters, and nothing consumes it: there is nothing to redrive from it",
)
ALL = (REPLICATION, LOG_ENCRYPTION, ROTATION, OUTSIDE_A_VPC, RUNTIME, LAST_QUEUE)


def in_base(stack: Construct) -> None:
    """What the base stack's buckets and secrets leave open."""
    for child in stack.node.find_all():
        kind = _kind(child)
        if kind == "AWS::S3::Bucket":
            _acknowledge(child, REPLICATION)
        if child.node.id == "LakeLogs":
            _acknowledge(child, LOG_ENCRYPTION)
        if kind == "AWS::SecretsManager::Secret":
            _acknowledge(child, ROTATION)


def in_orchestrator(stack: Construct) -> None:
    """What a dataset's functions and queue leave open."""
    for child in stack.node.find_all():
        kind = _kind(child)
        if kind == "AWS::Lambda::Function":
            _acknowledge(child, OUTSIDE_A_VPC)
            _acknowledge(child, RUNTIME)
        if kind == "AWS::SQS::Queue":
            _acknowledge(child, LAST_QUEUE)


def _kind(child: IConstruct) -> str:
    return child.cfn_resource_type if isinstance(child, cdk.CfnResource) else ""


def _acknowledge(child: IConstruct, decision: Acknowledged) -> None:
    for rule in decision.rules:
        cdk.Validations.of(child).acknowledge(cdk.Acknowledgment(id=rule, reason=decision.reason))
