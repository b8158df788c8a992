"""What a run that died without a word left open is closed by the next one of its dataset."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from configs import a_config
from publishing import RUN_A, RUN_B, RUN_C, no_flush, publish, record

from pharmaetl.catalog import Dataset
from pharmaetl.engine import Shared
from pharmaetl.errors import ConflictError, LocalIOError
from pharmaetl.lake import layout, notice, runs
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.process import process_name
from pharmaetl.local import recording
from pharmaetl.local.state import Run
from pharmaetl.run_options import RunOptions
from pharmaetl.watch import Silent

GONE = f"{socket.gethostname()}:999999999"


class Noting(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
    monkeypatch.setattr(os, "fsync", no_flush)
    return LocalStorage(tmp_path / "lake")


@pytest.fixture
def engines() -> Iterator[Shared]:
    with closing(Shared()) as shared:
        yield shared


@pytest.fixture
def state(storage: LocalStorage, tmp_path: Path, engines: Shared) -> Run:
    """A run of nsde that has no id yet."""
    folder = tmp_path / "datasets" / "fda" / "nsde"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "dataset.json").write_text(json.dumps(a_config(dataset="nsde")))
    work = tmp_path / "lake" / ".work" / "nsde-0123456789ab"
    work.mkdir(parents=True)
    started = datetime(2026, 11, 24, 3, tzinfo=UTC)
    return Run(storage, Dataset(folder), RunOptions(), Noting(), work, started=started, engines=engines)


def events(storage: LocalStorage, run_id: str) -> list[str]:
    lines = storage.read(layout.lineage_events("nsde", run_id)).decode().splitlines()
    return [json.loads(line)["eventType"] for line in lines]


def outcome(storage: LocalStorage, run_id: str) -> tuple[str, str | None]:
    found = runs.read(storage, "nsde", run_id)
    return found.outcome, found.error.code if found.error else None


def test_the_next_run_closes_record_and_lineage_of_a_dead_one(storage: LocalStorage, state: Run) -> None:
    runs.save(storage, record(RUN_A, process=GONE))
    runs.save(storage, record(RUN_B, process="elsewhere:1"))
    runs.save(storage, record(RUN_C, "cder", process=GONE))

    recording.claim(state)

    assert outcome(storage, RUN_A) == ("failed", "dead")
    assert runs.read(storage, "nsde", RUN_A).ended_at is not None
    assert events(storage, RUN_A) == ["START", "FAIL"]
    assert outcome(storage, RUN_B) == ("running", None)
    assert runs.read(storage, "cder", RUN_C).outcome == "running"
    assert outcome(storage, state.run_id) == ("running", None)
    assert list(storage.list(".work/notices")) == []


def test_a_run_that_died_after_its_commit_is_closed_as_published(storage: LocalStorage, state: Run) -> None:
    publish(storage, RUN_A)
    runs.save(storage, record(RUN_A, process=GONE))

    recording.claim(state)

    assert outcome(storage, RUN_A) == ("published", None)
    assert events(storage, RUN_A) == ["START", "COMPLETE"]


def test_a_run_that_died_between_its_record_and_its_lineage_gets_the_lineage(storage: LocalStorage, state: Run) -> None:
    runs.save(storage, record(RUN_A, outcome="skipped", ended_at="2026-11-20T03:01:00Z"))
    recording.claim(state)
    assert events(storage, RUN_A) == ["START", "COMPLETE"]


def test_a_run_that_fails_before_it_has_a_source_closes_dead_ones_too(storage: LocalStorage, state: Run) -> None:
    runs.save(storage, record(RUN_A, process=GONE))
    error = recording.failed(state, LocalIOError("no such file"))
    assert outcome(storage, RUN_A) == ("failed", "dead")
    assert error.run_id is not None
    assert outcome(storage, error.run_id) == ("failed", "local_io")


def test_two_runs_that_fail_in_one_second_without_a_source_have_two_records(storage: LocalStorage, state: Run) -> None:
    twin = Run(
        storage, state.dataset, state.options, Noting(), state.work, started=state.started, engines=state.engines
    )
    both = {recording.failed(one, LocalIOError("no such file")).run_id for one in (state, twin)}
    assert both == {found.run_id for found in runs.recent(storage, "nsde", 10)}
    assert len(both) == 2


def test_a_record_that_can_not_be_read_stops_no_run(storage: LocalStorage, state: Run) -> None:
    storage.create(f"runs/nsde/{RUN_A}.json", b"{")
    runs.save(storage, record(RUN_B, process=GONE))
    recording.claim(state)
    assert outcome(storage, RUN_B) == ("failed", "dead")


def test_closing_that_fails_stops_no_run(storage: LocalStorage, state: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise LocalIOError("the disk is full")

    runs.save(storage, record(RUN_A, process=GONE))
    monkeypatch.setattr("pharmaetl.lineage.write", full)
    recording.claim(state)
    assert outcome(storage, RUN_A) == ("running", None)
    assert isinstance(state.watch, Noting)
    assert state.watch.notes == ["what a dead run left unfinished stays so for now: the disk is full"]


def test_a_dead_run_that_is_resumed_meanwhile_is_left_alone(
    storage: LocalStorage, state: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Resuming(LocalStorage):
        """Somebody resumes RUN_A at the moment at which the closing of it is announced."""

        def create(self, path: str, data: bytes) -> bool:
            if path.startswith(".work/notices"):
                runs.save(storage, record(RUN_A, process=process_name()))
            return super().create(path, data)

    runs.save(storage, record(RUN_A, process=GONE))
    state.storage = Resuming(Path(storage.root))
    recording.claim(state)
    assert outcome(storage, RUN_A) == ("running", None)


def test_who_resumes_a_run_that_is_being_closed_waits_and_says_again_that_it_runs(
    storage: LocalStorage, state: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing = notice.announced(storage, "nsde", "close", runs=[RUN_A])
    closing.__enter__()

    def ends(_: float) -> None:
        runs.save(storage, record(RUN_A, outcome="failed", ended_at="2026-11-24T03:00:00Z"))
        closing.__exit__(None, None, None)

    monkeypatch.setattr("time.sleep", ends)
    state.run_id = RUN_A
    recording.claim(state)
    assert outcome(storage, RUN_A) == ("running", None)
    assert isinstance(state.watch, Noting)
    assert state.watch.notes == [
        f"waiting for {process_name()}, which is at `close` with files of {RUN_A} or its source"
    ]


def test_a_run_gives_up_where_what_it_waits_for_hangs(
    storage: LocalStorage, state: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "LEASE_SECONDS", 0.0)
    state.run_id = RUN_A
    with notice.announced(storage, "nsde", "prune", runs=[RUN_A]), pytest.raises(ConflictError, match="is at `prune`"):
        recording.claim(state)


def test_a_record_reads_back_as_it_was_closed(storage: LocalStorage, state: Run) -> None:
    runs.save(storage, record(RUN_A, process=GONE))
    recording.claim(state)
    closed = runs.read(storage, "nsde", RUN_A)
    assert isinstance(closed, RunRecord)
    assert runs.as_ended(storage, closed) == closed
