"""The lake's bucket, the bucket of its access logs, and what nobody may do in them, not even an administrator's role.

The publish log and the accepted changes of a source are created once: a bucket policy refuses every other write, so
that what was published stays known whatever a role may. Lifting that takes a change of the policy, which is logged.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct

from pharmaetl.aws.cdk.arns import ACCOUNT, REGION, sub
from pharmaetl.aws.cdk.settings import Settings
from pharmaetl.lake import layout

CREATED_ONCE = (f"{layout.MANIFESTS}/*/*.json", f"{layout.CONTRACTS}/*/*.json")
"""Keys of entries that are written once and never changed; `manifests/<dataset>.json`, a copy, is none of them."""
_PRIVATE = s3.CfnBucket.PublicAccessBlockConfigurationProperty(
    block_public_acls=True, block_public_policy=True, ignore_public_acls=True, restrict_public_buckets=True
)
_OWNER = s3.CfnBucket.OwnershipControlsProperty(
    rules=[s3.CfnBucket.OwnershipControlsRuleProperty(object_ownership="BucketOwnerEnforced")]
)
_VERSIONED = s3.CfnBucket.VersioningConfigurationProperty(status="Enabled")


def lake_bucket(scope: Construct, settings: Settings, key_arn: str, logs: s3.CfnBucket) -> s3.CfnBucket:
    """The bucket that is the lake's root. A stack that goes leaves it, and the data in it, where it is."""
    bucket = s3.CfnBucket(
        scope,
        "Lake",
        bucket_name=_name(settings.base.bucket(ACCOUNT, REGION)),
        bucket_encryption=_encryption(None if settings.emulated else key_arn),
        lifecycle_configuration=s3.CfnBucket.LifecycleConfigurationProperty(rules=_lifecycle()),
        logging_configuration=s3.CfnBucket.LoggingConfigurationProperty(
            destination_bucket_name=logs.ref, log_file_prefix="lake/"
        ),
        ownership_controls=_OWNER,
        public_access_block_configuration=_PRIVATE,
        versioning_configuration=_VERSIONED,
    )
    bucket.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    statements = [*_plain_http(bucket, settings), *_created_once(bucket)]
    s3.CfnBucketPolicy(scope, "LakePolicy", bucket=bucket.ref, policy_document=_document(statements))
    return bucket


def log_bucket(scope: Construct, settings: Settings) -> s3.CfnBucket:
    """Where S3 logs who read and wrote the lake; kept for a year. S3 delivers to its own encryption only."""
    bucket = s3.CfnBucket(
        scope,
        "LakeLogs",
        bucket_name=_name(settings.base.log_bucket(ACCOUNT, REGION)),
        bucket_encryption=_encryption(None),
        lifecycle_configuration=s3.CfnBucket.LifecycleConfigurationProperty(
            rules=[
                s3.CfnBucket.RuleProperty(
                    id="a-year",
                    status="Enabled",
                    expiration_in_days=365,
                    noncurrent_version_expiration=_noncurrent(30),
                    abort_incomplete_multipart_upload=_abort(),
                )
            ]
        ),
        ownership_controls=_OWNER,
        public_access_block_configuration=_PRIVATE,
        versioning_configuration=_VERSIONED,
    )
    bucket.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    statements = [*_plain_http(bucket, settings), _delivery(bucket, settings)]
    s3.CfnBucketPolicy(scope, "LakeLogsPolicy", bucket=bucket.ref, policy_document=_document(statements))
    return bucket


def _name(name: str) -> str:
    return str(cdk.Fn.sub(name))


def _encryption(key_arn: str | None) -> s3.CfnBucket.BucketEncryptionProperty:
    by_default = (
        s3.CfnBucket.ServerSideEncryptionByDefaultProperty(sse_algorithm="AES256")
        if key_arn is None
        else s3.CfnBucket.ServerSideEncryptionByDefaultProperty(sse_algorithm="aws:kms", kms_master_key_id=key_arn)
    )
    rule = s3.CfnBucket.ServerSideEncryptionRuleProperty(
        bucket_key_enabled=None if key_arn is None else True, server_side_encryption_by_default=by_default
    )
    return s3.CfnBucket.BucketEncryptionProperty(server_side_encryption_configuration=[rule])


def _lifecycle() -> list[s3.CfnBucket.RuleProperty]:
    """Raw and bronze are read again for backfills only; silver and the log are what readers read, and stay warm."""
    tiers = {"STANDARD_IA": 30, "GLACIER_IR": 180}
    colder = [
        s3.CfnBucket.RuleProperty(
            id=f"colder-{top}",
            status="Enabled",
            prefix=f"{top}/",
            transitions=[
                s3.CfnBucket.TransitionProperty(storage_class=name, transition_in_days=days)
                for name, days in tiers.items()
            ],
        )
        for top in (layout.RAW, layout.BRONZE)
    ]
    work = s3.CfnBucket.RuleProperty(
        id="runs-under-way",
        status="Enabled",
        prefix=f"{layout.WORK}/",
        expiration_in_days=7,
        noncurrent_version_expiration=_noncurrent(1),
    )
    # what `prune` removed, or somebody deleted by hand, can be brought back for as long
    removed = [
        s3.CfnBucket.RuleProperty(
            id=f"removed-{top}", status="Enabled", prefix=f"{top}/", noncurrent_version_expiration=_noncurrent(90)
        )
        for top in (layout.RAW, layout.BRONZE, layout.SILVER, layout.QUARANTINE, layout.GOLD)
    ]
    leftovers = s3.CfnBucket.RuleProperty(
        id="leftovers", status="Enabled", abort_incomplete_multipart_upload=_abort(), expired_object_delete_marker=True
    )
    return [*colder, work, *removed, leftovers]


def _noncurrent(days: int) -> s3.CfnBucket.NoncurrentVersionExpirationProperty:
    return s3.CfnBucket.NoncurrentVersionExpirationProperty(noncurrent_days=days)


def _abort() -> s3.CfnBucket.AbortIncompleteMultipartUploadProperty:
    return s3.CfnBucket.AbortIncompleteMultipartUploadProperty(days_after_initiation=2)


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def _plain_http(bucket: s3.CfnBucket, settings: Settings) -> list[dict[str, Any]]:
    """Nobody talks to the bucket without TLS."""
    if settings.emulated:
        return []
    resources = [bucket.attr_arn, f"{bucket.attr_arn}/*"]
    return [_deny("TlsOnly", ["s3:*"], resources, {"Bool": {"aws:SecureTransport": "false"}})]


def _created_once(bucket: s3.CfnBucket) -> list[dict[str, Any]]:
    """Only creating writes, and no deletes.

    The parts of a multipart upload carry no condition; its completion does (Amazon S3 User Guide, Enforce conditional
    writes).
    """
    resources = [f"{bucket.attr_arn}/{pattern}" for pattern in CREATED_ONCE]
    unconditional = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    return [
        _deny("PublishLogIsCreatedOnly", ["s3:PutObject"], resources, unconditional),
        _deny("PublishLogIsKept", ["s3:DeleteObject", "s3:DeleteObjectVersion"], resources),
    ]


def _deny(
    sid: str, actions: list[str], resources: list[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    made = {"Sid": sid, "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": actions, "Resource": resources}
    return made | ({"Condition": condition} if condition else {})


def _delivery(bucket: s3.CfnBucket, settings: Settings) -> dict[str, Any]:
    lake = sub(f"arn:${{AWS::Partition}}:s3:::{settings.base.bucket(ACCOUNT, REGION)}")
    return {
        "Sid": "AccessLogs",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{bucket.attr_arn}/lake/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": lake},
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        },
    }
