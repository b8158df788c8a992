"""Is this machine set up? Each finding says what was found and how to mend it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pharmaetl import engine
from pharmaetl.catalog import Catalog
from pharmaetl.config import configfile
from pharmaetl.download import source
from pharmaetl.download.transfer import Limits
from pharmaetl.errors import PharmaetlError
from pharmaetl.lake.layout import WORK
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.storage import Storage

NEEDED_BYTES = 5 * 1024**3
"""Free space that a run of the largest known source needs: the file, its text, three layers."""


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    name: str
    outcome: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


class Place(Protocol):
    """A lake and a catalog, opened when first needed: what `pharmaetl.place` makes."""

    @property
    def lake(self) -> str:
        """Path or URL of the lake."""
        ...

    @property
    def storage(self) -> Storage:
        """The lake, opened."""
        ...

    @property
    def catalog(self) -> Catalog:
        """The dataset folders."""
        ...


def doctor(place: Place) -> tuple[Diagnosis, ...]:
    """Look at Python, engines, Java, disk, lake, datasets, sources. Writes a probe file to the lake and removes it."""
    return (_python(), *_engines(), lake(place), _disk(place), *_datasets(place))


def _python() -> Diagnosis:
    return Diagnosis("python", "ok", f"Python {platform.python_version()} at {sys.executable}")


def _engines() -> Iterator[Diagnosis]:
    if engine.has_duckdb():
        yield Diagnosis("engine duckdb", "ok", f"duckdb {importlib.metadata.version('duckdb')}")
    else:
        yield Diagnosis("engine duckdb", "warn", "duckdb is not installed", "pip install 'duckdb<2'")
    if engine.has_sail():
        yield Diagnosis(
            "engine sail",
            "ok",
            f"pysail {importlib.metadata.version('pysail')}, pyspark {importlib.metadata.version('pyspark')}",
        )
    else:
        yield Diagnosis("engine sail", "warn", "pysail is not installed", "pip install pysail")
    java = engine.find_java()
    if java is None:
        fix = "pip install 'pharmaetl[java]', or install Java 17; only --engine spark needs it"
        yield Diagnosis("engine spark", "ok" if engine.has_sail() else "fail", "no Java found", fix)
    else:
        yield Diagnosis("engine spark", "ok", f"Java at {java}")


def lake(place: Place) -> Diagnosis:
    """Can the lake be written, and is a file created just once, whoever else tries?"""
    probe = f"{WORK}/doctor-{uuid.uuid4().hex}"
    try:
        storage = place.storage
        with _no_folder_left(storage):
            storage.create(probe, b"")
            second = storage.create(probe, b"")
            storage.delete(probe)
    except PharmaetlError as error:
        return Diagnosis("lake", "fail", error.reason, error.hint or "choose another lake with --lake")
    if second:
        fix = "use AWS S3, or a server that honours If-None-Match" if "://" in storage.root else "use another disk"
        return Diagnosis("lake", "fail", f"{storage.root} lets two writers create the same file", fix)
    return Diagnosis("lake", "ok", f"{storage.root} is writable, and a file is created just once")


@contextmanager
def _no_folder_left(storage: Storage) -> Iterator[None]:
    """Take away the folders of a local lake that weren't there before, as far as they are empty."""
    inside = Path(storage.root, WORK) if isinstance(storage, LocalStorage) else None
    missing = [folder for folder in (inside, *inside.parents) if not folder.exists()] if inside else []
    try:
        yield
    finally:
        with suppress(OSError):
            for folder in missing:
                folder.rmdir()


def _disk(place: Place) -> Diagnosis:
    folder = Path(place.lake).expanduser().resolve() if "://" not in place.lake else Path(tempfile.gettempdir())
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1024**3:.1f} GiB free at {folder}"
    if free < NEEDED_BYTES:
        return Diagnosis("disk", "warn", found, f"a large source needs {NEEDED_BYTES // 1024**3} GiB")
    return Diagnosis("disk", "ok", found)


def _datasets(place: Place) -> Iterator[Diagnosis]:
    try:
        datasets = list(place.catalog)
    except PharmaetlError as error:
        yield Diagnosis("datasets", "fail", error.reason, error.hint)
        return
    if not datasets:
        yield Diagnosis(
            "datasets",
            "warn",
            f"none in {place.catalog.root}",
            "--datasets names the folder with <org>/<dataset>/config/dataset.json",
        )
    for dataset in datasets:
        try:
            url = dataset.config.source_url
        except configfile.InvalidConfigError as error:
            yield Diagnosis(f"dataset {dataset.name}", "fail", error.reason, error.hint)
            continue
        yield Diagnosis(f"dataset {dataset.name}", "ok", str(dataset.config_path))
        yield _source(dataset.name, url)


def _source(name: str, url: str) -> Diagnosis:
    try:
        probed = source.probe(url, limits=Limits(connect_seconds=5, read_seconds=5, total_seconds=10, attempts=1))
    except PharmaetlError as error:
        return Diagnosis(f"source {name}", "warn", error.reason, error.hint)
    size = f", {probed.bytes:,} bytes" if probed.bytes else ""
    return Diagnosis(f"source {name}", "ok", f"{probed.url} answers{size}")
