"""How an execution ended, in the words that a run on this machine ends with: a record, or an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pharmaetl.aws.executions import Execution
from pharmaetl.errors import EngineError, InterruptedRunError, NotStoredError, PharmaetlError, UnavailableError
from pharmaetl.lake import runs
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.storage import Storage
from pharmaetl.secret import redact

_PLAIN = {"TIMED_OUT": UnavailableError, "ABORTED": InterruptedRunError}


def record_of(storage: Storage, execution: Execution) -> RunRecord:
    """The record of a run that was published or skipped; raises what a failed one would have raised here."""
    if execution.status != "SUCCEEDED":
        raise failure_of(execution)
    fetched = (execution.output or {}).get("fetch") or {}
    dataset, run_id = str(fetched.get("dataset") or ""), str(fetched.get("run_id") or "")
    try:
        return runs.read(storage, dataset, run_id)
    except NotStoredError as error:
        raise NotStoredError(
            f"execution {execution.name} has succeeded, but its run {run_id or '?'} of {dataset or '?'} is not recorded"
            f" in {storage.root}",
            hint="is this the lake that the stacks write to? `pharmaetl aws doctor` compares them",
        ) from error


def failure_of(execution: Execution) -> PharmaetlError:
    """The error that the failed execution tells of: the class by its code, so that the exit code is a local run's."""
    told = _told(execution.cause)
    code, run_id = str(told.get("code") or ""), told.get("run_id")
    state = f" in {told['state']}" if told.get("state") else ""
    reason = redact(str(told.get("reason") or execution.cause or execution.error or execution.status.lower()))[:2000]
    hint = redact(str(told.get("hint") or "")) or f"pharmaetl runs watch {execution.name}"
    kind = _PLAIN.get(execution.status) or _class_of(code) or EngineError
    return kind(f"{execution.name} failed{state}: {reason}", hint=hint, run_id=str(run_id) if run_id else None)


def _told(cause: str) -> dict[str, Any]:
    """What the failure path wrote down about the failure; empty where it wrote nothing that can be read."""
    try:
        found = json.loads(cause)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _class_of(code: str) -> type[PharmaetlError] | None:
    return next((kind for kind in _classes(PharmaetlError) if kind.code == code), None)


def _classes(root: type[PharmaetlError]) -> Iterator[type[PharmaetlError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _classes(kind)
