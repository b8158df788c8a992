"""`aws`: deploy the same pipelines to AWS, start them there, and see how they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pharmaetl.cli.options import DatasetArgument, DatasetsArgument, OptionalDataset
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import cloud as views
from pharmaetl.errors import ConfigError

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if it isn't there.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask before permissions are widened.")]
Bundle = Annotated[
    bool | None,
    typer.Option(
        "--bundle/--no-bundle",
        help="Put the libraries into the functions' archives; left out: if pip has them or can get them.",
    ),
]
Context = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE", help="CDK context, such as reserved_concurrency=0; repeatable.", show_default=False
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Run although nothing has changed.")]


def synth(session: Session, out: Out = Path("cdk.out"), bundle: Bundle = None) -> None:
    """Write every stack's template and every dataset's state machine.

    Writes <stack>.template.json and <dataset>.asl.json, and the code that the stacks deploy beside them. Needs Node,
    but neither an AWS account nor the network.
    """
    from pharmaetl.api import cloud

    made = cloud.synth(session.place, out, bundle=bundle)
    if made.unbundled:
        session.output.note(f"the functions' archives lack their libraries and can't run: {made.unbundled}")
    session.show(views.written(made.files))


def deploy(session: Session, chosen: DatasetsArgument = None, yes: Yes = False, context: Context = None) -> None:
    """Deploy the base stack and the datasets' own.

    All datasets where none is named. What the CDK says goes to stderr.
    """
    from pharmaetl.api import cloud

    session.show(views.deployed(cloud.deploy(session.place, chosen or [], context or [], approve=yes)))


def start(session: Session, dataset: DatasetArgument, force: Force = False) -> None:
    """Start a run on AWS and return at once.

    The same as `run DATASET --target aws --no-wait`.
    """
    from pharmaetl.api import RunOptions, cloud

    session.show(views.started(*cloud.start(session.place, dataset, RunOptions(force=force))))


def status(session: Session, dataset: OptionalDataset = None) -> None:
    """Show what is deployed, and how it stands.

    The stack of each dataset, its last execution, and what failed for good (dead letters).
    """
    from pharmaetl.api import cloud

    session.show(views.status(cloud.cloud_status(session.place, dataset)))


def doctor(session: Session) -> None:
    """Check whether the AWS side is fit to run.

    Looks at identity, region, bucket, conditional writes, stacks, quotas and state machines; each with its fix.
    """
    from pharmaetl.api import cloud
    from pharmaetl.cli.views import machine

    diagnoses = cloud.cloud_doctor(session.place)
    session.show(machine.doctor(diagnoses))
    failed = [diagnosis.name for diagnosis in diagnoses if diagnosis.outcome == "fail"]
    if failed:
        raise ConfigError(f"not fit to run on AWS: {', '.join(failed)}", hint="see the fixes above")
