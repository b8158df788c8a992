"""Roles, each with one managed policy of its own and, where several may the same, one that they share.

Each wildcard in a policy is acknowledged with its statement's reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from pharmaetl.aws.cdk.policies import Statement


@dataclass(frozen=True)
class Granted:
    """A role, and the policies that have to be attached before the role is of use."""

    role: iam.CfnRole
    policies: tuple[iam.CfnManagedPolicy, ...]

    @property
    def arn(self) -> str:
        """The role's ARN."""
        return str(self.role.attr_arn)


def role(scope: Construct, name: str, service: str, statements: Iterable[Statement]) -> Granted:
    """A role that one AWS service takes on for this account."""
    made = _role(scope, name, service)
    return Granted(made, (_policy(scope, name, [made], list(statements)),))


def roles(
    scope: Construct, service: str, statements: Mapping[str, Sequence[Statement]], shared: str
) -> dict[str, Granted]:
    """Roles by name; what all of them may alike stands in the template once, in a policy with the name `shared`."""
    first, *others = statements.values()
    common = [statement for statement in first if all(statement in other for other in others)]
    made = {name: _role(scope, name, service) for name in statements}
    together = _policy(scope, shared, list(made.values()), common)
    own = {
        name: _policy(scope, name, [made[name]], [one for one in listed if one not in common])
        for name, listed in statements.items()
    }
    return {name: Granted(made[name], (together, own[name])) for name in statements}


def _role(scope: Construct, name: str, service: str) -> iam.CfnRole:
    return iam.CfnRole(scope, f"{name}Role", assume_role_policy_document=_trust(service))


def _policy(
    scope: Construct, name: str, holders: Sequence[iam.CfnRole], listed: Sequence[Statement]
) -> iam.CfnManagedPolicy:
    document = {"Version": "2012-10-17", "Statement": [statement.document() for statement in listed]}
    made = iam.CfnManagedPolicy(
        scope, f"{name}Policy", policy_document=document, roles=[holder.ref for holder in holders]
    )
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
