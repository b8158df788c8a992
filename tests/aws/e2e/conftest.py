"""One emulator with the deployed stacks for all tests here, and the first runs of both datasets in it.

Where a tool can't be had, the tests are skipped, and the end of the test report says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import runs
import tooling
from deployed import Cloud, Ended, deploy
from emulator import Emulator, running
from runs import First, Refused, Unchanged
from tooling import MissingError, Tools

MISSING: list[str] = []


@pytest.fixture(scope="session")
def tools() -> Tools:
    try:
        return tooling.find()
    except MissingError as error:
        MISSING.append(str(error))
        pytest.skip(f"NOT TESTED: the full path on AWS. {error}")


@pytest.fixture(scope="session")
def emulator(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running(tools, tmp_path_factory.mktemp("ministack")) as started:
        yield started


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL at which its files are served."""
    folder = tmp_path_factory.mktemp("site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def cloud(emulator: Emulator, tools: Tools, site: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return deploy(emulator, tools, tmp_path_factory.mktemp("deployment"), site[1])


@pytest.fixture(scope="session")
def first(cloud: Cloud, site: tuple[Path, str]) -> First:
    """Two executions of one dataset at the same time, and one of another from the command line."""
    return runs.first(cloud, *site)


@pytest.fixture(scope="session")
def unchanged(cloud: Cloud, first: First) -> Unchanged:
    """The same source again, from the command line."""
    return runs.unchanged(cloud)


@pytest.fixture(scope="session")
def forced(cloud: Cloud, unchanged: Unchanged) -> Ended:
    """The same source again, forced, by the function that triggers."""
    return runs.forced(cloud)


@pytest.fixture(scope="session")
def changed(cloud: Cloud, forced: Ended, site: tuple[Path, str]) -> Ended:
    """Another release: a real one, where there is one."""
    return runs.changed(cloud, *site)


@pytest.fixture(scope="session")
def refused(cloud: Cloud, changed: Ended, site: tuple[Path, str]) -> Refused:
    """A release that lost nearly all of its rows, from the command line."""
    return runs.refused(cloud, site[0])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *said: Any) -> None:
        """Requests are of no interest."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what in sorted(set(MISSING)):
        terminalreporter.write_sep("!", f"{what}: the full path on AWS was SKIPPED", yellow=True)
