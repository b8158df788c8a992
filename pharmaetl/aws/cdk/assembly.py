"""The whole app: one base stack and one stack for each dataset of a catalog, written to a folder."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import aws_cdk as cdk

from pharmaetl.aws import packaging, state_machine
from pharmaetl.aws.cdk.base import BaseStack
from pharmaetl.aws.cdk.orchestrator import UNTAGGED, OrchestratorStack
from pharmaetl.aws.cdk.settings import Settings
from pharmaetl.catalog import Catalog, Dataset
from pharmaetl.errors import LocalIOError

COST_TAGS = ("project", "dataset", "organization")
"""Tags on everything, to be activated as cost allocation tags in the account's billing settings."""


def build(app: cdk.App, datasets: list[Dataset], settings: Settings, work: Path) -> list[cdk.Stack]:
    """Add the stacks to an app; archives are made in the work folder."""
    base = BaseStack(app, settings)
    libraries = packaging.libraries() if settings.bundle else None
    stacks: list[cdk.Stack] = [base]
    for dataset in datasets:
        stack = OrchestratorStack(app, dataset, settings, work, libraries)
        stack.add_stack_dependency(base)
        stacks.append(stack)
    cdk.Tags.of(app).add("project", "pharmaetl", exclude_resource_types=UNTAGGED)
    return stacks


def write(catalog: Catalog, out: Path, settings: Settings) -> tuple[Path, ...]:
    """Synthesise into a folder: `<stack>.template.json` for each stack, `<dataset>.asl.json` for each dataset.

    The folder is a cloud assembly, which `cdk deploy --app FOLDER` takes. Returns templates and state machines.
    """
    datasets = list(catalog)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalIOError(f"{out} can't be made: {error.strerror}", hint="name another folder") from error
    with tempfile.TemporaryDirectory(prefix="pharmaetl-cdk-") as work:
        app = cdk.App(outdir=str(out), analytics_reporting=False)
        stacks = build(app, datasets, settings, Path(work))
        app.synth()
    machines = [out / f"{dataset.name}.asl.json" for dataset in datasets]
    for dataset, path in zip(datasets, machines, strict=True):
        definition = state_machine.definition(dataset.config)
        path.write_text(json.dumps(definition, indent=2) + "\n", encoding="utf-8")
    return (*(out / stack.template_file for stack in stacks), *machines)
