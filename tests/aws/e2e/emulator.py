"""ministack as a process of its own, and what a program needs to take it for AWS."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tooling import Tools

ACCOUNT, REGION = "123456789012", "us-east-1"
WAITS = "0.1"
"""What is left of the waits between two tries of a state: thirty tries still outlast a job on a busy machine."""
_LAUNCHER = Path(__file__).with_name("launcher.py")
_START_SECONDS = 60


@dataclass(frozen=True)
class Emulator:
    """A running ministack; `home` is the folder that it and what it starts write to."""

    endpoint: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables for programs of ours, as the account's root; of AWS and of pharmaetl nothing else is left."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PHARMAETL_"))}
        return {**kept, **self.aws()}

    def aws(self, **credentials: str) -> dict[str, str]:
        """The variables of AWS alone, with root's credentials or others."""
        usual = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "root-of-tests"}
        return {
            **(credentials or usual),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """A client with root's permissions."""
        import boto3
        from botocore.config import Config

        factory: Any = boto3.client  # boto3's own types want the service's name literal

        settings = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}, read_timeout=120)
        return factory(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="root-of-tests",
            config=settings,
        )

    @property
    def log(self) -> str:
        """What it and the jobs have said so far."""
        return (self.home / "ministack.log").read_text(errors="replace")


@contextmanager
def running(tools: Tools, home: Path) -> Iterator[Emulator]:
    """Start it on a free port; at the end, whatever happened, it and all that it started are gone."""
    port = _free_port()
    temporary = home / "tmp"
    temporary.mkdir()
    with (home / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [str(tools.ministack), str(_LAUNCHER)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(tools, home, port),
            cwd=home,
            start_new_session=True,
        )
    try:
        emulator = Emulator(f"http://127.0.0.1:{port}", home)
        _wait_for(process, emulator)
        yield emulator
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _environment(tools: Tools, home: Path, port: int) -> dict[str, str]:
    settings = {
        "AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT, "SFN_WAIT_SCALE": WAITS, "LOG_LEVEL": "WARNING",
        "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "root-of-tests", "AWS_REGION": REGION,
    }  # fmt: skip
    found = {"E2E_PYTHON": sys.executable, "E2E_JARS": ":".join(map(str, tools.jars))}
    path = os.pathsep.join([str(tools.java.parent), os.environ["PATH"]])
    java = {"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}
    return {**settings, **found, **java, "PATH": path, "HOME": str(home), "TMPDIR": str(home / "tmp")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], emulator: Emulator) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"ministack ended with {process.returncode}: {emulator.log[-2000:]}")
        try:
            with urllib.request.urlopen(f"{emulator.endpoint}/_ministack/health", timeout=2) as answer:
                json.load(answer)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"ministack did not start: {emulator.log[-2000:]}")
