"""The emulator as it is without our patches: when one of these fails, it needs that patch no longer."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tooling import Tools

GLUE = """
from ministack.services import stepfunctions
try:
    stepfunctions._invoke_resource("arn:aws:states:::glue:startJobRun.sync", {"JobName": "job"})
except stepfunctions._ExecutionError as error:
    answer = [error.error, "not yet implemented" in error.cause]
"""
SPARK = """
import time
from ministack.services import glue
glue._create_job({"Name": "job", "Role": "r", "Command": {"Name": "glueetl", "ScriptLocation": "s3://no/such.py"}})
run = json.loads(glue._start_job_run({"JobName": "job"})[2])["JobRunId"]
while (state := glue._job_runs["job"][0]["JobRunState"]) in {"STARTING", "RUNNING"}:
    time.sleep(0.05)
answer = state
"""
ERROR = """
import io, zipfile
from ministack.services import lambda_svc
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("m.py", "def handler(event, context):\\n    raise KeyError('a')\\n")
arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
config = {"FunctionName": "f", "FunctionArn": arn, "Handler": "m.handler", "Runtime": "python3.11", "Timeout": 9}
found = lambda_svc._execute_function_warm({"config": config, "code_zip": packed.getvalue()}, {}, "id")
answer = [found["body"]["errorType"], "KeyError: 'a'" in found["log"]]
"""


def test_its_step_functions_start_no_glue_jobs(tools: Tools, tmp_path: Path) -> None:
    assert _of(tools, tmp_path, GLUE) == ["States.Runtime", True]


def test_its_spark_jobs_succeed_unseen(tools: Tools, tmp_path: Path) -> None:
    assert _of(tools, tmp_path, SPARK) == "SUCCEEDED"


def test_its_functions_fail_without_the_class_of_the_error(tools: Tools, tmp_path: Path) -> None:
    assert _of(tools, tmp_path, ERROR) == ["Runtime.HandlerError", True]


def _of(tools: Tools, folder: Path, code: str) -> Any:
    """What ministack's own Python makes of some code that leaves an `answer`."""
    end = "\nimport os, sys\nprint(json.dumps(answer), flush=True)\nos._exit(0)\n"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    command = [str(tools.ministack), "-c", f"import json{code}{end}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])
