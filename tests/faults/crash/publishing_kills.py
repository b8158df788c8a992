"""Kills processes that publish, at random moments: `publishing_kills.py FOLDER SEED COUNT`; prints what it did as JSON.

Two children at a time publish versions and roll back, against each other, until one of them is killed by SIGKILL. The
log is looked at after every kill, every file of it after each round.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
from faults.invariants import assert_invariants, log_of

from pharmaetl.errors import ConflictError, UsageError
from pharmaetl.lake import layout, manifest
from pharmaetl.lake.documents import DataFile, Quality, Source, TableVersion
from pharmaetl.lake.local_storage import LocalStorage

DATASET, GOLD, LONGEST, KILLS_PER_LAKE = "toys", "colours", 0.01, 40
"""Seconds that a child may live, and how long one log grows."""


@dataclass
class Tally:
    """What happened."""

    kills: int = 0
    published: int = 0
    rolled_back: int = 0
    left_in_work: int = 0


def main(folder: Path, seed: int, count: int) -> Tally:
    """So many kills, each lake's files checked in the end."""
    tally, children = Tally(), list[int]()
    gc.freeze()
    try:
        _kill_often(folder, random.Random(seed), count, children, tally)
    finally:
        for child in children:  # they end by no other means
            os.kill(child, signal.SIGKILL)
    return tally


def _kill_often(folder: Path, moments: random.Random, count: int, children: list[int], tally: Tally) -> None:
    parquet = _parquet()
    for number in range(count):
        lake = folder / f"{number // KILLS_PER_LAKE:04d}"
        while len(children) < 2:
            children.append(_start(lake, moments.getrandbits(32), parquet))
        time.sleep(moments.uniform(0, LONGEST))
        _kill(children.pop(moments.randrange(2)))
        tally.kills += 1
        if (number + 1) % KILLS_PER_LAKE == 0 or number + 1 == count:
            while children:
                _kill(children.pop())
            _look_closely(lake, tally)
        elif (lake / "manifests" / DATASET).is_dir():
            log_of(lake, DATASET)


def _look_closely(lake: Path, tally: Tally) -> None:
    assert_invariants(lake)
    log = log_of(lake, DATASET)
    manifest.rebuild_state(LocalStorage(lake), DATASET)
    assert_invariants(lake)
    tally.published += sum(entry["action"] == "publish" for entry in log)
    tally.rolled_back += sum(entry["action"] == "rollback" for entry in log)
    tally.left_in_work += len(list((lake / ".work").iterdir()))


def _start(lake: Path, suffix: int, parquet: bytes) -> int:
    child = os.fork()
    if child == 0:
        _publish_until_killed(lake, suffix, parquet)
    return child


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "it ended by itself, which it never should"


def _publish_until_killed(lake: Path, suffix: int, parquet: bytes) -> NoReturn:
    os.fsync = _no_flush
    storage, number = LocalStorage(lake), 0
    try:
        while True:
            number += 1
            _publish(storage, f"20261123T00{number // 60 % 60:02d}{number % 60:02d}Z-{suffix:08x}", parquet)
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        os._exit(1)


def _publish(storage: LocalStorage, run_id: str, parquet: bytes) -> None:
    parent = manifest.current(storage, DATASET)
    try:
        if parent is not None and parent.sequence % 5 == 0:
            manifest.rollback(storage, DATASET, None, "a test")
        else:
            manifest.commit(storage, _candidate(storage, run_id, parquet), parent)
    except (ConflictError, UsageError):
        return  # the other child was first; or there is nothing to go back to


def _candidate(storage: LocalStorage, run_id: str, parquet: bytes) -> manifest.Candidate:
    return manifest.Candidate(
        dataset=DATASET,
        run_id=run_id,
        source=Source(url="file:///toys.zip", sha256=run_id),
        config_sha256="config",
        code_sha256="code",
        tables=(_table(storage, layout.silver_dir(DATASET, None, "2026-11-23", run_id), parquet),),
        gold=(_table(storage, layout.gold_dir(GOLD, "2026-11-23", run_id), parquet),),
        quality=Quality(verdict="pass"),
    )


def _table(storage: LocalStorage, folder: str, parquet: bytes) -> TableVersion:
    path, sha256 = f"{folder}/part-00000.parquet", hashlib.sha256(parquet).hexdigest()
    storage.create(path, parquet)
    file = DataFile(path=path, bytes=len(parquet), sha256=sha256, rows=1)
    return TableVersion(name=folder.split("/")[1], path=folder, rows=1, files=(file,))


def _parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"code": ["B001"]}), out)
    return out.getvalue()


def _no_flush(fd: object) -> None:
    """Stands in for os.fsync: no test here cuts the power."""


if __name__ == "__main__":
    print(json.dumps(vars(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
