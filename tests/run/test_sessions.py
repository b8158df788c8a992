"""Sessions of the embedded engine in a process that lives on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql.connect.client.reattach import ExecutePlanResponseReattachableIterator

from pharmaetl.engine import Engine
from pharmaetl.engine.choice import Choice

pytestmark = pytest.mark.engine


@pytest.fixture
def engine(tmp_path: Path, engine_name: str) -> Iterator[Engine]:
    if engine_name != "sail":
        pytest.skip("about Spark Connect's sessions")
    engine = Engine(Choice("sail", "asked for"), tmp_path)
    yield engine
    engine.close()


def test_a_stopped_session_that_is_collected_waits_for_nothing(engine: Engine) -> None:
    session = engine.session
    engine.close()
    # what a new session holds while its threads start, one of which may be the one that collects the old session
    with ExecutePlanResponseReattachableIterator._lock:
        collecting = threading.Thread(target=session.__del__, daemon=True)
        collecting.start()
        collecting.join(10)
        assert not collecting.is_alive()
