"""`run` and `plan`: bring a dataset up to date, or say what that would take."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pharmaetl.cli.options import AllowPrivateHosts, DatasetsArgument, OptionalDataset
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import runs as views
from pharmaetl.errors import PharmaetlError, UsageError

if TYPE_CHECKING:
    from pharmaetl.plan import Plan
    from pharmaetl.run_options import RunOptions

Until = Literal["fetch", "bronze", "silver"]
Engine = Literal["auto", "duckdb", "sail", "spark"]
Target = Literal["local", "aws"]

_SOURCE = typer.Option(metavar="PATH|URL", help="Read this file instead of the configured one.", show_default=False)
_SHRINK = typer.Option(
    metavar="REASON", help="Publish although there are far fewer rows than before.", show_default=False
)


@dataclass(frozen=True)
class Wanted:
    """What a run shall do. Its fields are the options of `run` and `plan`."""

    source: Annotated[str | None, _SOURCE] = None
    edition: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of the config's other editions.", show_default=False)
    ] = None
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
    allow_private_hosts: AllowPrivateHosts = False

    target: Annotated[Target, typer.Option(help="Where it runs: on this machine, or in Step Functions.")] = "local"
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Look on until a run on AWS has ended; a local run always does.")
    ] = True

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
        if not self.wait and self.target == "local":
            raise UsageError("a local run is over when the command is", hint="leave --no-wait out")
        asked = {name: value for name, value in vars(self).items() if name not in {"target", "wait"}}
        return RunOptions(**asked)


Every = Annotated[bool, typer.Option("--all", help="Every dataset there is.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, as `plan` does; write nothing.")]


def run(
    wanted: Wanted,
    session: Session,
    chosen: DatasetsArgument = None,
    every: Every = False,
    dry_run: DryRun = False,
) -> None:
    """Fetch datasets, transform them, check them and publish them.

    Nothing is done where source, config and code are those of the published version. Where the data is refused,
    the last published version stays as it is. Several run one after the other, on one engine; one that fails stops
    no other, and the exit code is the worst of them.
    """

    names = _names(session, chosen, every)
    if len(names) > 1 and wanted.source is not None:
        raise UsageError("--source goes with one dataset", hint=f"pharmaetl run {names[0]} --source {wanted.source}")
    if wanted.target == "aws":
        from pharmaetl.cli import cloud_run

        cloud_run.run(session, names, wanted.options(), wait=wanted.wait, dry_run=dry_run)
    elif dry_run:
        _plan(session, names, wanted)
    elif len(names) == 1:
        _run_one(session, names[0], wanted)
    else:
        _run_each(session, names, wanted)


def _names(session: Session, chosen: list[str] | None, every: bool) -> list[str]:
    if every == bool(chosen):
        raise UsageError("name the datasets to run, or give --all", hint="pharmaetl dataset list shows their names")
    from pharmaetl import api

    return list(dict.fromkeys(chosen)) if chosen else api.dataset_names(session.place)


def _run_one(session: Session, name: str, wanted: Wanted) -> None:
    """Run one dataset. A failed run's record is data too: with `--json` it is on stdout, beside the error on stderr."""
    from pharmaetl import api
    from pharmaetl.cli.progress import watching

    try:
        with watching(session.output) as watch:
            record = api.run(session.place, name, wanted.options(), watch)
    except PharmaetlError as error:
        if session.as_json and error.run_id is not None:
            # where the record can't be read either, the error alone has to do
            with suppress(PharmaetlError):
                session.show(views.finished(api.run_record(session.place, error.run_id)))
        raise
    session.show(views.finished(record))


def _run_each(session: Session, names: list[str], wanted: Wanted) -> None:
    from pharmaetl import api
    from pharmaetl.cli.failures import failure_of
    from pharmaetl.cli.progress import watching

    with watching(session.output) as watch:
        attempts = [(attempt, failure_of(attempt.error) if attempt.error else None) for attempt in
                    api.run_each(session.place, names, wanted.options(), watch)]  # fmt: skip
    session.show(views.finished_each(attempts))
    failures = [(failure.exit_code, attempt.error) for attempt, failure in attempts if failure and attempt.error]
    if failures:
        raise max(failures, key=lambda failed: failed[0])[1]


def _plan(session: Session, names: list[str], wanted: Wanted) -> None:
    from pharmaetl import api

    if len(names) > 1:
        _plan_each(session, names, wanted)
    else:
        session.show(views.planned(api.plan(session.place, names[0], wanted.options())))


def _plan_each(session: Session, names: list[str], wanted: Wanted) -> None:
    """Show what each would do; one that can't be planned hides none of the others, and decides the exit code."""
    from pharmaetl import api

    plans: list[Plan] = []
    failures: list[PharmaetlError] = []
    for name in names:
        try:
            plans.append(api.plan(session.place, name, wanted.options()))
        except PharmaetlError as failure:
            failures.append(failure)
    session.show(views.all_planned(plans))
    for other in failures[1:]:
        session.output.note(other.reason)
    if failures:
        raise failures[0]


def plan(wanted: Wanted, session: Session, dataset: OptionalDataset = None) -> None:
    """Say what a run would do, and why. Writes nothing.

    Without a DATASET: for all of them.
    """
    if dataset is None and wanted.source is not None:
        raise UsageError("--source goes with one dataset", hint=f"pharmaetl plan DATASET --source {wanted.source}")
    from pharmaetl import api

    if wanted.target == "aws":
        names = [dataset] if dataset else api.dataset_names(session.place)
        from pharmaetl.cli import cloud_run

        cloud_run.run(session, names, wanted.options(), wait=False, dry_run=True)
    elif dataset is not None:
        _plan(session, [dataset], wanted)
    else:
        _plan_each(session, api.dataset_names(session.place), wanted)
