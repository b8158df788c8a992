"""`path`: where the files are, for other programs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from pharmaetl.cli.options import DatasetArgument
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import lake as views

Layer = Annotated[Literal["raw", "bronze", "silver", "gold"], typer.Option(help="Which layer.")]
TableName = Annotated[str | None, typer.Option("--table", metavar="T", help="Only this table.", show_default=False)]


def path(session: Session, dataset: DatasetArgument, layer: Layer = "silver", table: TableName = None) -> None:
    """Print where the current files are.

    One absolute path or URL a line, nothing else.
    """
    from pharmaetl import api

    session.show(views.paths(dataset, layer, api.paths(session.place, dataset, layer, table)))
