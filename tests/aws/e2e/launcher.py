"""Starts ministack with what it lacks, by its own Python: `python launcher.py`; it ends when its standard input does.

Three patches, each undone by deleting its function; test_launcher.py says when ministack needs one no longer.
Environment, besides ministack's own: E2E_PYTHON, a Python with pyspark; E2E_JARS, the class path with hadoop-aws.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import glue, lambda_svc, stepfunctions

ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR"}
SPARK = {
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.s3a.aws.credentials.provider": "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
    "spark.hadoop.fs.s3a.attempts.maximum": "2",
    "spark.hadoop.fs.s3a.retry.limit": "2",
    "spark.hadoop.fs.s3a.fast.upload.buffer": "bytebuffer",
}


def errors_keep_their_class() -> None:
    """Lambda names a failed invocation by the handler's exception class; ministack says Runtime.HandlerError."""
    original = lambda_svc._execute_function_warm

    def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result = original(func, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
            said = re.escape(body.get("errorMessage", ""))
            named = re.search(rf"^(?:[\w.]+\.)?(\w+)(?:: {said})?\s*\Z", result.get("log", ""), re.MULTILINE)
            body["errorType"] = named[1] if named else "Runtime.HandlerError"
        return result

    lambda_svc._execute_function_warm = execute


def the_state_machine_runs_jobs() -> None:
    """`glue:startJobRun.sync`, which ministack's Step Functions hasn't got: start, wait, and hand on the job run."""

    def invoke(resource: str, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["JobName"]
        most = (glue._jobs.get(name) or {}).get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
        running = [run for run in glue._job_runs.get(name, []) if run["JobRunState"] not in ENDED]
        if len(running) >= most:
            raise stepfunctions._ExecutionError(
                "Glue.ConcurrentRunsExceededException", f"{name}: {most} run(s) at once"
            )
        status, _, body = glue._start_job_run(asked)
        found = json.loads(body)
        if status >= 400:
            raise stepfunctions._ExecutionError(f"Glue.{found['__type']}", found.get("message", ""))
        run = next(run for run in glue._job_runs[name] if run["Id"] == found["JobRunId"])
        while run["JobRunState"] not in ENDED or run["CompletedOn"] is None:
            time.sleep(0.1)
        if run["JobRunState"] != "SUCCEEDED":
            raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(run))
        return {**run, "JobName": name}

    stepfunctions._SERVICE_DISPATCH["arn:aws:states:::glue:startJobRun"] = invoke


def jobs_run_spark() -> None:
    """Without docker ministack calls every Spark job SUCCEEDED unseen; here its script runs, as the job's role."""
    image = SimpleNamespace(get=lambda name: name)
    glue._get_docker = lambda: SimpleNamespace(images=image)
    glue._execute_spark_docker = _run_spark


def _run_spark(run: dict[str, Any], job: dict[str, Any], name: str, given: dict[str, str], *_: Any) -> None:
    function = f"arn:aws:lambda:{os.environ['AWS_REGION']}:{os.environ['MINISTACK_ACCOUNT_ID']}:function:{name}"
    role = lambda_runtime.execution_credentials({"FunctionName": name, "FunctionArn": function, "Role": job["Role"]})
    with tempfile.TemporaryDirectory(prefix="glue-") as folder:
        try:
            script = _download(job["Command"]["ScriptLocation"], role, Path(folder))
            library = _download(given["--extra-py-files"], role, Path(folder))
            words = [word for pair in given.items() for word in pair]
            command = [os.environ["E2E_PYTHON"], "-P", str(script), *words]
            done = subprocess.run(
                command, cwd=folder, env=_environment(role, library), capture_output=True, text=True, check=False
            )
            code, said = done.returncode, done.stderr
        except Exception as error:  # whatever it is, the job run has failed, and must not hang
            code, said = 1, f"{type(error).__name__}: {error}"
    run["JobRunState"] = "SUCCEEDED" if code == 0 else "FAILED"
    run["ErrorMessage"] = "" if code == 0 else _raised(said)
    sys.stderr.write(said)


def _raised(said: str) -> str:
    """What the script's last traceback ends with, which is what Glue gives as a job run's message."""
    trace = said[max(0, said.rfind("Traceback (most recent call last)")) :]
    found = re.search(r"^[\w.]+(?:Error|Exception)\b.*", trace, re.MULTILINE | re.DOTALL)
    return (found[0] if found else trace.strip())[:1500]


def _environment(role: dict[str, str], library: Path) -> dict[str, str]:
    endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    settings = {**SPARK, "spark.hadoop.fs.s3a.endpoint": endpoint}
    words = ["--master local[2]", f"--driver-class-path {os.environ['E2E_JARS']}"]
    words += [f"--conf '{key}={value}'" for key, value in settings.items()]
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR", "JAVA_HOME", "AWS_REGION") if key in os.environ}
    spark = {"PYSPARK_SUBMIT_ARGS": " ".join([*words, "pyspark-shell"]), "SPARK_LOCAL_IP": "127.0.0.1"}
    return {**kept, **role, **spark, "PYTHONPATH": str(library), "PYTHONDONTWRITEBYTECODE": "1"}


def _download(location: str, role: dict[str, str], folder: Path) -> Path:
    """An object of the deployment, read as the role reads it, under a name that Python can import from."""
    from botocore.session import Session

    session = Session()
    session.set_credentials(role["AWS_ACCESS_KEY_ID"], role["AWS_SECRET_ACCESS_KEY"], role["AWS_SESSION_TOKEN"])
    endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    client = session.create_client("s3", region_name=os.environ["AWS_REGION"], endpoint_url=endpoint)
    bucket, _, key = location.removeprefix("s3://").partition("/")
    target = folder / Path(key).name
    target.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    return target


def _end_with_the_tests() -> None:
    """However the tests end, their end of the pipe is closed; functions and JVMs are of this process's group."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    from ministack.app import main

    _end_with_the_tests()
    errors_keep_their_class()
    the_state_machine_runs_jobs()
    jobs_run_spark()
    main()
