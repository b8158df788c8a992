"""Where the runner and its engine hand files to each other.

An engine on this machine reads and writes this machine's folders, whatever the lake is on: every byte is checked before
it is in the lake, and read back without a request. A Spark cluster sees none of these folders: with a lake on S3, it
reads and writes `.work/` there by itself, and what it wrote is copied to its place inside S3.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pharmaetl.lake import layout
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.storage import CopyingStorage, Storage
from pharmaetl.local.footers import rows_in
from pharmaetl.local.state import Run

_THIS_MACHINE = re.compile(r"local(\[.*\])?")
_KEPT = "kept"


class Exchange(Protocol):
    """What the engine's steps need; `name` is a folder of the run's own, such as bronze/nsde."""

    def given(self, path: Path) -> str:
        """What the engine reads for a file of the runner's that it gets once."""
        ...

    def target(self, name: str) -> str:
        """Where the engine writes."""
        ...

    def rows(self, name: str) -> int:
        """Rows of what the engine has written there, by the footers of the Parquet files."""
        ...

    def take_in(self, name: str, folder: str) -> None:
        """Make that a folder of the lake, as part-00000.parquet and on, whatever the engine called its files."""
        ...

    def readable(self, folder: str) -> str:
        """What the engine reads for a folder of the lake that was taken in."""
        ...

    def clear(self) -> None:
        """Remove what the run is done with."""
        ...


def exchange_of(run: Run) -> Exchange:
    """The run's way; EngineUnavailableError where a cluster is asked for whose Spark can't reach S3."""
    if run.options.master is not None and _is_elsewhere(run.options.master) and isinstance(run.storage, CopyingStorage):
        run.engine.need_s3a()
        return InLake(run, run.storage)
    return Here(run.storage, run.work)


def _is_elsewhere(master: str) -> bool:
    return _THIS_MACHINE.fullmatch(master) is None


@dataclass(frozen=True)
class Here:
    """By folders of this machine, inside a local lake where there is one."""

    storage: Storage
    work: Path

    def given(self, path: Path) -> str:
        """The path itself."""
        return str(path)

    def target(self, name: str) -> str:
        """A folder of the workspace."""
        folder = self.work / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def rows(self, name: str) -> int:
        """By the footers of the files."""
        return sum(rows_in(file) for file in (self.work / name).glob("*.parquet"))

    def take_in(self, name: str, folder: str) -> None:
        """Moved into a lake on this machine, uploaded to another one and kept here."""
        for number, file in enumerate(sorted((self.work / name).glob("*.parquet"))):
            path = f"{folder}/part-{number:05d}.parquet"
            if not isinstance(self.storage, LocalStorage):
                kept = self.work / _KEPT / path
                kept.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, kept)
            self.storage.put(path, file)

    def readable(self, folder: str) -> str:
        """The folder in the lake, or what was kept of it."""
        # the workspace of a local lake is in it, under a name that engines take for a plain path
        return str(self.work.parents[1] if isinstance(self.storage, LocalStorage) else self.work / _KEPT) + f"/{folder}"

    def clear(self) -> None:
        """Nothing: the workspace goes as a whole."""


@dataclass(frozen=True)
class InLake:
    """By a folder in the lake's `.work/`, which the engine reads and writes as s3a://."""

    run: Run
    storage: CopyingStorage

    def given(self, path: Path) -> str:
        """Uploaded."""
        name = f"{self._below}/given/{path.parent.name}/{path.name}"
        self.storage.put(name, path)
        return self.readable(name)

    def target(self, name: str) -> str:
        """A new folder of the lake."""
        return self.readable(f"{self._below}/{name}")

    def rows(self, name: str) -> int:
        """By the engine, which reads the footers where they are."""
        with self.run.engine.speaking():
            return int(self.run.engine.session.read.parquet(self.target(name)).count())

    def take_in(self, name: str, folder: str) -> None:
        """Copied inside S3."""
        written = (file.path for file in self.storage.list(f"{self._below}/{name}"))
        for number, path in enumerate(sorted(path for path in written if path.endswith(".parquet"))):
            self.storage.copy(path, f"{folder}/part-{number:05d}.parquet")

    def readable(self, folder: str) -> str:
        """Spark's own spelling of an S3 URL."""
        return "s3a" + self.storage.url(folder).removeprefix("s3")

    def clear(self) -> None:
        """All of the folder; what a dead run leaves, `prune` removes."""
        for file in list(self.storage.list(self._below)):
            self.storage.delete(file.path)

    @property
    def _below(self) -> str:
        """Another folder for each try of a run: a resumed one writes everything anew."""
        return f"{layout.WORK}/{self.run.run_id}/{self.run.work.name}"
