"""A running engine, and one engine for several runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from pharmaetl.catalog import Dataset
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
_CAUSE, _CALLS = "Caused by: ", ("at ", "Driver stacktrace:")
"""How Java's stack traces tell of the exception behind another one, the last of which began it; and of calls."""
_MODULES = ("pyspark", "py4j", "grpc", "duckdb", "_duckdb", "pyarrow")
"""Where engines' exceptions come from."""
_INTERRUPTED = "Query interrupted"
"""What DuckDB makes of the KeyboardInterrupt that a signal has raised inside a query."""
_UNAVAILABLE, _DYING_SECONDS = "StatusCode.UNAVAILABLE", 5.0
"""How gRPC says that Sail can't be reached, and how long its process may take to be gone then."""
_NO_ROOM = "Failed to allocate additional"
"""How Sail says that its pool is full of what it can't write to disk."""
_SPILLS = (
    "--engine spark spills more to disk, where Java is installed; --master and --target aws run it on more machines"
)
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
        self._starting = Lock()

    @property
    def session(self) -> SparkSession:
        """The session; the first use starts the engine, and takes a second or so."""
        from pharmaetl.spark import dialect

        session = self._once_started()
        dialect.speak(session)
        return session

    def _once_started(self) -> SparkSession:
        with self._starting:
            if self._session is None:
                self._session = self._started()
            return self._session

    def _started(self) -> SparkSession:
        if self.choice.name == "duckdb":
            from pharmaetl.engine.duck.session import Session

            return cast("SparkSession", Session.start(self._scratch))
        from pharmaetl.spark import session

        return session.configure(self._sail() if self.choice.name == "sail" else self._jvm())

    @property
    def works_ahead(self) -> bool:
        """Is it in this process, so that bronze which this process makes is as good as its own?"""
        return self.choice.name == "duckdb"

    def start_early(self) -> None:
        """Start what runs beside this process, so that it is up when the first job needs it; in any thread."""
        if self.choice.name == "sail" and self._server is None:
            self._server = sail.start()
        if self.choice.name == "duckdb":
            self._once_started()

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
            if self.choice.name == "duckdb" and str(error) == _INTERRUPTED:
                raise KeyboardInterrupt from error
            if not type(error).__module__.startswith(_MODULES):
                raise
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> PharmaetlError:
        text = str(error)
        if "No space left on device" in text or "os error 28" in text:
            return LocalIOError(
                "the disk is full: the engine could not write",
                hint="free some space, then run again: nothing was published",
            )
        if self._server is not None and sail.has_ended(self._server, _DYING_SECONDS if _UNAVAILABLE in text else 0):
            status = self._server.returncode
            cause = f"killed by signal {-status}, most likely out of memory" if status < 0 else f"exit status {status}"
            return EngineError(
                f"the embedded engine died ({cause})",
                hint=_SPILLS,
            )
        if type(error).__name__ == "OutOfMemoryException":
            reason = text.splitlines()[0].removeprefix("Out of Memory Error: ")
            return EngineError(
                f"engine duckdb is out of memory: {reason[:200]}",
                hint="free space for its temporary files (TMPDIR), or use --engine sail or spark",
            )
        first = _said(text) or type(error).__name__
        hint = "run again with -v for the whole message"
        if _NO_ROOM in text:
            hint = f"the smaller side of a join must fit into {sail.MEMORY_BYTES >> 20} MiB; {_SPILLS}"
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
            version = context._jvm.org.apache.hadoop.util.VersionInfo.getVersion()  # noqa: SLF001  (no public way)
            raise EngineUnavailableError(
                "this Spark has no s3a file system, so the cluster can't reach a lake on S3",
                hint=f"set SPARK_HOME to a distribution with hadoop-aws {version}, or export "
                f"PYSPARK_SUBMIT_ARGS='--packages org.apache.hadoop:hadoop-aws:{version} pyspark-shell'",
            )

    def close(self) -> None:
        """Stop the session and the engine's process. A JVM ends with this process, and then writes its archive."""
        if self._session is not None:
            self._session.stop()
            if self._server is not None:
                sail.let_go(self._session)
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
        session = SparkSession.builder.remote(f"sc://{address}").create()
        sail.suit(session)
        return session

    def _jvm(self) -> SparkSession:
        return jvm.start(self.choice.master, self._scratch, self._source_bytes, several=self._several)


def _said(text: str) -> str | None:
    """The line of an engine's message that says what happened; of a Java stack trace, the cause of all the others."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if text.startswith(_PY4J):
        causes = [line.removeprefix(_CAUSE) for line in lines if line.startswith(_CAUSE)]
        lines = causes[-1:] or [line for line in lines if not line.startswith((*_PY4J, *_CALLS))]
    return next((line.removeprefix(": ") for line in lines), None)


class Shared:
    """Engines for several runs: started by the first that needs one, replaced where it died, stopped at the end."""

    def __init__(self, *, several: bool = False) -> None:
        self._engines: dict[str, Engine] = {}
        self._choices: dict[tuple[str, str | None, str], Choice] = {}
        self._last: str | None = None
        self._several = several
        self._scratch = tempfile.TemporaryDirectory(prefix="pharmaetl-engine-")

    def get(self, asked: EngineName, master: str | None, source_bytes: int, dataset: Dataset | None = None) -> Engine:
        """The engine for a dataset; EngineUnavailableError where the one asked for can't start here."""
        asking = (asked, master, dataset.name if dataset is not None else "")
        choice = self._choices.get(asking) or choose(asked, master, dataset)
        self._choices[asking], self._last = choice, choice.name
        known = self._engines.get(choice.name)
        if known is not None and known.is_dead:
            known.close()
            known = None
        if known is None:
            known = Engine(choice, Path(self._scratch.name), source_bytes, several=self._several)
            self._engines[choice.name] = known
        known.suit(source_bytes)
        return known

    @property
    def name(self) -> str | None:
        """The name of the engine that was asked for last, once one was needed."""
        return self._last

    def close(self) -> None:
        """Stop the engines that were started."""
        for engine in self._engines.values():
            engine.close()
        self._scratch.cleanup()
