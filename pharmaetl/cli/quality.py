"""`quality`: what the gate checks, and what it found."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.options import DatasetArgument
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import quality as views
from pharmaetl.errors import UsageError

Run = Annotated[
    str | None,
    typer.Option(
        "--run", metavar="RUN_ID", help="This run instead of the current version; its first letters do.",
        show_default=False,
    ),
]  # fmt: skip
OneTable = Annotated[str | None, typer.Option("--table", metavar="NAME", help="This table only.", show_default=False)]
Dqdl = Annotated[bool, typer.Option("--dqdl", help="As AWS Glue DQDL rulesets, the one format there is so far.")]


def show(session: Session, dataset: DatasetArgument, run: Run = None) -> None:
    """Show every check of the current version, or of a run that was refused."""
    from pharmaetl import api

    session.show(views.shown(api.quality(session.place, dataset, run)))


def history(session: Session, dataset: DatasetArgument) -> None:
    """Show verdicts and check values over the published versions."""
    from pharmaetl import api

    session.show(views.history(api.quality_over_time(session.place, dataset)))


def export(session: Session, dataset: DatasetArgument, table: OneTable = None, dqdl: Dqdl = False) -> None:
    """Print a config's rules in another tool's language: one ruleset a table.

    What that language can't say stands there as a comment, with the reason.
    """
    from pharmaetl import api

    if not dqdl:
        raise UsageError("export needs a format", hint=session.command(f"quality export {dataset} --dqdl"))
    session.show(views.exported(dataset, api.quality_rulesets(session.place, dataset, table)))
