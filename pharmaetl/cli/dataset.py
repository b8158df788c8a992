"""`dataset`: the configs that say what there is to run."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.options import AllowPrivateHosts, DatasetArgument, dataset_names
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import contract as contract_views
from pharmaetl.cli.views import datasets as views
from pharmaetl.errors import ConfigError, UsageError

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="DATASET|PATH", autocompletion=dataset_names, help="All of them without it.", show_default=False
    ),
]

Source = Annotated[
    str | None,
    typer.Option(metavar="PATH|URL", help="Look at this file instead of the newest run.", show_default=False),
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays in the lake.", show_default=False)]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="NAME", help="Only this header; again for more.", show_default=False),
]

NewName = Annotated[
    str,
    typer.Argument(metavar="ORG/NAME", help="Who publishes the data, and the dataset's name.", show_default=False),
]
From = Annotated[
    str, typer.Option("--from", metavar="PATH|URL", help="A real file of it: zip, gz or plain.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what an earlier `dataset new` wrote.")]


def list_(session: Session) -> None:
    """List the datasets that can be run."""
    from pharmaetl import api

    session.show(views.listed(api.datasets(session.place)))


def show(session: Session, dataset: DatasetArgument) -> None:
    """Show a dataset's config with its defaults filled in."""
    from pharmaetl import api

    session.show(views.shown(api.dataset_config(session.place, dataset)))


def validate(session: Session, target: Target = None) -> None:
    """Check configs and print every problem as file:line:column: message.

    DATASET|PATH is a dataset's name, its folder or a config file.
    """
    from pharmaetl import api

    validations = api.validate(session.place, target)
    session.show(views.validated(validations))
    problems = sum(len(validation.problems) for validation in validations)
    if problems:
        broken = sum(bool(validation.problems) for validation in validations)
        raise ConfigError(
            f"problems: {problems}, in {broken} of {len(validations)} configs", hint="mend the lines above"
        )


def schema(session: Session) -> None:
    """Print the JSON Schema of dataset.json, for editors."""
    from pharmaetl import api

    session.show(views.schema(api.schema()))


def new(
    session: Session,
    dataset: NewName,
    source: From,
    force: Force = False,
    allow_private_hosts: AllowPrivateHosts = False,
) -> None:
    """Look at a real file and write a dataset's folder: config, README, sample and test.

    `run` works on it at once. Delimiter, quoting, encoding, header, column types and formats and the key are guessed
    from the data; README.md says why, and what to check. The folder goes below --datasets, else the nearest datasets/
    up from here, else a new ./datasets.
    """
    from pharmaetl import api

    if not source.strip():
        raise UsageError("--from is empty", hint="give it a path or URL")
    session.show(views.created(api.new_dataset(session.place, dataset, source, force, allow_private_hosts)))


def drift(session: Session, dataset: DatasetArgument, source: Source = None) -> None:
    """Show how a source differs from the version published last.

    As the newest run met it, compared with the version before; with --source, as that file looks, compared with the
    published version: nothing is run, and nothing is written.
    """
    from pharmaetl import api

    if source is not None and not source.strip():
        raise UsageError("--source is empty", hint="give it a path or URL, or leave it out")
    session.show(contract_views.drifted(api.drift(session.place, dataset, source)))


def accept(session: Session, dataset: DatasetArgument, reason: Reason, column: Columns = None) -> None:
    """Accept that a source's header has changed.

    What the newest run met is expected from now on: no warning, and no refusal where the columns are frozen. Who, when
    and why stay in the lake. A required column that is missing can't be accepted.
    """
    from pharmaetl import api

    if not reason.strip():
        raise UsageError("--reason is empty", hint="say why the change is right: it stays in the lake")
    session.show(contract_views.accepted(api.accept(session.place, dataset, reason.strip(), tuple(column or ()))))
