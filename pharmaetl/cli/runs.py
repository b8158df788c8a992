"""`runs`: what was done in a lake, and picking up what was left undone."""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.cloud_run import watch as watch_execution
from pharmaetl.cli.options import OptionalDataset, RunIdArgument
from pharmaetl.cli.session import Session
from pharmaetl.cli.views import cloud as cloud_views
from pharmaetl.cli.views import runs as views

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
    from pharmaetl.cli.progress import watching

    if _is_on_aws(session, run_id):
        from pharmaetl.api import cloud

        execution = cloud.resume(session.place, run_id)
        watch_execution(session, execution.arn, execution.name)
        return
    with watching(session.output) as watch:
        record = api.resume(session.place, run_id, watch)
    session.show(views.finished(record))


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


def _is_on_aws(session: Session, run_id: str) -> bool:
    """Is it the run of an execution: by its ARN, or by what its record in a lake on S3 says?"""
    from pharmaetl import api

    if run_id.startswith("arn:"):
        return True
    return session.place.lake.startswith("s3://") and api.run_record(session.place, run_id).process.startswith("arn:")
