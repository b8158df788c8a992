"""λ update manifest: judges and publishes what the jobs have written, or records that the execution failed."""

from __future__ import annotations

from typing import Any

from pharmaetl.aws import failures, glue_catalogue, stages
from pharmaetl.aws.events import FailureRequest, PublishRequest, PublishResult, parsed
from pharmaetl.aws.lambdas.invocation import Context, Invocation, invocation
from pharmaetl.errors import PharmaetlError, UsageError


def handler(event: object, context: Context) -> dict[str, Any]:
    """Do what the event's `action` says."""
    with invocation(context) as call:
        match event:
            case {"action": "publish"}:
                return _publish(call, parsed(PublishRequest, event)).model_dump(mode="json")
            case {"action": "record_failure"}:
                return _record_failure(call, parsed(FailureRequest, event))
            case _:
                raise UsageError("`action` is neither publish nor record_failure", hint="the state machine says which")


def _publish(call: Invocation, request: PublishRequest) -> PublishResult:
    result = stages.publish(call.storage, call.dataset, request, call.watch)
    call.log.info("publishing ended", extra=result.model_dump())
    call.measure(result.run_id, CatalogueFailed=int(not _catalogued(call, result)))
    return result


def _catalogued(call: Invocation, result: PublishResult) -> bool:
    """Bring the Glue catalogue up to the manifest. A failure there undoes nothing: the next publication does it."""
    try:
        glue_catalogue.refresh(call.storage, call.dataset.config)
    except PharmaetlError as error:
        facts = {"run_id": result.run_id, "hint": "the next publication brings it up to date"}
        call.log.error(f"the Glue catalogue is not up to date: {error.reason}", extra=facts)
        stages.note_on_publication(call.storage, call.dataset, result.run_id, f"catalogue not updated: {error.reason}")
        return False
    return True


def _record_failure(call: Invocation, request: FailureRequest) -> dict[str, Any]:
    failure = failures.record_failure(call.storage, call.dataset, request)
    call.log.error("run failed", extra=failure.model_dump())
    call.measure(failure.run_id)
    return failure.model_dump(mode="json")
