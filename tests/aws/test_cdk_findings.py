"""What other people's checks say of the templates, and that what we answered them is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from deployments import BASE, NSDE, RXNORM, Assembly, filled, many, needs_the_cdk

from pharmaetl.aws import naming
from pharmaetl.catalog import Catalog, shipped


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(assembly: Assembly) -> None:
    assert assembly.findings == ()


def _rule(rule: str) -> str:
    """A rule without its pack, since several packs ask the same; a wildcard without the resource that has it."""
    return rule.split("[", maxsplit=1)[0].split("-", 1)[1]


def test_at_most_ten_rules_are_acknowledged_each_with_a_reason(assembly: Assembly) -> None:
    # the packs of AWS Solutions have names of their own for what the others call LambdaLatestVersion and so on
    same = {"L1": "LambdaLatestVersion", "SMG4": "SecretsManagerRotationEnabled"}
    rules = {same.get(_rule(rule), _rule(rule)) for rule in assembly.acknowledged}
    assert rules == {
        "IAM5",
        "LambdaInsideVPC",
        "LambdaLatestVersion",
        "S3BucketReplicationEnabled",
        "S3DefaultEncryptionKMS",
        "SecretsManagerRotationEnabled",
        "SQSRedrivePolicy",
    }
    assert all(len(reason.split()) > 4 for reason in assembly.acknowledged.values())


def test_a_finding_that_nobody_acknowledged_is_seen() -> None:
    needs_the_cdk()
    import aws_cdk as cdk
    import cdk_nag
    from aws_cdk import aws_sqs as sqs

    app = cdk.App(analytics_reporting=False)
    sqs.CfnQueue(cdk.Stack(app, "Careless"), "Queue")
    found = {violation.rule_name for violation in cdk_nag.AwsSolutionsChecks(app).validate_scope(app).violations}
    assert found == {"AwsSolutions-SQS3", "AwsSolutions-SQS4"}


def test_reason_replication_sources_are_public_and_versions_are_kept(assembly: Assembly) -> None:
    from pharmaetl.config.configfile import read

    for dataset in Catalog(shipped()):
        assert read(dataset.config_path, folder=dataset.name).source_url.startswith("https://")
    buckets = assembly.of(BASE, "AWS::S3::Bucket").values()
    assert all(bucket["VersioningConfiguration"]["Status"] == "Enabled" for bucket in buckets)


def test_reason_log_encryption_the_bucket_takes_access_logs_and_nothing_else(assembly: Assembly) -> None:
    assert assembly.of(BASE, "AWS::S3::Bucket")["LakeLogs"]["BucketEncryption"] == {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    }
    policy = next(
        policy["PolicyDocument"]["Statement"]
        for policy in assembly.of(BASE, "AWS::S3::BucketPolicy").values()
        if policy["Bucket"] == {"Ref": "LakeLogs"}
    )
    allowed = [statement["Principal"] for statement in policy if statement["Effect"] == "Allow"]
    assert allowed == [{"Service": "logging.s3.amazonaws.com"}]


def test_reason_rotation_the_only_secret_is_the_licence_key(assembly: Assembly) -> None:
    assert frozenset({"UMLS_API_KEY"}) == naming.SECRETS
    assert len(assembly.everywhere("AWS::SecretsManager::Secret")) == 1


def test_reason_outside_a_vpc_there_is_nothing_in_a_vpc_and_no_way_in(assembly: Assembly) -> None:
    kinds = {found["Type"] for stack in assembly.templates for found in assembly.resources(stack).values()}
    assert not [kind for kind in kinds if kind.startswith(("AWS::EC2", "AWS::RDS", "AWS::ApiGateway"))]
    assert not kinds & {"AWS::Lambda::Url", "AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping"}


def test_reason_runtime_functions_and_tests_run_on_one_python(assembly: Assembly) -> None:
    from pharmaetl.aws import packaging

    assert {function["Runtime"] for function in assembly.everywhere("AWS::Lambda::Function")} == {
        f"python{packaging.PYTHON}"
    }
    assert {job["GlueVersion"] for job in assembly.everywhere("AWS::Glue::Job")} == {"5.1"}
    assert sys.version_info[:2] == (3, 11)


def test_reason_last_queue_nothing_consumes_it(assembly: Assembly) -> None:
    assert not assembly.everywhere("AWS::Lambda::EventSourceMapping")
    receivers = [
        policy
        for policy in assembly.everywhere("AWS::IAM::ManagedPolicy")
        if "sqs:ReceiveMessage" in json.dumps(policy)
    ]
    assert receivers == []


def test_reason_wildcards_each_is_below_a_prefix_or_for_actions_without_resources(assembly: Assembly) -> None:
    shapes = (
        r"Resource::<LakeArn>/([a-z]+/[a-z_]+/|\.work/[a-z_]+-|\.work/notices/[a-z_]+/)\*",
        r"table/[a-z_]+/\*",
        r"log-group:/aws/lambda/[a-z-]+:\*",
        r"log-group:/aws-glue/\*",
        r"Resource::\*\]",
    )
    wild = [rule for rule in assembly.acknowledged if rule.startswith("AwsSolutions-IAM5[")]
    assert wild
    assert [rule for rule in wild if not any(re.search(shape, rule) for shape in shapes)] == []


def test_cfn_lint_finds_nothing(assembly: Assembly) -> None:
    pytest.importorskip("cfnlint")
    # the datasets' stacks differ in names and numbers only: one with a single table, one with many and a secret
    templates = [str(assembly.folder / f"{stack}.template.json") for stack in (BASE, NSDE, RXNORM)]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--regions", "us-east-1", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_parliament_finds_nothing_in_a_policy_of_a_role(assembly: Assembly) -> None:
    parliament = pytest.importorskip("parliament")
    for policy in assembly.everywhere("AWS::IAM::ManagedPolicy"):
        document = filled(policy["PolicyDocument"])
        assert _findings(parliament, document) == []


def test_parliament_sees_an_action_that_there_is_not() -> None:
    parliament = pytest.importorskip("parliament")
    statement = {"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "arn:aws:s3:::b/*"}
    assert _findings(parliament, {"Version": "2012-10-17", "Statement": [statement]}) == ["UNKNOWN_ACTION"]


def _findings(parliament: Any, document: dict[str, Any]) -> list[str]:
    # single characters stand for what Secrets Manager adds to a name
    document = json.loads(json.dumps(document).replace("??????", "AbCdEf"))
    for statement in document["Statement"]:
        statement["Resource"] = [resource.replace(".Arn", "") for resource in many(statement["Resource"])]
    return [finding.issue for finding in parliament.analyze_policy_string(json.dumps(document)).findings]
