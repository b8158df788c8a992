"""`dataset`: the configs that say what there is to run."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.options import DatasetArgument, dataset_names
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import datasets as views
from pharmaetl.errors import ConfigError

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="DATASET|PATH", autocompletion=dataset_names, help="All of them without it.", show_default=False
    ),
]


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
