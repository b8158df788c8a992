"""One synthesis of the CDK app, shared by the tests that read its templates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BASE = "PP-RAWS-DataLake-Base"
NSDE = "PP-RAWS-NSDE-Orchestrator"
CDER = "PP-RAWS-CDER-Orchestrator"
RXNORM = "PP-RAWS-RxNorm-Orchestrator"
_FILLED = {
    "${AWS::Partition}": "aws",
    "${AWS::AccountId}": "111122223333",
    "${AWS::Region}": "us-east-1",
    "${LakeArn}": "arn:aws:s3:::pp-raws-lake-111122223333-us-east-1",
}
_REFERRED = {
    "AWS::AccountId": "111122223333",
    "LakeKeyArn": "arn:aws:kms:us-east-1:111122223333:key/k",
    "LakeArn": _FILLED["${LakeArn}"],
}


@dataclass(frozen=True)
class Finding:
    """One finding of cdk-nag that nobody has acknowledged."""

    rule: str
    constructs: tuple[str, ...]


@dataclass(frozen=True)
class Assembly:
    """A folder with templates, and what was found in the constructs behind them."""

    folder: Path
    templates: dict[str, dict[str, Any]]
    findings: tuple[Finding, ...]
    acknowledged: dict[str, str]
    """Rules that some construct acknowledges, with the reason."""

    def of(self, stack: str, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of the resources of a type, by logical id."""
        return {name: found["Properties"] for name, found in self.resources(stack).items() if found["Type"] == kind}

    def one(self, stack: str, kind: str) -> dict[str, Any]:
        """Properties of the only resource of a type."""
        (found,) = self.of(stack, kind).values()
        return found

    def resources(self, stack: str) -> dict[str, dict[str, Any]]:
        """The resources of a stack."""
        found: dict[str, dict[str, Any]] = self.templates[stack]["Resources"]
        return found

    def everywhere(self, kind: str) -> list[dict[str, Any]]:
        """Properties of the resources of a type in all stacks."""
        return [found for stack in self.templates for found in self.of(stack, kind).values()]

    def statements(self, stack: str, title: str) -> dict[str, dict[str, Any]]:
        """Statements of the policies that a role got, by their names; `title` as in the role's construct."""
        (role,) = [name for name in self.of(stack, "AWS::IAM::Role") if name.split("Role")[0].endswith(title)]
        documents = [
            policy["PolicyDocument"]
            for policy in self.of(stack, "AWS::IAM::ManagedPolicy").values()
            if {"Ref": role} in policy["Roles"]
        ]
        statements = [statement for document in documents for statement in document["Statement"]]
        found = {statement["Sid"]: statement for statement in statements}
        assert len(found) == len(statements), f"{title}: two statements of one name"
        return found


def needs_the_cdk() -> None:
    """Skip, loudly, where the CDK can't work."""
    pytest.importorskip("aws_cdk", reason="NOT TESTED: the CDK templates. pip install 'pharmaetl[cdk]'")
    if shutil.which("node") is None:
        pytest.skip("NOT TESTED: the CDK templates. They need Node")


def templates_in(folder: Path) -> dict[str, dict[str, Any]]:
    """The templates that a synthesis wrote, by stack."""
    suffix = ".template.json"
    return {path.name.removesuffix(suffix): json.loads(path.read_text()) for path in folder.glob(f"*{suffix}")}


def filled(value: Any) -> Any:
    """A value of a template with its texts filled in, as they would be in one account; a reference as its name."""
    if isinstance(value, list):
        return [filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        for mark, meant in _FILLED.items():
            text = text.replace(mark, meant)
        return text
    if set(value) == {"Fn::GetAtt"}:
        return f"arn:aws:s3:::{'.'.join(value['Fn::GetAtt'])}"
    if set(value) == {"Fn::Join"}:
        return value["Fn::Join"][0].join(filled(value["Fn::Join"][1]))
    if set(value) == {"Ref"}:
        return _REFERRED.get(value["Ref"], value["Ref"])
    return {key: filled(item) for key, item in value.items()}


def statements_everywhere(assembly: Assembly) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy in every stack, with the resource that it stands in."""
    for stack in assembly.templates:
        for name, resource in assembly.resources(stack).items():
            for document in _documents(resource["Properties"]):
                for statement in document["Statement"]:
                    yield f"{stack}/{name}", statement


def _documents(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield value
        for item in value.values():
            yield from _documents(item)
    if isinstance(value, list):
        for item in value:
            yield from _documents(item)


def many(value: Any) -> list[Any]:
    """A value that IAM allows alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]
