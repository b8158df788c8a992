"""Many at once on one lake: nothing published is lost, nobody sees a version that is not whole.

The short form runs everywhere; PHARMAETL_FAULTS=long takes a minute for what takes ten seconds here, and publishes
8 × 25 versions on S3 too. PHARMAETL_SEED repeats a run of injected faults.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from faults import rivals
from faults.s3_proxy import SHARES, faulty
from run.releases import DATASETS, a_place, a_release, a_row, rows
from s3_servers import S3Server
from unit.publishing import linear, no_flush, publish

from pharmaetl import api
from pharmaetl.aws.s3 import S3Storage
from pharmaetl.config.dataset_config import Retention
from pharmaetl.errors import ConflictError
from pharmaetl.lake import layout, manifest, marks
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.prune import Request, prune
from pharmaetl.lake.storage import Storage
from pharmaetl.local import recording
from pharmaetl.place import Place, open_lake
from pharmaetl.run_options import RunOptions

pytest_plugins = ["s3_fixtures"]

LONG = os.environ.get("PHARMAETL_FAULTS") == "long"
SECONDS, SECONDS_ON_S3 = (60, 60) if LONG else (10, 6)
SEED = int(os.environ.get("PHARMAETL_SEED") or random.randrange(10**6))


def start(lake: str, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        **(env or {}),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PHARMAETL_DATASETS": str(DATASETS),
    }
    command = [sys.executable, rivals.__file__, words[0], lake, *words[1:]]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ends(processes: list[subprocess.Popen[str]], seconds: float = 900 if LONG else 150) -> list[dict[str, int]]:
    """What each process says it did; none of them failed."""
    said = [process.communicate(timeout=seconds) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, errors[-3000:]
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def use(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty lake on a server that this process and those that it starts are set up for."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{server.new_bucket()}/drugs"


def assert_nothing_lost(storage: Storage, workers: int, each: int) -> None:
    log = linear(storage)
    wanted = {rivals.run_id_of(worker, number) for worker in range(workers) for number in range(each)}
    assert len(log) == workers * each
    assert {entry.run_id for entry in log} == wanted
    assert manifest.verify(storage, "nsde") == ()


def test_eight_processes_publish_200_versions_on_a_disk_and_lose_none(tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    done = ends([start(lake, "publish", str(worker), "25") for worker in range(8)])
    assert [each["published"] for each in done] == [25] * 8
    assert_nothing_lost(open_lake(lake), 8, 25)


def test_processes_that_publish_on_a_real_s3_server_lose_nothing(
    seaweed_s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = use(seaweed_s3, monkeypatch)
    workers, each = (8, 25) if LONG else (4, 6)
    ends([start(lake, "publish", str(worker), str(each)) for worker in range(workers)])
    assert_nothing_lost(open_lake(lake), workers, each)


def test_lost_answers_conflicts_and_throttling_lose_nothing(moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = use(moto_s3, monkeypatch)
    workers, each = (8, 25) if LONG else (3, 6)
    with faulty(moto_s3.endpoint, SEED) as (endpoint, faults):
        env = {"AWS_ENDPOINT_URL": endpoint}
        ends([start(lake, "publish", str(worker), str(each), env=env) for worker in range(workers)])
    assert sum(faults[kind] for kind in SHARES) > 0, (SEED, faults)
    assert_nothing_lost(open_lake(lake), workers, each)


def releases(folder: Path) -> list[str]:
    """Three releases, each a little larger than the one before, so that none looks shrunk."""
    made = [a_release(folder / f"{n}.zip", [*rows(60), *(a_row(70 + extra) for extra in range(n))]) for n in range(3)]
    return [str(path) for path in made]


def publish_first(lake: str, source: str) -> None:
    """A version for readers and rollbacks from the first moment on."""
    assert api.run(Place(lake, str(DATASETS)), "nsde", RunOptions(source=source)).outcome == "published"


@pytest.mark.engine
def test_runs_rollbacks_prunings_and_readers_leave_a_sound_lake(tmp_path: Path) -> None:
    lake, sources = str(tmp_path / "lake"), releases(tmp_path)
    publish_first(lake, sources[0])
    crowd = [start(lake, "run", str(SECONDS), *sources), start(lake, "run", str(SECONDS), *reversed(sources))]
    crowd += [start(lake, "roll", str(SECONDS)), start(lake, "prune", str(SECONDS))]
    crowd += [start(lake, "read", str(SECONDS)) for _ in range(4)]
    assert_sound(lake, ends(crowd))


@pytest.mark.engine
def test_the_same_crowd_leaves_a_sound_lake_on_s3(
    moto_s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, sources = use(moto_s3, monkeypatch), releases(tmp_path)
    publish_first(lake, sources[0])
    crowd = [start(lake, "run", str(SECONDS_ON_S3), *sources)]
    crowd += [start(lake, "roll", str(SECONDS_ON_S3)), start(lake, "prune", str(SECONDS_ON_S3))]
    crowd += [start(lake, "read", str(SECONDS_ON_S3)) for _ in range(2)]
    assert_sound(lake, ends(crowd))


def assert_sound(lake: str, did: list[dict[str, int]]) -> None:
    """Everybody did something, no reader saw a broken version, and the lake verifies."""
    storage = open_lake(lake)
    readers = [each for each in did if "looked" in each]
    assert readers
    assert [set(each) for each in readers] == [{"looked"}] * len(readers), readers
    published = 1 + sum(each.get("published", 0) for each in did)
    assert published >= 2, did
    assert sum(each.get("pruned", 0) for each in did) >= 2, did
    assert not [word for each in did for word in each if word.startswith("refused")], did
    log = linear(storage)
    assert len([entry for entry in log if entry.action == "publish"]) == published, did
    errors = [finding for finding in manifest.verify(storage, "nsde") if finding.severity == "error"]
    assert errors == []


def wait_at_the_commit(monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """Let something else happen right before a run's commit, once."""
    real, waiting = manifest.commit, [then]

    def commit(*words: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*words)

    monkeypatch.setattr(manifest, "commit", commit)


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A lake on this machine's disk, and one on S3."""
    if request.param == "disk":
        return a_place(tmp_path)
    return Place(use(request.getfixturevalue("moto_s3"), monkeypatch), str(DATASETS))


