"""One session of the engine under test, for all engine tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from pharmaetl import engine


@pytest.fixture(scope="session")
def spark(engine_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    choice = engine.choose("spark" if engine_name == "spark" else "sail")
    with engine.Engine(choice, tmp_path_factory.mktemp("engine")) as running:
        yield running.session
