"""`manifest`: the publish log, which decides what readers see."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.options import DatasetArgument
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import lake as views
from pharmaetl.errors import LocalIOError

To = Annotated[
    str | None,
    typer.Option("--to", metavar="RUN_ID", help="The run to go back to [the one before].", show_default=False),
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays in the log.", show_default=False)]


def show(session: Session, dataset: DatasetArgument) -> None:
    """Show the current version: source, tables, quality."""
    from pharmaetl import api

    session.show(views.manifest(api.manifest(session.place, dataset)))


def history(session: Session, dataset: DatasetArgument) -> None:
    """List every version ever published, and every rollback."""
    from pharmaetl import api

    entries = api.history(session.place, dataset)
    session.show(views.history(dataset, entries, api.pruned(session.place, dataset)))


def verify(session: Session, dataset: DatasetArgument) -> None:
    """Compare the published files with the log.

    Reads every file again. Exit code 7 where something is missing or damaged.
    """
    from pharmaetl import api

    findings = api.verify(session.place, dataset)
    session.show(views.verified(dataset, findings))
    if not views.is_sound(findings):
        wrong = sum(finding.severity == "error" for finding in findings)
        raise LocalIOError(f"{dataset}: errors in the publish log or its files: {wrong}", hint="see the repairs above")


def rollback(session: Session, dataset: DatasetArgument, to: To = None, reason: Reason = "") -> None:
    """Make an older version current again.

    This adds an entry to the log and deletes nothing: another rollback undoes it.
    """
    from pharmaetl import api

    before = api.manifest(session.place, dataset).current
    session.show(views.rolled_back(api.rollback(session.place, dataset, to, reason), before))
