"""`status`: the lake at a glance."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.options import OptionalDataset
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import lake as views

Size = Annotated[bool, typer.Option("--size", help="Count every file of a lake on S3, or of a very large one, too.")]


def status(session: Session, dataset: OptionalDataset = None, size: Size = False) -> None:
    """Show what is published, how old and large it is, how runs ended."""
    from pharmaetl import api

    session.show(views.status(api.status(session.place, dataset, size)))
