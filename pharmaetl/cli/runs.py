"""`runs`: what was done in a lake, and picking up what was left undone."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.cloud_run import watch as watch_execution
from pharmaetl.cli.options import OptionalDataset, RunIdArgument
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import cloud as cloud_views
from pharmaetl.cli.views import runs as views
from pharmaetl.errors import PharmaetlError, UsageError
from pharmaetl.runid import is_run_id

Limit = Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many.")]
RunOrExecution = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or an execution's name or ARN.", show_default=False)
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the execution's history.")]


def list_(session: Session, dataset: OptionalDataset = None, limit: Limit = 20) -> None:
    """List runs, newest first: published, skipped, failed and interrupted ones."""
    from pharmaetl import api

    session.show(views.listed(api.runs(session.place, dataset, limit)))


def show(session: Session, run_id: RunIdArgument) -> None:
    """Show everything that one run recorded: rows, checks, steps, and why it failed."""
    from pharmaetl import api

    session.show(views.shown(api.run_record(session.place, run_id)))


def resume(session: Session, run_id: RunIdArgument) -> None:
    """Finish a run that failed or was interrupted, from the files that it already has.

    A run on AWS that timed out or was stopped goes on there, in the state in which it was; one that failed is started
    anew with the same input.
    """
    from pharmaetl import api
    from pharmaetl.api import cloud
    from pharmaetl.cli.progress import watching

    arn = _execution_of(session, run_id)
    if arn is None:
        try:
            with watching(session.output) as watch:
                record = api.resume(session.place, run_id, watch)
        except UsageError as unknown:
            arn = _execution_named(session, run_id, unknown)
        else:
            session.show(views.finished(record))
            return
    execution = cloud.resume(session.place, arn)
    watch_execution(session, execution.arn, execution.name)


def watch(session: Session, run_id: RunOrExecution) -> None:
    """Look on at a run on AWS until it has ended.

    Ends with the exit code that a run on this machine would have had.
    """
    from pharmaetl.api import cloud

    arn = cloud.execution_of(session.place, run_id)
    watch_execution(session, arn, arn.rpartition(":")[2])


def stop(session: Session, run_id: RunOrExecution, reason: Reason = "stopped by hand") -> None:
    """Stop a run on AWS. What is published stays; what the run has written so far is never seen, and pruned."""
    from pharmaetl.api import cloud

    execution = cloud.stop(session.place, run_id, reason)
    session.show(cloud_views.ended(execution, f"runs resume {execution.name}"))


def _execution_of(session: Session, run: str) -> str | None:
    """The ARN itself, or that of a run of a lake on S3; None where it is a run of a machine, or not known there."""
    from pharmaetl import api

    if run.startswith("arn:"):
        return run
    if not session.place.lake.startswith("s3://"):
        return None
    try:
        process = api.run_record(session.place, run).process
    except UsageError:
        return None
    return process if process.startswith("arn:") else None


def _execution_named(session: Session, name: str, unknown: UsageError) -> str:
    """The ARN of an execution of this name; raises what the lake said of it where there is none, or no account."""
    from pharmaetl.api import cloud

    if not is_run_id(name):
        raise unknown
    try:
        return cloud.execution_of(session.place, name)
    except PharmaetlError:
        raise unknown from None
