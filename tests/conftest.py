"""What every test may use: the choice of engine, and the folder with real release files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pharmaetl.run_options import EngineName

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    names = ["duckdb", "sail", "spark"]
    parser.addoption("--engine", choices=names, default="sail", help="the engine that engine tests run on")


@pytest.fixture(scope="session")
def engine_name(request: pytest.FixtureRequest) -> EngineName:
    name: EngineName = request.config.getoption("--engine")
    return name


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with release files; tests that need it are skipped where there is none."""
    folder = Path(os.environ.get("PHARMAETL_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no release files: set PHARMAETL_SHARED_DATA, or put them in ../shared/data")
    return folder
