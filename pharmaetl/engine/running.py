"""A running engine, and one engine for several runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl.engine import jvm, sail
from pharmaetl.engine.choice import Choice, choose
from pharmaetl.errors import EngineError, EngineUnavailableError, LocalIOError, PharmaetlError
from pharmaetl.run_options import EngineName

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_NO_PROXY = "no_grpc_proxy"
"""Hosts that gRPC speaks to directly: else it sends even what stays here through http_proxy, and waits for ever."""
_S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"
_PY4J = ("An error occurred while calling ", ": org.apache.spark.SparkException: Job aborted")
"""First lines that say nothing of what happened."""
_NOT_THERE = ("FileNotFoundException", "PATH_NOT_FOUND", "does not exist")


class Engine:
    """A running engine and its session."""

    def __init__(self, choice: Choice, scratch: Path, source_bytes: int = 0, *, several: bool = False) -> None:
        self.choice = choice
        self._source_bytes = source_bytes
        self._several = several
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
            self._server = sail.start()

    def suit(self, source_bytes: int) -> None:
        """Take the settings that suit a source of this size, as far as a session that is up can still change them."""
        if source_bytes == self._source_bytes:
            return
        self._source_bytes = source_bytes
        if self._session is not None and self.choice.name == "spark":
            for key, value in jvm.settings_by_size(self.choice.master, source_bytes).items():
                self._session.conf.set(key, value)

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
                hint="--engine spark spills more to disk, where Java is installed; --master and --target aws run it"
                " on more machines",
            )
        said = (line.strip() for line in text.splitlines() if line.strip())
        first = next((line for line in said if not line.startswith(_PY4J)), type(error).__name__)
        hint = "run again with -v for the whole message"
        if not jvm.is_local(self.choice.master) and any(words in text for words in _NOT_THERE):
            hint = "every worker must see the lake under the same path, on a file system that they share, or on S3"
        return EngineError(f"engine {self.choice.name}: {first[:300]}", hint=hint)

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
        """Stop the session and the engine's process. A JVM ends with this process, and then writes its archive."""
        if self._session is not None:
            self._session.stop()
            self._session = None
        if self._server is not None:
            sail.end(self._server)
            self._server = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sail(self) -> SparkSession:
        self.start_early()
        if self._server is None:
            raise EngineUnavailableError("the embedded engine has no process")
        address = sail.address_of(self._server)
        from pyspark.sql import SparkSession

        os.environ[_NO_PROXY] = address.rpartition(":")[0]
        return SparkSession.builder.remote(f"sc://{address}").create()

    def _jvm(self) -> SparkSession:
        return jvm.start(self.choice.master, self._scratch, self._source_bytes, several=self._several)


class Shared:
    """One engine for several runs: started by the first that needs it, replaced where it died, stopped at the end."""

    def __init__(self, *, several: bool = False) -> None:
        self._engine: Engine | None = None
        self._several = several
        self._scratch = tempfile.TemporaryDirectory(prefix="pharmaetl-engine-")

    def get(self, asked: EngineName, master: str | None, source_bytes: int) -> Engine:
        """The engine; EngineUnavailableError where the one asked for can't start here."""
        if self._engine is not None and self._engine.is_dead:
            self._engine.close()
            self._engine = None
        if self._engine is None:
            choice = choose(asked, master)
            self._engine = Engine(choice, Path(self._scratch.name), source_bytes, several=self._several)
        self._engine.suit(source_bytes)
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
