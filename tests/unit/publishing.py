"""Versions to publish in tests: small, with real files behind them."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from pharmaetl.errors import ConflictError
from pharmaetl.lake import layout, manifest
from pharmaetl.lake.documents import DataFile, LogEntry, Quality, RunRecord, Source, TableVersion
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.storage import Storage

RUN_A = "20261120T030000Z-aaaaaaaa"
RUN_B = "20261121T030000Z-bbbbbbbb"
RUN_C = "20261122T030000Z-cccccccc"
RUN_D = "20261123T030000Z-dddddddd"


def no_flush(fd: object) -> None:
    """Stands in for os.fsync where a test is not about power cuts: hundreds of real ones wait for a busy disk."""


def written(storage: Storage, run_id: str, dataset: str = "nsde") -> TableVersion:
    """One table of two files in the lake, three and four rows."""
    folder = layout.silver_dir(dataset, None, layout.version_of(run_id), run_id)
    files = []
    for number, rows in enumerate([3, 4]):
        data = f"rows {number} of {run_id}".encode()
        path = f"{folder}/part-{number}.parquet"
        storage.create(path, data)
        files.append(DataFile(path=path, bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), rows=rows))
    return TableVersion(name=dataset, path=folder, rows=7, files=tuple(files))


def made_of_it(storage: Storage, run_id: str, table: str) -> TableVersion:
    """One gold table of one file, five rows."""
    folder = layout.gold_dir(table, layout.version_of(run_id), run_id)
    data = f"{table} of {run_id}".encode()
    file = DataFile(
        path=f"{folder}/part-00000.parquet", bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), rows=5
    )
    storage.create(file.path, data)
    return TableVersion(
        name=table, path=folder, rows=5, files=(file,), schema={"code": "string", "meta_run_id": "string"}
    )


def candidate(
    storage: Storage, run_id: str, *, source: str | None = None, members: str | None = None, code: str = "code"
) -> manifest.Candidate:
    """A finished version; its source differs from run to run unless one is given."""
    return manifest.Candidate(
        dataset="nsde",
        run_id=run_id,
        source=Source(
            url="https://example.org/nsde.zip", sha256=source or f"source of {run_id}", members_sha256=members
        ),
        config_sha256="config",
        code_sha256=code,
        tables=(written(storage, run_id),),
        quality=Quality(verdict="pass"),
    )


def publish(storage: Storage, *run_ids: str) -> LogEntry:
    """Publish runs one after the other; the last one's entry."""
    for run_id in run_ids:
        entry = manifest.commit(storage, candidate(storage, run_id), manifest.current(storage, "nsde"))
    return entry


def record(run_id: str, dataset: str = "nsde", **more: object) -> RunRecord:
    """A run that has just begun."""
    known = {
        "dataset": dataset,
        "run_id": run_id,
        "outcome": "running",
        "source": {"url": "https://example.org/nsde.zip"},
        "started_at": "2026-11-23T03:00:00Z",
    }
    return RunRecord.model_validate(known | more)


def edit(lake: Path, path: str, **changes: object) -> None:
    """Change keys of a JSON file behind the storage's back."""
    file = lake / path
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def linear(storage: Storage, dataset: str = "nsde") -> tuple[LogEntry, ...]:
    """The log, after the proof that it is one chain, contiguous, and without a run published twice."""
    log = manifest.entries(storage, dataset)
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    assert [entry.parent for entry in log] == [None, *(entry.commit_id for entry in log)][: len(log)]
    assert len({entry.commit_id for entry in log}) == len(log)
    published = [entry.run_id for entry in log if entry.action == "publish"]
    assert len(set(published)) == len(published)
    return log


def publish_many(storage: Storage, worker: int, count: int) -> None:
    """What one of many processes does: publish its runs, again after every conflict."""
    first = candidate(storage, f"20261123T03{worker:02}00Z-{worker:08x}")
    for number in range(count):
        run_id = f"20261123T03{worker:02}{number:02}Z-{worker:08x}"
        version = replace(first, run_id=run_id, source=first.source.model_copy(update={"sha256": run_id}))
        while True:
            try:
                manifest.commit(storage, version, manifest.current(storage, "nsde"))
                break
            except ConflictError:
                time.sleep(random.uniform(0, 0.05))


if __name__ == "__main__":
    os.fsync = no_flush
    publish_many(LocalStorage(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))
