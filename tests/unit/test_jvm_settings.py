"""What JVM Spark is started with, by where it runs and how large the source is; no JVM is started here."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from pharmaetl.engine import Choice, Engine, Shared, class_archive, jvm

MB = 1024**2
LARGE = 1000 * MB
CLUSTER = "spark://10.0.0.1:7077"


class Started:
    """Notes what a session would be started with, in place of starting it."""

    def __init__(self) -> None:
        self.settings: list[dict[str, str]] = []
        self.changed: dict[str, str] = {}
        self.broken_archive = False
        self.conf = self

    def set(self, key: str, value: str) -> None:
        """A setting of the running session."""
        self.changed[key] = value

    def stop(self) -> None:
        """The end of the session."""

    def session_of(self, builder: Any) -> Started:
        """In place of the builder's own."""
        self.settings.append(dict(builder._options))
        if self.broken_archive and "SharedArchiveFile" in self.options:
            raise PySparkRuntimeError(error_class="JAVA_GATEWAY_EXITED", message_parameters={})
        return self

    @property
    def options(self) -> str:
        """Of the driver's JVM."""
        return self.settings[-1]["spark.driver.extraJavaOptions"]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.touch(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    found = Started()
    monkeypatch.setattr(SparkSession.Builder, "getOrCreate", lambda builder: found.session_of(builder))  # noqa: PLW0108  (a function becomes a method)
    return found


def start(
    started: Started, folder: Path, source_bytes: int, *, master: str | None = None, several: bool = False
) -> dict[str, str]:
    assert jvm.start(master, folder, source_bytes, several=several) is started
    return started.settings[-1]


def test_a_small_source_is_spared_compilers_and_a_large_one_is_not(started: Started, tmp_path: Path) -> None:
    small = start(started, tmp_path, MB)
    assert (small["spark.sql.codegen.wholeStage"], small["spark.sql.shuffle.partitions"]) == ("false", "8")
    assert "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" in started.options
    large = start(started, tmp_path, LARGE)
    assert (large["spark.sql.codegen.wholeStage"], large["spark.sql.shuffle.partitions"]) == ("true", "62")
    assert "-XX:+UseParallelGC" in started.options
    assert "Tiered" not in started.options


def test_a_jvm_for_several_runs_compiles_whatever_the_first_one_reads(started: Started, tmp_path: Path) -> None:
    start(started, tmp_path, MB, several=True)
    assert "Tiered" not in started.options


def test_workers_elsewhere_are_not_told_that_the_driver_is_on_loopback(started: Started, tmp_path: Path) -> None:
    elsewhere = start(started, tmp_path, LARGE, master=CLUSTER)
    assert "spark.driver.host" not in elsewhere
    assert "spark.driver.memory" not in elsewhere
    assert elsewhere["spark.sql.shuffle.partitions"] == "200"
    for master in ("spark://127.0.0.1:7077", "local[2]", None):
        assert start(started, tmp_path, MB, master=master)["spark.driver.host"] == "127.0.0.1"


def test_a_session_that_is_up_takes_what_suits_the_next_source(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(Choice("spark", "asked for"), tmp_path, MB, several=True)
    assert engine.session is not None
    started.changed.clear()
    engine.suit(MB)
    assert started.changed == {}
    engine.suit(LARGE)
    assert started.changed == {"spark.sql.codegen.wholeStage": "true", "spark.sql.shuffle.partitions": "62"}


def test_one_engine_is_shared_by_runs_of_different_sizes(started: Started) -> None:
    with closing(Shared(several=True)) as shared:
        first = shared.get("spark", None, MB)
        assert first.session is not None
        assert shared.get("spark", None, LARGE) is first
    assert started.changed["spark.sql.codegen.wholeStage"] == "true"
    assert len(started.settings) == 1


def test_a_jvm_that_does_not_start_with_the_archive_starts_without_it(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "classes-1.jsa"
    archive.write_bytes(b"x")
    monkeypatch.setattr(class_archive, "options", lambda home, jars: (f"-XX:SharedArchiveFile={archive}",))
    started.broken_archive = True

    start(started, tmp_path, MB)

    assert ["SharedArchiveFile" in each["spark.driver.extraJavaOptions"] for each in started.settings] == [True, False]
    assert not archive.exists()


def test_a_cluster_s_driver_has_no_archive(started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_archive, "options", lambda home, jars: ("-XX:SharedArchiveFile=x",))
    start(started, tmp_path, MB, master=CLUSTER)
    assert "SharedArchiveFile" not in started.options


def test_the_jvm_s_allocator_has_few_arenas_unless_told_otherwise(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    start(started, tmp_path, MB)
    assert os.environ["MALLOC_ARENA_MAX"] == "2"
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    start(started, tmp_path, MB)
    assert os.environ["MALLOC_ARENA_MAX"] == "8"
