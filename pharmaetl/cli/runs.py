"""`runs`: what was done in a lake, and picking up what was left undone."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.options import OptionalDataset, RunIdArgument
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import runs as views

Limit = Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many.")]


def list_(session: Session, dataset: OptionalDataset = None, limit: Limit = 20) -> None:
    """List runs, newest first: published, skipped, failed and interrupted ones."""
    from pharmaetl import api

    session.show(views.listed(api.runs(session.place, dataset, limit)))


def show(session: Session, run_id: RunIdArgument) -> None:
    """Show everything that one run recorded: rows, checks, steps, and why it failed."""
    from pharmaetl import api

    session.show(views.shown(api.run_record(session.place, run_id)))


def resume(session: Session, run_id: RunIdArgument) -> None:
    """Finish a run that failed or was interrupted, from the files that it already has."""
    from pharmaetl import api
    from pharmaetl.cli.progress import watching

    with watching(session.output) as watch:
        record = api.resume(session.place, run_id, watch)
    session.show(views.finished(record))
