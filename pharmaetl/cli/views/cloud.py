"""Runs on AWS and what is deployed there, as screens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl.cli import quantities
from pharmaetl.cli.screen import Column, Facts, Lines, Screen, Table, Toned, Value, toned

if TYPE_CHECKING:
    from pharmaetl.api.cloud import CloudPlan
    from pharmaetl.aws.costs import RunCost
    from pharmaetl.aws.deployment import Deployed
    from pharmaetl.aws.executions import Execution

_WORDS = {"SUCCEEDED": "done", "FAILED": "failed", "TIMED_OUT": "failed", "ABORTED": "failed"}


def started(execution: Execution, now: bool) -> Screen:
    """An execution that was started, or found to be there already."""
    said = "started" if now else "was started by the same request before"
    pairs: tuple[tuple[str, Value], ...] = (
        ("execution", execution.name),
        ("status", _status(execution)),
        ("started", execution.started_at),
        ("arn", execution.arn),
    )
    data = {**_execution(execution), "started": now}
    return Screen(data, (Facts((*pairs, ("note", said)) if not now else pairs),), f"runs watch {execution.name}")


def ended(execution: Execution, follow_up: str = "") -> Screen:
    """An execution after it was stopped, or set going again."""
    return Screen(
        _execution(execution),
        (Facts((("execution", execution.name), ("status", _status(execution)), ("arn", execution.arn))),),
        follow_up,
    )


def _status(execution: Execution) -> Value:
    word = _WORDS.get(execution.status, "running")
    found = toned(word)
    return Toned(execution.status.lower(), found.tone if found else "plain")


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "execution_arn": execution.arn,
        "name": execution.name,
        "status": execution.status,
        "started_at": execution.started_at,
        "ended_at": execution.ended_at,
    }


def planned(plan: CloudPlan) -> Screen:
    """What would be asked of Step Functions, and what it would cost."""
    request = plan.request.as_json()
    facts = Facts(
        (
            ("dataset", plan.dataset),
            ("outcome", toned("planned")),
            ("machine", plan.request.state_machine_arn),
            ("name", plan.request.name),
            ("input", json.dumps(plan.request.input)),
        )
    )
    data = {"dataset": plan.dataset, "outcome": "planned", "request": request, "cost": _cost(plan.cost)}
    return Screen(data, (facts, *_cost_parts(plan.cost)), f"run {plan.dataset} --target aws")


def _cost_parts(cost: RunCost) -> tuple[Table, Facts]:
    columns = (
        Column("job"),
        Column("workers", right=True),
        Column("$ an hour", right=True),
        Column("took before", right=True),
        Column("DPU-seconds", right=True),
        Column("$ a run", right=True),
    )
    rows = tuple(
        (
            job.layer,
            job.workers,
            f"{job.dollars_an_hour:.2f}",
            quantities.duration(job.seconds) if job.seconds is not None else None,
            f"{job.dpu_seconds:,.0f}",
            f"{job.dollars:.3f}",
        )
        for job in cost.jobs
    )
    basis = f"median of {cost.past_runs} past runs" if cost.past_runs else "no past run: the minute charged at least"
    sums = Facts(
        (
            *((("workers", cost.why),) if cost.why else ()),
            ("a run", f"${cost.dollars:.3f} for {cost.dpu_seconds:,.0f} DPU-seconds ({basis})"),
            ("a month", f"${cost.dollars_a_month:.2f} at {cost.runs_a_month:g} runs, if each finds something new"),
        )
    )
    return Table(columns, rows), sums


def _cost(cost: RunCost) -> dict[str, Any]:
    jobs = [
        {
            "layer": job.layer,
            "workers": job.workers,
            "dpus_per_worker": job.dpus,
            "seconds": job.seconds,
            "dpu_seconds": round(job.dpu_seconds),
            "dollars": round(job.dollars, 4),
        }
        for job in cost.jobs
    ]
    return {
        "jobs": jobs,
        "past_runs": cost.past_runs,
        "why": cost.why or None,
        "dpu_seconds": round(cost.dpu_seconds),
        "dollars": round(cost.dollars, 4),
        "dollars_a_month": round(cost.dollars_a_month, 2),
    }


def status(found: Sequence[Deployed]) -> Screen:
    """What is deployed, a dataset a line."""
    columns = (
        Column("dataset"),
        Column("stack"),
        Column("last execution", drop=2),
        Column("status"),
        Column("running", right=True, drop=3),
        Column("dead letters", right=True),
        Column("code", drop=1),
        Column("problem", wrap=True, drop=4),
    )
    rows = tuple(_deployed(each) for each in found)
    data = [
        {
            "dataset": each.dataset,
            "stack": each.stack,
            "stack_status": each.stack_status,
            "code_sha256": each.code_sha256,
            "last_execution": _execution(each.last_execution) if each.last_execution else None,
            "running": each.running,
            "dead_letters": each.dead_letters,
            "problem": each.problem or None,
        }
        for each in found
    ]
    return Screen({"datasets": data}, (Table(columns, rows, "no datasets"),))


def _deployed(each: Deployed) -> tuple[Value, ...]:
    last = each.last_execution
    return (
        each.dataset,
        Toned(
            each.stack_status.lower() if each.stack_status else "not deployed", "plain" if each.stack_status else "warn"
        ),
        last.name if last else None,
        _status(last) if last else None,
        each.running if each.stack_status else None,
        Toned(each.dead_letters, "bad" if each.dead_letters else "plain") if each.dead_letters is not None else None,
        quantities.short_hash(each.code_sha256),
        each.problem,
    )


def written(paths: Sequence[Path]) -> Screen:
    """Files that were written, one a line."""
    names = tuple(str(path) for path in paths)
    return Screen({"files": list(names)}, (Lines(names),))


def deployed(stacks: Sequence[str]) -> Screen:
    """The stacks that are up to date now."""
    return Screen({"stacks": list(stacks)}, (Lines(tuple(stacks)),), "aws status")
