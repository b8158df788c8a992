"""`lineage`: which bytes from which URL a version came from."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from pharmaetl.cli.options import dataset_names
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import lake as views

Target = Annotated[
    str,
    typer.Argument(
        metavar="DATASET|RUN_ID",
        autocompletion=dataset_names,
        help="A dataset's current version, or a run.",
        show_default=False,
    ),
]
Form = Annotated[
    Literal["tree", "mermaid", "openlineage"], typer.Option("--format", help="openlineage: one event a line.")
]


def lineage(session: Session, target: Target, form: Form = "tree") -> None:
    """Show where a version came from, from URL to row counts."""
    from pharmaetl import api

    session.show(views.lineage(api.lineage(session.place, target), form))
