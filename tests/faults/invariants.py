"""What holds of a lake after whatever may have happened to the processes and disks that worked on it.

Everything is read from the files themselves, by other code than the one under test; the product's own readers are
asked only whether they see the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pharmaetl.lake import manifest
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.local_storage import LocalStorage

ENTRY = re.compile(r"\d{8}\.json")
RUN_FOLDER = re.compile(r"^(?:bronze|silver|quarantine|gold)/(?:.+/)?run=(\d{8}T\d{6}Z-[0-9a-f]{8})/[^/]+$")
RAW_FILE = re.compile(r"^raw/[^/]+/sha256=([0-9a-f]{64})/(?:unpacked/.+|[^/]+)$")
ENDS = {"published": {"COMPLETE"}, "skipped": {"COMPLETE"}, "failed": {"FAIL", "ABORT"}, "running": set()}


def assert_invariants(lake: Path) -> None:
    """Everything that holds of every lake at any moment, whatever died while it wrote there."""
    logs = {folder.name: log_of(lake, folder.name) for folder in sorted(_folders(lake / "manifests"))}
    for dataset, log in logs.items():
        _assert_linear(log)
        _assert_files_as_listed(lake, [entry for entry in log if entry["run_id"] not in given_up(lake, dataset)])
        assert not log or log[-1]["run_id"] not in given_up(lake, dataset), "the current version was pruned"
        _assert_state_is_a_copy(lake, dataset)
        _assert_readers_agree(lake, dataset, log)
    _assert_records_fit(lake, logs)
    _assert_raw_is_whole(lake)
    _assert_nothing_elsewhere(lake, logs)


def log_of(lake: Path, dataset: str) -> list[dict[str, Any]]:
    """The publish log, oldest entry first; its numbers run from 1 without a gap."""
    names = sorted(path.name for path in (lake / "manifests" / dataset).iterdir() if path.name != "pruned")
    assert all(ENTRY.fullmatch(name) for name in names), names
    assert [int(name[:8]) for name in names] == list(range(1, len(names) + 1)), names
    return [json.loads((lake / "manifests" / dataset / name).read_bytes()) for name in names]


def given_up(lake: Path, dataset: str) -> set[str]:
    """The runs whose versions prune has removed the files of, by what it noted before it did."""
    return {path.stem for path in (lake / "manifests" / dataset / "pruned").glob("*.json")}


def digests(lake: Path, dataset: str) -> dict[str, str]:
    """The content digest of each table of the current version; empty where nothing is published."""
    if not (lake / "manifests" / dataset).is_dir():
        return {}
    log = log_of(lake, dataset)
    return {table["name"]: table["digest"] for table in tables_of(log[-1])} if log else {}


def tables_of(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Silver's and gold's tables of an entry as it is stored."""
    return [*entry["tables"], *entry.get("gold", ())]


def assert_converged(lake: Path, dataset: str, undisturbed: Mapping[str, str]) -> None:
    """After a rerun without faults: what is published is what an undisturbed run publishes, and no run is left open."""
    assert_invariants(lake)
    assert digests(lake, dataset) == undisturbed
    published = {entry["run_id"] for entry in log_of(lake, dataset)}
    for path in sorted((lake / "runs" / dataset).glob("*.json")):
        outcome = json.loads(path.read_bytes())["outcome"]
        assert outcome != "running", f"{path}: still open"
        assert (outcome == "published") == (path.stem in published), f"{path}: {outcome}, and the log says otherwise"
        events = _events(lake, dataset, path.stem)
        assert set(events[1:]) & ENDS[outcome], f"{path}: {outcome}, and its lineage says {events}"


def assert_no_secret(secret: str, artefacts: Iterable[Path | str]) -> None:
    """The secret stands nowhere: not in a text, not in a file or in the name of one, whatever kind of file it is."""
    for artefact in artefacts:
        text = artefact if isinstance(artefact, str) else str(artefact)
        assert secret not in text, f"the secret stands in {text[:2000]!r}"
        if isinstance(artefact, Path) and artefact.is_file():
            assert secret.encode() not in artefact.read_bytes(), f"the secret stands in {artefact}"


def fingerprint(paths: Iterable[Path]) -> dict[str, tuple[int, int, int, str]]:
    """What would change if somebody touched an input: mode, links, time and content of each file."""
    found = {}
    for path in paths:
        status = path.stat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path)] = (status.st_mode, status.st_nlink, status.st_mtime_ns, digest)
    return found


def leftovers(lake: Path) -> set[str]:
    """Files that dead runs may have left: those in `.work/` (locks are none), and those of runs that no entry lists."""
    folders = sorted(_folders(lake / "manifests"))
    published = {entry["run_id"] for folder in folders for entry in log_of(lake, folder.name)}
    found = set()
    for path in _files(lake):
        run = RUN_FOLDER.match(path)
        if (path.startswith(".work/") and not path.endswith("/lock")) or (run and run[1] not in published):
            found.add(path)
    return found


