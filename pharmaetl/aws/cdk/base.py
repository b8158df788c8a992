"""The stack that all datasets share: bucket, key, topic and secrets."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from pharmaetl.aws import naming
from pharmaetl.aws.cdk import acknowledged
from pharmaetl.aws.cdk.arns import ACCOUNT, arn, sub
from pharmaetl.aws.cdk.lake_bucket import lake_bucket, log_bucket
from pharmaetl.aws.cdk.settings import Settings

_ADMINISTRATION = (
    "CancelKeyDeletion", "CreateAlias", "CreateGrant", "DeleteAlias", "DescribeKey", "DisableKey",
    "DisableKeyRotation", "EnableKey", "EnableKeyRotation", "GetKeyPolicy", "GetKeyRotationStatus", "ListGrants",
    "ListKeyPolicies", "ListKeyRotations", "ListResourceTags", "PutKeyPolicy", "RevokeGrant", "RotateKeyOnDemand",
    "ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateAlias", "UpdateKeyDescription",
)  # fmt: skip
_USE = (
    "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
    "ReEncryptTo",
)  # fmt: skip

_ANNOUNCE = ("Decrypt", "GenerateDataKey")


class BaseStack(cdk.Stack):
    """What is deployed once, before any dataset."""

    def __init__(self, scope: Construct, settings: Settings) -> None:
        names = settings.base
        super().__init__(
            scope,
            names.stack,
            stack_name=names.stack,
            description="pharmaetl: the lake's bucket, its key, alerts and secrets",
            # the command line checks the bootstrap's version itself, and no template depends on it
            synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
            analytics_reporting=False,
            # CreateStack takes up to 51,200 bytes as they are, which indentation alone would exceed
            suppress_template_indentation=True,
        )
        self.settings = settings
        key = self._key()
        bucket = lake_bucket(self, settings, key.attr_arn, log_bucket(self, settings))
        self._parameter("KeyParameter", settings.key_parameter, key.attr_arn)
        self._parameter("LakeParameter", settings.lake_parameter, bucket.attr_arn)
        self._topic(key)
        for name in sorted(naming.SECRETS):
            self._secret(name, key)
        acknowledged.in_base(self)

    def _key(self) -> kms.CfnKey:
        settings = self.settings
        key = kms.CfnKey(
            self,
            "Key",
            description=f"{settings.prefix}: everything that the lake and its pipelines store",
            enable_key_rotation=True,
            key_policy={"Version": "2012-10-17", "Statement": _key_policy()},
            pending_window_in_days=30,
        )
        key.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        kms.CfnAlias(self, "KeyAlias", alias_name=settings.base.key_alias, target_key_id=key.ref)
        return key

    def _parameter(self, title: str, name: str, value: str) -> None:
        ssm.CfnParameter(
            self, title, name=name, type="String", value=value, description="The stacks of the datasets look it up"
        )

    def _topic(self, key: kms.CfnKey) -> None:
        topic = sns.CfnTopic(self, "Alerts", topic_name=self.settings.base.alerts_topic, kms_master_key_id=key.attr_arn)
        statements = _publishers(topic)
        if not self.settings.emulated:
            statements.append(
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": ["sns:Publish"],
                    "Resource": topic.ref,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            )
        document = {"Version": "2012-10-17", "Statement": statements}
        sns.CfnTopicPolicy(self, "AlertsPolicy", topics=[topic.ref], policy_document=document)

    def _secret(self, name: str, key: kms.CfnKey) -> None:
        title = "".join(part.capitalize() for part in name.split("_"))
        secret = secretsmanager.CfnSecret(
            self,
            title,
            name=self.settings.base.secret(name),
            description=f"Value of ${{{name}}} in source URLs: put it with aws secretsmanager put-secret-value",
            kms_key_id=key.attr_arn,
            # random until somebody puts the real one, so that no template ever holds it
            generate_secret_string=secretsmanager.CfnSecret.GenerateSecretStringProperty(password_length=32),
        )
        secret.apply_removal_policy(cdk.RemovalPolicy.RETAIN)


def _key_policy() -> list[dict[str, Any]]:
    """The account administers and uses the key through IAM; services write logs, alarms and notices with it."""
    logs = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn("logs", "log-group:*")}}
    mine = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    account = {"AWS": sub(f"arn:${{AWS::Partition}}:iam::{ACCOUNT}:root")}
    return [
        _may("Account", account, sorted({*_ADMINISTRATION, *_USE})),
        _may("Logs", {"Service": sub("logs.${AWS::Region}.amazonaws.com")}, list(_USE), logs),
        _may("Alarms", {"Service": "cloudwatch.amazonaws.com"}, list(_ANNOUNCE), mine),
        # as in the topic's policy, a condition on the account would be one that EventBridge never meets
        _may("Rules", {"Service": "events.amazonaws.com"}, list(_ANNOUNCE)),
    ]


def _may(
    sid: str, principal: dict[str, Any], actions: list[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A statement of the key's policy, in which `*` is the key itself."""
    made = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": [f"kms:{action}" for action in actions],
        "Resource": "*",
    }
    return made | ({"Condition": condition} if condition else {})


def _publishers(topic: sns.CfnTopic) -> list[dict[str, Any]]:
    """Alarms of this account, and rules.

    EventBridge fills in no condition when it publishes to a topic (its user guide: policies of topics for EventBridge
    can't have conditions): with one, each notice of a rule would be dropped without a word.
    """
    made = {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": topic.ref}
    mine = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    return [
        {"Sid": "Alarms", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Condition": mine, **made},
        {"Sid": "Rules", "Principal": {"Service": "events.amazonaws.com"}, **made},
    ]
