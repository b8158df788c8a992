"""What tests of the AWS side share: one synthesis, which takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployments import Assembly, Finding, needs_the_cdk, templates_in


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The shipped datasets as they are deployed, and what cdk-nag finds in them."""
    needs_the_cdk()
    import aws_cdk as cdk
    import cdk_nag

    from pharmaetl.aws.cdk import Settings
    from pharmaetl.aws.cdk import assembly as made
    from pharmaetl.catalog import Catalog, shipped

    folder = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    made.build(app, list(Catalog(shipped())), Settings(bundle=False), tmp_path_factory.mktemp("build"))
    packs = (
        cdk_nag.AwsSolutionsChecks(app),
        cdk_nag.HIPAASecurityChecks(app),
        cdk_nag.ServerlessChecks(app),
        cdk_nag.NIST80053R5Checks(app),
    )
    findings = tuple(
        Finding(found.rule_name, tuple(resource.construct_path for resource in found.violating_resources))
        for pack in packs
        for found in pack.validate_scope(app).violations
    )
    app.synth()
    return Assembly(Path(folder), templates_in(folder), findings, _acknowledged(app))


def _acknowledged(app: object) -> dict[str, str]:
    import aws_cdk as cdk

    key = cdk.Validations.ACKNOWLEDGED_RULES_METADATA_KEY
    return {
        rule.split("::", 1)[1] if rule.lower().startswith("annotation::") else rule: reason
        for construct in app.node.find_all()  # type: ignore[attr-defined]
        for entry in construct.node.metadata
        if entry.type == key
        for rule, reason in dict(entry.data).items()
    }
