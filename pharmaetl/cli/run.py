"""`run` and `plan`: bring a dataset up to date, or say what that would take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pharmaetl.cli.options import DatasetArgument, OptionalDataset
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import runs as views
from pharmaetl.errors import PharmaetlError, UsageError

if TYPE_CHECKING:
    from pharmaetl.plan import Plan
    from pharmaetl.run_options import RunOptions

Until = Literal["fetch", "bronze", "silver"]
Engine = Literal["auto", "sail", "spark"]

_SOURCE = typer.Option(metavar="PATH|URL", help="Read this file instead of the configured one.", show_default=False)
_SHRINK = typer.Option(
    metavar="REASON", help="Publish although there are far fewer rows than before.", show_default=False
)


@dataclass(frozen=True)
class Wanted:
    """What a run shall do. Its fields are the options of `run` and `plan`."""

    source: Annotated[str | None, _SOURCE] = None
    force: Annotated[bool, typer.Option("--force", help="Run although nothing has changed.")] = False
    until: Annotated[
        Until | None, typer.Option(help="Stop after this layer; nothing is published.", show_default=False)
    ] = None
    sample: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Read the first N rows only.", show_default=False)
    ] = None
    accept_shrink: Annotated[str | None, _SHRINK] = None
    engine: Annotated[Engine, typer.Option(help="What runs the transforms.")] = "auto"
    master: Annotated[
        str | None, typer.Option(metavar="URL", help="An existing Spark cluster.", show_default=False)
    ] = None

    def options(self) -> RunOptions:
        """The same for the API; UsageError where a word is empty."""
        from pharmaetl.api import RunOptions

        for option, value in (
            ("--source", self.source),
            ("--accept-shrink", self.accept_shrink),
            ("--master", self.master),
        ):
            if value is not None and not value.strip():
                raise UsageError(f"{option} is empty", hint=f"give it a value, or leave {option} out")
        return RunOptions(**vars(self))


DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, as `plan` does; write nothing.")]


def run(dataset: DatasetArgument, wanted: Wanted, session: Session, dry_run: DryRun = False) -> None:
    """Fetch a dataset, transform it, check it and publish it.

    Nothing is done where source, config and code are those of the published version. Where the data is refused,
    the last published version stays as it is.
    """
    from pharmaetl import api
    from pharmaetl.cli.progress import watching

    if dry_run:
        session.show(views.planned(api.plan(session.place, dataset, wanted.options())))
        return
    with watching(session.output) as watch:
        record = api.run(session.place, dataset, wanted.options(), watch)
    session.show(views.finished(record))


def plan(wanted: Wanted, session: Session, dataset: OptionalDataset = None) -> None:
    """Say what a run would do, and why. Writes nothing.

    Without a DATASET: for all of them.
    """
    from pharmaetl import api

    if dataset is not None:
        session.show(views.planned(api.plan(session.place, dataset, wanted.options())))
        return
    if wanted.source is not None:
        raise UsageError("--source goes with one dataset", hint=f"pharmaetl plan DATASET --source {wanted.source}")
    plans: list[Plan] = []
    failures: list[PharmaetlError] = []
    for view in api.datasets(session.place):
        try:
            plans.append(api.plan(session.place, view.dataset, wanted.options()))
        except PharmaetlError as failure:
            failures.append(failure)
    session.show(views.all_planned(plans))
    for other in failures[1:]:
        session.output.note(other.reason)
    if failures:
        raise failures[0]