def full_run(place: Place, source: Path) -> RunRecord:
    return api.run(place, "nsde", RunOptions(source=str(source)))


@pytest.mark.engine
def test_of_two_full_runs_of_one_source_one_publishes_and_one_says_so(
    place: Place, one_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_release(tmp_path / "a.zip", rows(30))
    first: list[RunRecord] = []
    wait_at_the_commit(monkeypatch, lambda: first.append(full_run(place, source)))
    second = full_run(place, source)
    assert (first[0].outcome, second.outcome) == ("published", "skipped")
    assert second.reason == f"already published by {first[0].run_id}"
    assert len(linear(place.storage)) == 1


@pytest.mark.engine
def test_of_two_full_runs_of_different_sources_the_later_commit_is_a_conflict(
    place: Place, one_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_at_the_commit(monkeypatch, lambda: full_run(place, a_release(tmp_path / "b.zip", rows(31))))
    with pytest.raises(ConflictError, match="was published first") as lost:
        full_run(place, a_release(tmp_path / "a.zip", rows(30)))
    assert lost.value.exit_code == 6
    assert api.run_record(place, str(lost.value.run_id)).outcome == "failed"
    (entry,) = linear(place.storage)
    assert entry.tables[0].rows == 31


@pytest.mark.engine
def test_a_clock_that_jumps_changes_no_order_and_no_run_is_lost(
    one_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten years ahead, back again, a day back, the same second twice: the log is ordered by number, not by time."""
    monkeypatch.setattr(os, "fsync", no_flush)
    place, start_at = a_place(tmp_path), datetime(2026, 11, 23, 3, tzinfo=UTC)
    jumps = [timedelta(0), timedelta(days=3650), timedelta(0), timedelta(days=-1), timedelta(0)]
    records = []
    for number, jump in enumerate(jumps):
        moment = start_at + jump
        monkeypatch.setattr(recording, "now", lambda moment=moment: moment)
        monkeypatch.setattr(manifest, "_now", lambda moment=moment: moment.isoformat().replace("+00:00", "Z"))
        records.append(full_run(place, a_release(tmp_path / f"{number}.zip", rows(30 + number))))
    log = linear(place.storage)
    assert [entry.run_id for entry in log] == [record.run_id for record in records]
    assert log[-1].tables[0].rows == 34
    assert [finding for finding in api.verify(place, "nsde") if finding.severity == "error"] == []
    assert api.rollback(place, "nsde", None, "").run_id == records[3].run_id


@pytest.mark.engine
def test_the_id_of_a_version_that_prune_gave_up_is_never_taken_again(
    one_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record went with its files, and the same inputs in the same second (a clock set back) make the same id."""
    monkeypatch.setattr(os, "fsync", no_flush)
    monkeypatch.setattr(recording, "now", lambda: datetime(2026, 11, 23, 3, tzinfo=UTC))
    place, sources = a_place(tmp_path), [a_release(tmp_path / f"{n}.zip", rows(30 + n)) for n in range(3)]
    first, *_ = [full_run(place, source) for source in sources]
    monkeypatch.setattr(marks, "KEPT_RECORDS", 1)
    request = Request("nsde", {"nsde": Retention(versions=1, days=0)}, grace_hours=0)
    prune(place.storage, request, now=time.time() + 86_400)
    assert not place.storage.exists(layout.run_record("nsde", first.run_id))
    again = api.run(place, "nsde", RunOptions(source=str(sources[0])))
    assert (again.outcome, again.run_id[:16]) == ("published", "20261123T030001Z")
    assert len(linear(place.storage)) == 4


def test_publishing_on_s3_needs_as_many_requests_with_a_long_log_as_with_a_short_one(
    moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_lake(use(moto_s3, monkeypatch))
    assert isinstance(storage, S3Storage)
    sent: list[str] = []
    storage.client.meta.events.register("before-call.s3", lambda model, **_: sent.append(model.name))
    needed = []
    for number in range(12):
        sent.clear()
        rivals.publisher(storage, number, 1)
        needed.append(len(sent))
    assert needed[1:] == [needed[1]] * 11
    assert publish(storage, "20271121T030000Z-bbbbbbbb").sequence == 13
