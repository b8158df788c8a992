"""Publishing, rolling back, pruning and reading at once: no version that is or becomes current ever loses a file."""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from publishing import candidate, linear, no_flush, record

from pharmaetl.config.dataset_config import Retention
from pharmaetl.errors import ConflictError, RefusedError, UsageError
from pharmaetl.lake import layout, manifest, notice, pruned, runs
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.process import process_name
from pharmaetl.lake.prune import Request, prune

VERSIONS = 40
SOURCES = [f"{number:064x}" for number in range(3)]
"""Few, so that a version is often made of a source that a pruning is about to remove."""


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
    monkeypatch.setattr(os, "fsync", no_flush)
    return LocalStorage(tmp_path / "lake")


def source_files(sha256: str) -> list[str]:
    return [f"{layout.raw_dir('nsde', sha256)}/nsde.zip", layout.source_record("nsde", sha256)]


def publish_all(storage: LocalStorage, done: threading.Event) -> int:
    """As a run does: claim, wait for prunings, store the source if it isn't there, write, commit, record."""
    chance = random.Random(1)
    published = 0
    for number in range(VERSIONS):
        run_id, sha256 = f"20261123T03{number:04}Z-00000000", chance.choice(SOURCES)
        source = {"url": "u", "sha256": sha256}
        runs.claim(storage, record(run_id, process=process_name(), source=source))
        notice.wait_until_clear(storage, "nsde", run_id, sha256, note=lambda _: None, seconds=60)
        parent = manifest.current(storage, "nsde")
        data, origin = source_files(sha256)
        if not storage.exists(origin):
            storage.create(data, b"zip")
            storage.create(origin, b"{}")
        try:
            manifest.commit(storage, candidate(storage, run_id, source=sha256, code=run_id), parent)
        except ConflictError:
            runs.save(storage, record(run_id, outcome="failed", source=source))
            continue
        published += 1
        runs.save(storage, record(run_id, outcome="published", source=source))
    done.set()
    return published


def roll_back_at_random(storage: LocalStorage, done: threading.Event) -> int:
    chance, count = random.Random(2), 0
    while not done.is_set():
        log = manifest.entries(storage, "nsde")
        try:
            manifest.rollback(storage, "nsde", chance.choice(log).run_id if log else None, "")
            count += 1
        except (ConflictError, RefusedError, UsageError):
            continue
        done.wait(0.02)
    return count


def prune_all_the_time(storage: LocalStorage, done: threading.Event) -> int:
    request = Request(grace_hours=0, retentions={"nsde": Retention(versions=2, days=0)})
    removed = 0
    while not done.is_set():
        removed += len(prune(storage, request).removed)
    return removed


def read_all_the_time(storage: LocalStorage, done: threading.Event) -> int:
    """Whoever finds a file missing had an older version: the current one is whole, with its source."""
    reads = 0
    while not done.is_set():
        entry = manifest.current(storage, "nsde")
        if entry is None:
            continue
        listed = [file.path for table in entry.tables for file in table.files] + source_files(entry.source.sha256 or "")
        missing = [path for path in listed if not storage.exists(path)]
        after = manifest.current(storage, "nsde")
        assert not missing or after is None or after.sequence > entry.sequence, missing
        reads += 1
    return reads


def test_publishing_rolling_back_pruning_and_reading_at_once(storage: LocalStorage) -> None:
    done = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        publisher = pool.submit(publish_all, storage, done)
        publisher.add_done_callback(lambda _: done.set())
        roller = pool.submit(roll_back_at_random, storage, done)
        pruners = [pool.submit(prune_all_the_time, storage, done) for _ in range(2)]
        reader = pool.submit(read_all_the_time, storage, done)

    assert publisher.result() > 0
    assert reader.result() > 0
    assert sum(pruner.result() for pruner in pruners) > 0
    assert roller.result() >= 0
    log = linear(storage)
    gone = pruned.run_ids(storage, "nsde")
    assert log[-1].run_id not in gone
    assert [found for found in manifest.verify(storage, "nsde", deep=False) if found.severity == "error"] == []
    for entry in log:
        if entry.run_id not in gone:
            assert [path for path in source_files(entry.source.sha256 or "") if not storage.exists(path)] == []
    assert list(storage.list(".work")) == []
