"""Fixtures of S3 servers. A test module asks for them by `pytest_plugins = ["s3_fixtures"]`.

Without SeaweedFS its tests are skipped, and the end of the test report says so.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from s3_servers import S3Server, moto_server, seaweedfs, skipped


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def seaweed_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("seaweedfs") / "data"
    folder.mkdir()
    with seaweedfs(folder) as server:
        yield server


@pytest.fixture(params=["moto", "seaweedfs"])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each server in turn."""
    server: S3Server = request.getfixturevalue("moto_s3" if request.param == "moto" else "seaweed_s3")
    return server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what in sorted(set(skipped)):
        terminalreporter.write_sep("!", f"{what} is missing: tests against a real S3 server were SKIPPED", yellow=True)
