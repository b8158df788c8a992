"""Where things lie in a lake: the only place that spells lake paths.

All paths are relative to the lake's root, with forward slashes, and end without one.
"""

from __future__ import annotations

RAW, BRONZE, SILVER, GOLD, QUARANTINE = "raw", "bronze", "silver", "gold", "quarantine"
MANIFESTS, RUNS, LINEAGE, CONTRACTS, WORK = "manifests", "runs", "lineage", "contracts", ".work"

OWNER_NOTE = ".process"
"""In a run's workspace: its process, as host:pid."""


def raw_dir(dataset: str, sha256: str) -> str:
    """Where a source file lies under its own hash."""
    return f"{RAW}/{dataset}/sha256={sha256}"


def source_record(dataset: str, sha256: str) -> str:
    """Where a raw file came from: url, etag, last-modified, bytes, sha256, fetched_at."""
    return f"{raw_dir(dataset, sha256)}/source.json"


def unpacked(dataset: str, sha256: str, member: str) -> str:
    """One member of the source as UTF-8 text."""
    return f"{raw_dir(dataset, sha256)}/unpacked/{member}"


def _of(dataset: str, table: str | None) -> str:
    return dataset if table is None else f"{dataset}/{table}"


def bronze_dir(dataset: str, table: str | None, run_id: str) -> str:
    """One run's bronze table; `table` is None where the dataset has just one."""
    return f"{BRONZE}/{_of(dataset, table)}/run={run_id}"


def silver_dir(dataset: str, table: str | None, version: str, run_id: str) -> str:
    """One run's silver table."""
    return f"{SILVER}/{_of(dataset, table)}/version={version}/run={run_id}"


def quarantine_dir(dataset: str, table: str | None, run_id: str) -> str:
    """The rows that one run refused."""
    return f"{QUARANTINE}/{_of(dataset, table)}/run={run_id}"


def gold_dir(table: str, version: str, run_id: str) -> str:
    """One run's gold table."""
    return f"{GOLD}/{table}/version={version}/run={run_id}"


def run_of(path: str) -> str:
    """The run in whose folder a data file lies; empty where it lies in none."""
    return next((folder[4:] for folder in path.split("/")[2:-1] if folder.startswith("run=")), "")


def log_dir(dataset: str) -> str:
    """The publish log of a dataset."""
    return f"{MANIFESTS}/{dataset}"


def log_entry(dataset: str, sequence: int) -> str:
    """One entry of the publish log; creating it is the commit."""
    return f"{log_dir(dataset)}/{sequence:08d}.json"


def current_state(dataset: str) -> str:
    """The newest entry copied into one file, for readers that want just one; derived, rebuildable."""
    return f"{MANIFESTS}/{dataset}.json"


def pruned_dir(dataset: str) -> str:
    """Where it is noted which versions of the log have no files any more."""
    return f"{log_dir(dataset)}/pruned"


def pruned(dataset: str, run_id: str) -> str:
    """That the files of a published version were given up; created before the first of them goes."""
    return f"{pruned_dir(dataset)}/{run_id}.json"


def notices(dataset: str) -> str:
    """Where processes announce what they are about to do with other runs' files."""
    return f"{WORK}/notices/{dataset}"


def notice(dataset: str, key: str) -> str:
    """One announcement."""
    return f"{notices(dataset)}/{key}.json"


def runs_dir(dataset: str) -> str:
    """The records of a dataset's runs."""
    return f"{RUNS}/{dataset}"


def run_record(dataset: str, run_id: str) -> str:
    """What one run did."""
    return f"{runs_dir(dataset)}/{run_id}.json"


def lineage_dir(dataset: str) -> str:
    """The OpenLineage events of a dataset's runs."""
    return f"{LINEAGE}/{dataset}"


def lineage_events(dataset: str, run_id: str) -> str:
    """One run's OpenLineage events, one JSON object a line."""
    return f"{lineage_dir(dataset)}/{run_id}.ndjson"


def contract_dir(dataset: str) -> str:
    """The changes of a dataset's source that somebody has accepted."""
    return f"{CONTRACTS}/{dataset}"


def contract_entry(dataset: str, sequence: int) -> str:
    """One accepted change; created once, never changed."""
    return f"{contract_dir(dataset)}/{sequence:08d}.json"


def version_of(run_id: str) -> str:
    """The version a run publishes: the UTC date of its start, as YYYY-MM-DD."""
    return f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"
