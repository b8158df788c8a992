"""`run --target aws`: start executions, look on, and end as a run on this machine ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pharmaetl.cli.session import Session
from pharmaetl.cli.views import cloud as views
from pharmaetl.cli.views import runs as run_views
from pharmaetl.errors import InterruptedRunError, PharmaetlError, UsageError

if TYPE_CHECKING:
    from pharmaetl.run_options import RunOptions


def run(session: Session, names: Sequence[str], options: RunOptions, *, wait: bool, dry_run: bool) -> None:
    """Start a run of each dataset on AWS, or with `dry_run` say what would be asked for; look on at the last one.

    One that can't be started stops no other, and the last failure decides the exit code.
    """
    _refuse_local_lake(session)
    failures: list[PharmaetlError] = []
    for name in names:
        try:
            _run_one(session, name, options, wait=wait, dry_run=dry_run)
        except InterruptedRunError:
            raise
        except PharmaetlError as error:
            failures.append(error)
    for earlier in failures[:-1]:
        session.output.note(earlier.reason)
    if failures:
        raise failures[-1]


def _refuse_local_lake(session: Session) -> None:
    if session.lake and not session.lake.startswith("s3://"):
        raise UsageError(
            f"--lake {session.lake} is on this machine, and a run on AWS writes to the lake of its stacks",
            hint="leave --lake out, or give its s3:// URL",
        )


def _run_one(session: Session, name: str, options: RunOptions, *, wait: bool, dry_run: bool) -> None:
    from pharmaetl.api import cloud

    if dry_run:
        session.show(views.planned(cloud.cloud_plan(session.place, name, options)))
        return
    execution, now = cloud.start(session.place, name, options)
    if not wait:
        session.show(views.started(execution, now))
        return
    session.output.step(f"{execution.name}: {'started' if now else 'was started before'}, {execution.arn}")
    watch(session, execution.arn, execution.name)


def watch(session: Session, arn: str, name: str) -> None:
    """Show an execution's states until it has ended, then its run; Ctrl-C ends the looking on alone."""
    from pharmaetl.api import cloud
    from pharmaetl.cli.execution_tree import looking_on

    try:
        with looking_on(session.output, name) as saw:
            record = cloud.follow(session.place, arn, saw)
    except KeyboardInterrupt:
        stop = session.command(f"runs stop {name}")
        raise InterruptedRunError(
            f"stopped looking on: {name} goes on in AWS",
            hint=f"{session.command(f'runs watch {name}')} looks on again, {stop} ends it",
        ) from None
    session.show(run_views.finished(record))
