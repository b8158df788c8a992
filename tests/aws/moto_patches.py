"""What moto 5.2.5 lacks to run our state machines: each patch is small, and has a test that fails when moto has it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.glue.models import FakeJob, FakeJobRun
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_glue import (
    StateTaskServiceGlue,
)

Function = Callable[[dict[str, Any]], Any]
Job = Callable[[dict[str, str], str], None]
"""A Glue job's body: its arguments, and the id of its run."""


class HangingJobError(Exception):
    """What a fake job raises to stay in state RUNNING."""


def glue_sync(patch: pytest.MonkeyPatch) -> None:
    """`glue:startJobRun.sync` always fails with `'NoneType' object has no attribute 'interrupt_all'`; moments are
    milliseconds on AWS, and can't be serialised by moto."""

    def wait_for_job(self: Any, env: Any, **runtime: Any) -> None:
        output = env.stack.pop()
        self.timeout.eval(env=env)
        env.stack.pop()
        env.stack.append(output)
        look = self._build_sync_resolver(env=env, **runtime)
        found = None
        while env.is_running() and not (found := look()):
            time.sleep(0.01)
        moments = {key: value for key, value in (found or {}).items() if isinstance(value, datetime)}
        env.stack.append({**(found or {}), **{key: int(at.timestamp() * 1000) for key, at in moments.items()}})

    patch.setattr(StateTaskServiceGlue, "_eval_integration_pattern", wait_for_job)


def functions(patch: pytest.MonkeyPatch, bodies: dict[str, Function]) -> None:
    """moto's Lambda without docker runs no code: run these functions, by name, in this process."""

    def invoke(self: Any, function_name: str, qualifier: Any, body: Any, headers: Any, response: Any) -> bytes:
        try:
            return json.dumps(bodies[function_name.rpartition(":")[2]](json.loads(body))).encode()
        except Exception as error:
            if hasattr(error, "get_headers"):
                raise
            response["x-amz-function-error"] = "Unhandled"
            said = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
            return json.dumps(said).encode()

    patch.setattr(LambdaSimpleBackend, "invoke", invoke)


def jobs(patch: pytest.MonkeyPatch, bodies: dict[str, Job]) -> None:
    """moto's job runs succeed without running anything: run these jobs, by name, in this process."""
    start, show, ended = FakeJob.start_job_run, FakeJobRun.as_dict, dict[str, dict[str, str]]()

    def start_job_run(self: FakeJob, **asked: Any) -> str:
        run_id = str(start(self, **asked))
        try:
            bodies[self.name](asked["arguments"], run_id)
        except HangingJobError:
            ended[run_id] = {"JobRunState": "RUNNING"}
        except Exception as error:
            if hasattr(error, "get_headers"):
                self.job_runs.pop()
                raise
            ended[run_id] = {"JobRunState": "FAILED", "ErrorMessage": f"{type(error).__name__}: {error}"}
        else:
            ended[run_id] = {"JobRunState": "SUCCEEDED"}
        self.job_runs[-1].status = ended[run_id]["JobRunState"]
        return run_id

    def as_dict(self: FakeJobRun) -> dict[str, Any]:
        return {**show(self), **ended[self.job_run_id]}

    patch.setattr(FakeJob, "start_job_run", start_job_run)
    patch.setattr(FakeJobRun, "as_dict", as_dict)


def no_waiting(patch: pytest.MonkeyPatch) -> list[float]:
    """Retries come at once; what they would have waited is noted."""
    waited: list[float] = []
    patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=waited.append))
    return waited
