"""λ fetch and hash: the source, compared and split; the state machine goes on with what this returns."""

from __future__ import annotations

from typing import Any

from pharmaetl.aws import secrets, stages
from pharmaetl.aws.events import FetchRequest, parsed
from pharmaetl.aws.lambdas.invocation import Context, invocation


def handler(event: object, context: Context) -> dict[str, Any]:
    """Fetch for one execution."""
    with invocation(context) as call:
        request = parsed(FetchRequest, event)
        with secrets.in_environment(stages.url_of(call.dataset, request.input)):
            result = stages.fetch_and_hash(call.storage, call.dataset, request, call.deadline, call.watch)
        call.log.info("fetched", extra=result.model_dump())
        if not result.changed:
            call.measure(result.run_id)
        return result.model_dump(mode="json")
