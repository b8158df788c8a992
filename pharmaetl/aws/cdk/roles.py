"""A role with one managed policy of its own; each wildcard in it is acknowledged with its statement's reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from pharmaetl.aws.cdk.policies import Statement


@dataclass(frozen=True)
class Granted:
    """A role, and the policy that has to be attached before the role is of use."""

    role: iam.CfnRole
    policy: iam.CfnManagedPolicy

    @property
    def arn(self) -> str:
        """The role's ARN."""
        return str(self.role.attr_arn)


def role(scope: Construct, name: str, service: str, statements: Iterable[Statement]) -> Granted:
    """A role that one AWS service takes on for this account."""
    made = iam.CfnRole(scope, f"{name}Role", assume_role_policy_document=_trust(service))
    return Granted(made, _policy(scope, name, made, statements))


def _policy(scope: Construct, name: str, holder: iam.CfnRole, statements: Iterable[Statement]) -> iam.CfnManagedPolicy:
    listed = list(statements)
    document = {"Version": "2012-10-17", "Statement": [statement.document() for statement in listed]}
    made = iam.CfnManagedPolicy(scope, f"{name}Policy", policy_document=document, roles=[holder.ref])
    for statement in listed:
        for resource in statement.resources:
            shown = _shown(resource)
            if "*" in shown and statement.why:
                rule = f"AwsSolutions-IAM5[Resource::{shown}]"
                cdk.Validations.of(made).acknowledge(cdk.Acknowledgment(id=rule, reason=statement.why))
    return made


def _trust(service: str) -> dict[str, object]:
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if service in _ACCOUNT_BOUND:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    return {"Version": "2012-10-17", "Statement": [statement]}


_ACCOUNT_BOUND = frozenset({"states.amazonaws.com", "scheduler.amazonaws.com"})
"""Services that name the account on whose behalf they take a role, so that another account's resource can't."""


def _shown(resource: dict[str, str] | str) -> str:
    """A resource as cdk-nag writes it in the name of a finding."""
    if isinstance(resource, str):
        return resource
    return resource["Fn::Sub"].replace("${", "<").replace("}", ">") if "Fn::Sub" in resource else ""
