"""The synthesised templates as CloudFormation takes them."""

from __future__ import annotations

from deployments import Assembly


def test_every_template_can_be_sent_as_it_is(assembly: Assembly) -> None:
    sizes = {path.name: path.stat().st_size for path in assembly.folder.glob("*.template.json")}
    assert len(sizes) == 6
    # CreateStack's limit for TemplateBody (CloudFormation quotas); more has to lie in S3
    assert {name: size for name, size in sizes.items() if size > 51_200} == {}
