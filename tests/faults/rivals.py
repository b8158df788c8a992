"""Processes that work on one lake at once: publishers, runs, rollbacks, prunings, readers. Started by test_concurrency.

Each ends with a line of JSON: what it did, how often, and what it saw that must not be.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from unit.publishing import no_flush, written

from pharmaetl.errors import AlreadyPublishedError, ConflictError, NotStoredError, RefusedError, UsageError
from pharmaetl.lake import manifest, pruned
from pharmaetl.lake.documents import LogEntry, Quality, Source
from pharmaetl.lake.manifest import Candidate
from pharmaetl.lake.storage import Storage
from pharmaetl.place import Place

DATASET = "nsde"


def publish_until_in(storage: Storage, version: Candidate) -> int:
    """Commit on top of whatever is newest, until the version is in the log; how often it took."""
    for attempt in range(1, 2000):
        try:
            manifest.commit(storage, version, manifest.current(storage, DATASET))
        except AlreadyPublishedError as error:
            if error.by != version.run_id:
                raise
        except ConflictError:
            time.sleep(random.uniform(0, 0.05))
            continue
        return attempt
    raise AssertionError(f"{version.run_id} never got in")


def run_id_of(worker: int, number: int) -> str:
    return f"20261123T03{worker:02}{number:02}Z-{worker:08x}"


def publisher(storage: Storage, worker: int, count: int) -> dict[str, int]:
    """Publish so many versions; all list the same small files."""
    table = written(storage, run_id_of(worker, 0))
    attempts = 0
    for number in range(count):
        run_id = run_id_of(worker, number)
        source = Source(url="https://example.org/nsde.zip", sha256=f"source of {run_id}")
        before = manifest.current(storage, DATASET)
        version = Candidate(
            DATASET, run_id, source, "config", "code", (table,), Quality(verdict="pass"),
            claimed_after=before.sequence if before else 0,
        )  # fmt: skip
        attempts += publish_until_in(storage, version)
    return {"published": count, "attempts": attempts}


def until(seconds: float) -> Iterator[int]:
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        yield number
        number += 1


def reader(place: Place, seconds: float) -> dict[str, int]:
    """Ask what is current, and read every file that the answer lists."""
    seen: Counter[str] = Counter()
    last = 0
    for _ in until(seconds):
        entry = manifest.current(place.storage, DATASET)
        if entry is None:
            continue
        if entry.sequence < last:
            seen["went back"] += 1
        last = entry.sequence
        seen["looked"] += 1
        for problem in damage_of(place.storage, entry):
            if manifest.current(place.storage, DATASET) == entry:
                seen[problem] += 1
    return seen


def damage_of(storage: Storage, entry: LogEntry) -> Iterator[str]:
    for table in entry.tables:
        for file in table.files:
            try:
                data = storage.read(file.path)
            except NotStoredError:
                yield f"missing: {file.path}"
                continue
            if (len(data), hashlib.sha256(data).hexdigest()) != (file.bytes, file.sha256):
                yield f"changed: {file.path}"


def runner(place: Place, seconds: float, releases: list[str]) -> dict[str, int]:
    """Run the real pipeline on one release after another."""
    from pharmaetl.engine import Shared
    from pharmaetl.local import runner as local
    from pharmaetl.run_options import RunOptions
    from pharmaetl.watch import Silent

    seen: Counter[str] = Counter()
    dataset = place.catalog.find(DATASET)
    with closing(Shared()) as engines:
        for number in until(seconds):
            options = RunOptions(source=releases[number % len(releases)], force=number % 3 == 2)
            try:
                seen[local.run(place.storage, dataset, options, Silent(), engines).outcome] += 1
            except ConflictError:
                seen["conflict"] += 1
    return seen


def roller(place: Place, seconds: float) -> dict[str, int]:
    """Go back and forth between versions that still have their files."""
    seen: Counter[str] = Counter()
    for _ in until(seconds):
        time.sleep(0.2)
        try:
            log = manifest.entries(place.storage, DATASET)
            gone = pruned.run_ids(place.storage, DATASET)
            others = {entry.run_id for entry in log if entry.run_id not in gone} - {log[-1].run_id if log else ""}
            if others:
                manifest.rollback(place.storage, DATASET, random.choice(sorted(others)), "back and forth")
                seen["rolled back"] += 1
        except (ConflictError, RefusedError, UsageError) as error:
            seen[type(error).__name__] += 1
    return seen


def pruner(place: Place, seconds: float) -> dict[str, int]:
    """Remove whatever nothing needs, at once: no grace period, and only two versions kept."""
    from pharmaetl.config.dataset_config import Retention
    from pharmaetl.lake.prune import Request, prune

    seen: Counter[str] = Counter()
    request = Request(DATASET, {DATASET: Retention(versions=2, days=0)}, grace_hours=0)
    for _ in until(seconds):
        time.sleep(0.3)
        done = prune(place.storage, request)
        seen["pruned"] += 1
        seen["removed"] += len(done.removed)
        seen["versions given up"] += len(done.versions)
        seen.update(f"refused: {refusal.reason}" for refusal in done.refused)
    return seen


def main(words: list[str]) -> Any:
    what, lake, *more = words
    place = Place(lake, os.environ.get("PHARMAETL_DATASETS"))
    roles: dict[str, Callable[[], Any]] = {
        "publish": lambda: publisher(place.storage, int(more[0]), int(more[1])),
        "read": lambda: reader(place, float(more[0])),
        "run": lambda: runner(place, float(more[0]), more[1:]),
        "roll": lambda: roller(place, float(more[0])),
        "prune": lambda: pruner(place, float(more[0])),
    }
    return roles[what]()


if __name__ == "__main__":
    os.fsync = no_flush
    print(json.dumps(main(sys.argv[1:])))
