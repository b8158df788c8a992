"""What has changed at a source: as the newest run met it, or as a file looks that nobody has run yet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.download import source
from pharmaetl.download.transfer import Limits, NotModified
from pharmaetl.drift import comparison as drift
from pharmaetl.drift import contracts, profile
from pharmaetl.errors import NotStoredError, UsageError
from pharmaetl.lake import manifest, runs
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.schema import Drift, TableProfile
from pharmaetl.lake.storage import Storage
from pharmaetl.text import unpack

_LOOK_BACK = 20
"""So many runs are looked at for one that has read its source; before that, the published one has."""


@dataclass(frozen=True)
class DriftReport:
    """The differences between what was looked at and what was published before it."""

    dataset: str
    source: str
    """What was looked at, secrets redacted."""
    run_id: str | None
    """The run that looked at it; None for a file that was only looked at."""
    against: str | None
    """The run whose version it is compared with; None where nothing was published."""
    drift: tuple[Drift, ...]


def of_newest_run(storage: Storage, dataset: str) -> DriftReport:
    """What the newest run that read its source has found. UsageError where no run has."""
    record = newest_look(storage, dataset)
    return DriftReport(dataset, record.source.url, record.run_id, record.drift_against, record.drift)


def newest_look(storage: Storage, dataset: str) -> RunRecord:
    """The newest run that came to see its source's headers: refused and published ones, but hardly a skipped one."""
    recent = (*runs.recent(storage, dataset, _LOOK_BACK), *_published_run(storage, dataset))
    looks = [record for record in recent if record.profiles]
    if looks:
        # the ids of runs that started in the same second are in no order, but who compares with a version came after it
        return next((later for later in looks[1:] if later.drift_against == looks[0].run_id), looks[0])
    raise UsageError(
        f"no run of {dataset} has looked at its source yet",
        hint=f"pharmaetl run {dataset}, or look at a file: pharmaetl dataset drift {dataset} --source FILE",
    )


def _published_run(storage: Storage, dataset: str) -> Iterator[RunRecord]:
    current = manifest.current(storage, dataset)
    if current is not None:
        with suppress(NotStoredError):
            yield runs.read(storage, dataset, current.run_id)


def of_source(storage: Storage, config: DatasetConfig, url: str) -> DriftReport:
    """A file's form and headers against the published version, without an engine; the lake is only read.

    Raises what fetching and unpacking raise. A header that no run would take is no error here, but what is looked for.
    """
    current = manifest.current(storage, config.dataset)
    limits = Limits(max_bytes=config.max_bytes, allow_private_hosts=config.allow_private_hosts)
    with tempfile.TemporaryDirectory(prefix="pharmaetl-drift-") as folder:
        got = source.fetch(url, Path(folder), limits=limits)
        if isinstance(got, NotModified):
            raise AssertionError("nothing was said to be known")
        profiles = tuple(_profiles(config, got.path, got.file_name, Path(folder, "unpacked")))
    found = drift.compare(profile.published(current), profiles) if current else ()
    settled = drift.settle(found, contracts.accepted_headers(storage, config.dataset))
    return DriftReport(config.dataset, got.url, None, current.run_id if current else None, settled)


def _profiles(config: DatasetConfig, path: Path, file_name: str, target: Path) -> Iterator[TableProfile]:
    """Every table that the file has; one that it lacks is a difference, so here all of them are optional."""
    wanted = [(table.name, table.member, True) for table in config.tables]
    chosen = unpack.select(unpack.members(path, file_name), wanted, file_name)
    target.mkdir()
    for table in config.tables:
        if (found := chosen.get(table.name)) is not None:
            text = unpack.unpack(path, found, target / f"{table.name}.txt", encoding=table.encoding)
            yield profile.of_text(table, text)
            text.path.unlink()
