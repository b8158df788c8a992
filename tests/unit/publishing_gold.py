"""Versions with gold to publish in tests: each with one silver table, and files behind all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from publishing import RUN_A, RUN_B, candidate, made_of_it, record, written

from pharmaetl.lake import manifest, runs
from pharmaetl.lake.documents import LogEntry
from pharmaetl.lake.local_storage import LocalStorage

GOLD_A = f"gold/pharm_class/version=2026-11-20/run={RUN_A}/part-00000.parquet"
GOLD_B = f"gold/pharm_class/version=2026-11-21/run={RUN_B}/part-00000.parquet"


def version(storage: LocalStorage, run_id: str, dataset: str = "nsde", *gold: str) -> manifest.Candidate:
    """A finished version with gold tables, one unless others are named."""
    tables = gold or ("pharm_class",)
    return replace(
        candidate(storage, run_id),
        dataset=dataset,
        tables=(written(storage, run_id, dataset),),
        gold=tuple(made_of_it(storage, run_id, table) for table in tables),
    )


def publish(storage: LocalStorage, *run_ids: str, dataset: str = "nsde", gold: Iterable[str] = ()) -> LogEntry:
    for run_id in run_ids:
        parent = manifest.current(storage, dataset)
        entry = manifest.commit(storage, version(storage, run_id, dataset, *gold), parent)
        ended: dict[str, Any] = {"outcome": "published", "ended_at": "2026-11-23T03:01:00Z"}
        runs.save(storage, record(run_id, dataset, **ended))
    return entry


def files(storage: LocalStorage, folder: str = "gold") -> list[str]:
    return [stored.path for stored in storage.list(folder)]
