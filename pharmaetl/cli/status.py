"""`status`: the lake at a glance."""

from __future__ import annotations

from pharmaetl.cli.options import OptionalDataset
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import lake as views


def status(session: Session, dataset: OptionalDataset = None) -> None:
    """Show what is published, how old it is, how runs ended."""
    from pharmaetl import api

    session.show(views.status(api.status(session.place, dataset)))