def _assert_linear(log: list[dict[str, Any]]) -> None:
    assert [entry["sequence"] for entry in log] == list(range(1, len(log) + 1))
    commits = [entry["commit_id"] for entry in log]
    assert len(set(commits)) == len(commits)
    assert [entry["parent"] for entry in log] == [None, *commits][: len(log)]
    published = [entry["run_id"] for entry in log if entry["action"] == "publish"]
    assert len(set(published)) == len(published), "a run was published twice"
    assert {entry["run_id"] for entry in log} == set(published), "a rollback to what was never published"


def _assert_files_as_listed(lake: Path, log: list[dict[str, Any]]) -> None:
    listed = {file["path"]: file for entry in log for table in tables_of(entry) for file in table["files"]}
    for path, file in listed.items():
        data = (lake / path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"]), path
        assert pq.ParquetFile(lake / path).metadata.num_rows == file["rows"], path
    for entry in log:
        for table in tables_of(entry):
            there = {str(path.relative_to(lake)) for path in (lake / table["path"]).rglob("*") if path.is_file()}
            assert there == {file["path"] for file in table["files"]}, f"{table['path']} holds what no entry lists"
            assert table["rows"] == sum(file["rows"] for file in table["files"])


def _assert_state_is_a_copy(lake: Path, dataset: str) -> None:
    state = lake / "manifests" / f"{dataset}.json"
    if state.exists():
        copies = [path.read_bytes() for path in (lake / "manifests" / dataset).glob("*.json")]
        assert state.read_bytes() in copies, f"{state} is a copy of no entry"


def _assert_readers_agree(lake: Path, dataset: str, log: list[dict[str, Any]]) -> None:
    storage = LocalStorage(lake)
    current = manifest.current(storage, dataset)
    assert (current.commit_id if current else None) == (log[-1]["commit_id"] if log else None)
    assert [finding for finding in manifest.verify(storage, dataset, deep=False) if finding.severity == "error"] == []


def _assert_records_fit(lake: Path, logs: Mapping[str, list[dict[str, Any]]]) -> None:
    published = {(dataset, entry["run_id"]) for dataset, log in logs.items() for entry in log}
    for path in sorted((lake / "runs").rglob("*")):
        if path.is_file():
            record = RunRecord.model_validate_json(path.read_bytes())
            assert (record.dataset, f"{record.run_id}.json") == (path.parent.name, path.name)
            is_in_log = (record.dataset, record.run_id) in published
            assert is_in_log or record.outcome != "published", f"{path}: published, and no entry says so"
            assert not is_in_log or record.outcome in {"published", "running"}, f"{path}: {record.outcome}, yet listed"
            _events(lake, record.dataset, record.run_id)
            for table in record.tables:
                assert table.rows_read == table.rows_published + table.rows_quarantined + table.rows_duplicate


def _events(lake: Path, dataset: str, run_id: str) -> list[str]:
    """The kinds of a run's lineage events, in order: START, then at most one end."""
    path = lake / "lineage" / dataset / f"{run_id}.ndjson"
    if not path.exists():
        return []
    kinds = [json.loads(line)["eventType"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert kinds[:1] == ["START"], path
    assert len(kinds) <= 2, path
    return kinds


def _assert_raw_is_whole(lake: Path) -> None:
    for folder in sorted((lake / "raw").glob("*/sha256=*")):
        wanted = folder.name.removeprefix("sha256=")
        stored = [path for path in folder.iterdir() if path.is_file() and path.name != "source.json"]
        assert len(stored) <= 1, f"{folder} holds one source under two names"
        for path in stored:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == wanted, path
        if (folder / "source.json").exists():
            assert json.loads((folder / "source.json").read_bytes())["sha256"] == wanted
            assert stored, f"{folder} tells of a source that is not there"


def _assert_nothing_elsewhere(lake: Path, logs: Mapping[str, list[dict[str, Any]]]) -> None:
    """Every file is where the layout has a place for it; what is unfinished is in `.work/` only."""
    known = re.compile(
        r"\.work/.+|manifests/[^/]+(?:/pruned/[^/]+)?\.json|runs/[^/]+/[^/]+\.json|lineage/[^/]+/[^/]+\.ndjson"
    )
    entries = {f"manifests/{dataset}/{entry['sequence']:08d}.json" for dataset, log in logs.items() for entry in log}
    for path in _files(lake):
        placed = known.fullmatch(path) or RUN_FOLDER.match(path) or RAW_FILE.match(path) or path in entries
        assert placed or path.startswith("contracts/"), f"{path} lies where nothing should"
        assert path.startswith(".work/") or not path.endswith((".tmp", ".partial")), f"{path} is unfinished"


def _files(lake: Path) -> list[str]:
    return sorted(path.relative_to(lake).as_posix() for path in lake.rglob("*") if path.is_file())


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
