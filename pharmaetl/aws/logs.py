"""What the Lambda functions log: one JSON object a line, with the request's id, and without secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pharmaetl.lake.documents import StepResult
from pharmaetl.secret import redact

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


def logger(dataset: str, request_id: str) -> Logger:
    """A logger whose lines say of which dataset and request they are; `service` is POWERTOOLS_SERVICE_NAME."""
    from aws_lambda_powertools import Logger

    made = Logger(json_serializer=serialized, utc=True, use_rfc3339=True)
    made.append_keys(dataset=dataset, request_id=request_id)
    return made


def serialized(line: dict[str, Any]) -> str:
    """A log line as JSON, every text in it redacted."""
    return json.dumps(_redacted(line), default=lambda value: redact(str(value)), ensure_ascii=False)


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    return value


class LoggingWatch:
    """Looks on while a run goes, and logs each step's end."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def step_started(self, name: str, detail: str) -> None:
        """A line at the lowest level: what is under way when a function is cut off."""
        self._log.debug("step started", extra={"step": name, "detail": detail})

    def progress(self, done: int, total: int | None) -> None:
        """Nothing: there are too many of them."""

    def step_ended(self, step: StepResult) -> None:
        """How a step went."""
        facts = {"step": step.name, "outcome": step.outcome, "seconds": step.seconds, "detail": step.detail}
        self._log.info("step ended", extra=facts)

    def note(self, message: str) -> None:
        """Something worth knowing."""
        self._log.warning(message)
