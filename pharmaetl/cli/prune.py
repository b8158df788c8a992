"""`prune`: give back the disk that nothing in the lake needs."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.options import OptionalDataset
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import housekeeping as views
from pharmaetl.errors import LocalIOError

DryRun = Annotated[bool, typer.Option("--dry-run", help="List every file that would go, and why; remove nothing.")]
Grace = Annotated[
    float | None,
    typer.Option(min=0, metavar="HOURS", help="Leave what is younger than that [72].", show_default=False),
]


def prune(session: Session, dataset: OptionalDataset = None, dry_run: DryRun = False, grace: Grace = None) -> None:
    """Remove what nothing needs any more.

    That is: what dead runs left, files that no log entry lists, and published versions beyond the `retention` in the
    dataset's config, of which without one there are none. The current version always stays. Safe beside runs.
    """
    from pharmaetl import api

    done = api.prune(session.place, dataset, grace, dry_run)
    session.show(views.pruned(done, dataset))
    if done.refused:
        first = done.refused[0]
        raise LocalIOError(f"{first.dataset}: nothing was removed: {first.reason}", hint=first.hint)
