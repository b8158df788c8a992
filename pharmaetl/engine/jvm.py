"""JVM Spark: its settings by the size of the source, its start, and its end where a class archive is to be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pharmaetl import secret
from pharmaetl.engine import class_archive, java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMALL_SOURCE_BYTES = 8 * 1024**2
"""Of the source file as served, mostly zipped: about eight times as much text, 300,000 rows of NSDE (decision 13)."""
BYTES_A_PARTITION = 16 * 1024**2
"""Of the source as served, for each partition of a shuffle: about 150 MB of text, which a task sorts in memory."""
CLUSTER_PARTITIONS = 200
"""At least, for a source that isn't small on a cluster of unknown size: Spark's own default."""
LOCAL = "local[*]"
_DRIVER_OPTIONS = "spark.driver.extraJavaOptions"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ARENAS = ("MALLOC_ARENA_MAX", "2")
"""For the JVM that pyspark starts: glibc keeps what was freed for each of many threads, 1.2 GB at 3,000,000 rows."""


def start(master: str | None, scratch: Path, source_bytes: int, *, several: bool) -> SparkSession:
    """A session on this machine, or on a cluster; EngineUnavailableError where there is no Java.

    `several`: more than one run will use it, so that its JVM lives long enough for the optimising compiler to pay.
    """
    home = java.home_of(java.need_java())
    os.environ["JAVA_HOME"] = str(home)
    from pyspark.errors import PySparkRuntimeError

    archive = class_archive.options(home, _spark_home() / "jars") if is_local(master) else ()
    settings = _settings(master, scratch, source_bytes, several=several)
    os.environ.setdefault(*_ARENAS)
    try:
        return _session(master or LOCAL, settings, archive)
    except PySparkRuntimeError:  # the JVM ended before it was up
        if not class_archive.drop(archive):
            raise
    return _session(master or LOCAL, settings, ())


def _session(master: str, settings: dict[str, str], archive: tuple[str, ...]) -> SparkSession:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("pharmaetl").master(master)
    for key, value in settings.items():
        builder = builder.config(key, value)
    builder = builder.config(_DRIVER_OPTIONS, " ".join((settings[_DRIVER_OPTIONS], *archive)))
    with secret.hidden_from_children():
        return builder.getOrCreate()


def is_local(master: str | None) -> bool:
    """Does the JVM that this process starts do the work itself?"""
    return (master or LOCAL).partition("[")[0] == "local"


def settings_by_size(master: str | None, source_bytes: int) -> dict[str, str]:
    """What a session takes for one source, and can change for the next one.

    A small source is done before compiling its queries pays off. Adaptive execution, which is on, joins small
    partitions after a shuffle; it can't divide those that don't fit into memory.
    """
    small = source_bytes < SMALL_SOURCE_BYTES
    least = 2 * (os.cpu_count() or 1) if small or is_local(master) else CLUSTER_PARTITIONS
    return {
        "spark.sql.codegen.wholeStage": "false" if small else "true",
        "spark.sql.shuffle.partitions": str(max(least, source_bytes // BYTES_A_PARTITION)),
    }


def _settings(master: str | None, scratch: Path, source_bytes: int, *, several: bool) -> dict[str, str]:
    quiet = Path(__file__).parents[1] / "log4j2.properties"
    found = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        **settings_by_size(master, source_bytes),
        **_s3a_settings(),
    }
    options = [f"-Dlog4j2.configurationFile={quiet.as_uri()}"]
    if _meets_workers_on_loopback(master):
        found |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if is_local(master):
        options += _compiler_and_collector(source_bytes, several=several)
        found |= {"spark.driver.memory": "2g", "spark.local.dir": str(scratch / "spark")}
    return found | {_DRIVER_OPTIONS: " ".join(options)}


def _meets_workers_on_loopback(master: str | None) -> bool:
    """Elsewhere Spark finds the address by which workers reach this machine, or SPARK_LOCAL_IP names it."""
    return master is None or not master.startswith("spark://") or urlsplit(master).hostname in _LOOPBACK


def _compiler_and_collector(source_bytes: int, *, several: bool) -> list[str]:
    """A small source is done before the JVM's optimising compiler, or a second thread that collects garbage, pays."""
    if source_bytes < SMALL_SOURCE_BYTES and not several:
        return ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return ["-XX:+UseParallelGC"]


def _spark_home() -> Path:
    """The Spark that pyspark starts: SPARK_HOME's, or the one in its own package."""
    import pyspark

    return Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)


def _s3a_settings() -> dict[str, str]:
    """Where a Spark cluster finds S3, if that isn't AWS; keys come from the environment of the cluster or this one."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return {}
    return {
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": str(endpoint.startswith("https:")).lower(),
    }
