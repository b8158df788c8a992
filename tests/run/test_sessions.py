"""Sessions of the embedded engine in a process that lives on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql.connect.client.reattach import ExecutePlanResponseReattachableIterator

from pharmaetl.engine import Engine
from pharmaetl.engine.choice import Choice
from pharmaetl.errors import EngineError

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


def test_an_engine_that_dies_in_a_query_is_told_of_at_once(engine: Engine) -> None:
    session, server = engine.session, engine._server
    assert server is not None
    killing = threading.Timer(1, os.kill, (server.pid, signal.SIGKILL))
    endless = session.sql("SELECT sum(a.id * b.id) FROM range(10000000) a CROSS JOIN range(10000000) b")
    begun = time.monotonic()
    killing.start()
    with pytest.raises(EngineError) as raised, engine.speaking():
        endless.collect()
    killing.join()
    assert raised.value.reason == "the embedded engine died (killed by signal 9, most likely out of memory)"
    # Spark Connect would ask for ten minutes
    assert time.monotonic() - begun < 20
    assert engine.is_dead


def test_an_engine_that_has_died_is_told_of_whatever_it_is_asked_next(engine: Engine) -> None:
    session, server = engine.session, engine._server
    assert server is not None
    server.kill()
    server.wait()
    begun = time.monotonic()
    with pytest.raises(EngineError, match="the embedded engine died"), engine.speaking():
        session.conf.set("spark.sql.session.timeZone", "UTC")
    with pytest.raises(EngineError, match="the embedded engine died"), engine.speaking():
        _ = session.range(1).schema
    assert time.monotonic() - begun < 20
