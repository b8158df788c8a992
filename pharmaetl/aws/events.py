"""What the Lambda functions are given and what they return; an event that nobody meant ends with UsageError."""

from __future__ import annotations

import difflib
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pharmaetl.errors import UsageError
from pharmaetl.run_options import RunOptions


class _Event(BaseModel):
    """What arrives; a number is no text here, and a text no boolean."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Asked(_Event):
    """The input of an execution; whatever is left out, or null, is as the config says."""

    dataset: str | None = None
    source_url: str | None = None
    force: bool | None = None
    accept_shrink: str | None = None
    edition: str | None = None

    def options(self, dataset: str) -> RunOptions:
        """The options of such a run; UsageError where the input names another dataset, or two sources."""
        if self.dataset not in {None, dataset}:
            hint = f"start the state machine of {self.dataset}, or leave `dataset` out"
            raise UsageError(f"this state machine runs {dataset}, not {self.dataset}", hint=hint)
        if self.source_url is not None and self.edition is not None:
            raise UsageError("`source_url` and `edition` each name a source", hint="leave one of them out")
        return RunOptions(
            source=self.source_url, edition=self.edition, force=bool(self.force), accept_shrink=self.accept_shrink
        )


class Woken(Asked):
    """To the function that starts executions: an execution's input, and of a schedule, for when it rang."""

    scheduled_time: str | None = None


class FetchRequest(_Event):
    """To the function that fetches: the execution's input, and which execution it is."""

    input: Asked
    execution: str
    name: str
    started_at: str


class PublishRequest(_Event):
    """To the function that publishes: the run, and the attempts of the jobs that have succeeded."""

    action: Literal["publish"]
    dataset: str
    run_id: str
    execution: str
    bronze_attempt: str
    silver_attempt: str
    gold_attempt: str | None = None
    """None where the dataset has no gold tables."""


class StateError(_Event):
    """An error as Step Functions catches it."""

    model_config = ConfigDict(extra="ignore")

    Error: str = ""
    Cause: str | None = None


class FetchedRun(_Event):
    """What is needed of the first function's result."""

    model_config = ConfigDict(extra="ignore")

    run_id: str


class FailureRequest(_Event):
    """To the function that records a failure: where and with what the execution failed."""

    action: Literal["record_failure"]
    dataset: str
    execution: str
    name: str
    started_at: str
    state: str
    error: StateError
    fetch: FetchedRun | None = None
    input: Any = None
    """The execution's input, to be given again."""


class FetchResult(BaseModel):
    """What the state machine goes on with: every key is always there."""

    dataset: str
    run_id: str
    changed: bool
    reason: str
    version: str | None
    """The version that the run makes, or of an unchanged source the one that stays."""
    source_sha256: str
    raw_path: str | None = None
    jobs_path: str | None = None
    bronze_path: str | None = None
    silver_path: str | None = None
    gold_path: str | None = None
    bronze_workers: int = 0
    silver_workers: int = 0
    gold_workers: int | None = None
    """None, as the path is, where the dataset has no gold tables."""


class PublishResult(BaseModel):
    """How publishing ended: `skipped` where another run published the same inputs meanwhile."""

    outcome: Literal["published", "skipped"]
    run_id: str
    sequence: int | None
    version: str | None
    rows: int
    reason: str


class Failure(BaseModel):
    """What dead letter and alert say of a failed run."""

    dataset: str
    run_id: str
    state: str
    code: str
    reason: str
    hint: str
    redrive: str
    """The command that runs it again."""


AnyEvent = TypeVar("AnyEvent", bound=_Event)


def parsed(model: type[AnyEvent], event: object) -> AnyEvent:
    """The event as its model; UsageError that names every key that is wrong."""
    try:
        return model.model_validate(event)
    except ValidationError as error:
        said = [_mistake(model, found["loc"], found["msg"], found["type"]) for found in error.errors(include_url=False)]
        raise UsageError("; ".join(said), hint="docs/aws.md lists what an execution can be given") from error


def _mistake(model: type[AnyEvent], loc: tuple[int | str, ...], message: str, kind: str) -> str:
    where = ".".join(str(part) for part in loc) or "the event"
    if kind != "extra_forbidden":
        return f"{where}: {message}"
    known = [*model.model_fields, *Asked.model_fields]
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f"{where}: no such key" + (f"; did you mean {near[0]}?" if near else "")
