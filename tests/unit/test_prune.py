"""Mark and sweep: what goes, what stays, and what happens to those who come in between."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from publishing import RUN_A, RUN_B, RUN_C, RUN_D, candidate, edit, no_flush, record

from pharmaetl.config.dataset_config import Retention
from pharmaetl.errors import ConflictError, LocalIOError, RefusedError
from pharmaetl.lake import layout, manifest, notice, pruned, runs
from pharmaetl.lake.documents import LogEntry
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.process import process_name
from pharmaetl.lake.prune import Pruning, Request, prune

LAST_ONE = {"nsde": Retention(versions=1, days=0)}
DAY = 86_400.0


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", no_flush)
    return tmp_path / "lake"


@pytest.fixture
def storage(lake: Path) -> LocalStorage:
    return LocalStorage(lake)


def source_of(run_id: str) -> str:
    return hashlib.sha256(run_id.encode()).hexdigest()


def leave(storage: LocalStorage, run_id: str) -> None:
    """What a run has made before it publishes."""
    sha256 = source_of(run_id)
    storage.create(layout.source_record("nsde", sha256), b"{}")
    storage.create(f"{layout.raw_dir('nsde', sha256)}/nsde.zip", b"zip of " + run_id.encode())
    storage.create(layout.unpacked("nsde", sha256, "nsde.csv"), b"text")
    storage.create(f"{layout.bronze_dir('nsde', None, run_id)}/part-00000.parquet", b"bronze")
    storage.create(f"{layout.quarantine_dir('nsde', None, run_id)}/part-00000.parquet", b"refused")


def publish(storage: LocalStorage, *run_ids: str) -> LogEntry:
    for run_id in run_ids:
        leave(storage, run_id)
        version = candidate(storage, run_id, source=source_of(run_id))
        entry = manifest.commit(storage, version, manifest.current(storage, "nsde"))
        ended: dict[str, Any] = {
            "outcome": "published",
            "source": {"url": "u", "sha256": source_of(run_id)},
            "ended_at": "2026",
        }
        runs.save(storage, record(run_id, **ended))
        storage.create(layout.lineage_events("nsde", run_id), b"{}")
    return entry


def files(storage: LocalStorage) -> set[str]:
    return {stored.path for stored in storage.list("")}


def of_run(paths: Iterable[str], run_id: str) -> list[str]:
    """The paths that belong to a run, the source that it was made of included."""
    return sorted(path for path in paths if f"run={run_id}" in path or source_of(run_id) in path)


def swept(storage: LocalStorage, *, grace_hours: float = 0, **more: Any) -> Pruning:
    return prune(storage, Request(grace_hours=grace_hours, **more))


def test_what_a_failed_run_left_goes_and_published_versions_stay(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)
    before = files(storage)
    leave(storage, RUN_C)
    runs.save(storage, record(RUN_C, outcome="failed"))

    done = swept(storage)

    assert files(storage) == before | {f"runs/nsde/{RUN_C}.json"}
    assert sorted(doomed.path for doomed in done.removed) == [
        f"bronze/nsde/run={RUN_C}/part-00000.parquet",
        f"quarantine/nsde/run={RUN_C}/part-00000.parquet",
        f"raw/nsde/sha256={source_of(RUN_C)}/nsde.zip",
        f"raw/nsde/sha256={source_of(RUN_C)}/source.json",
        f"raw/nsde/sha256={source_of(RUN_C)}/unpacked/nsde.csv",
    ]
    assert done.bytes == 6 + 7 + 32 + 2 + 4
    assert {doomed.reason for doomed in done.removed} == {
        f"run {RUN_C} was never published: failed",
        "no kept version and no running run was made of it",
    }
    assert done.versions == ()
    assert not (storage.root / Path(f"bronze/nsde/run={RUN_C}")).exists()


def test_a_dry_run_says_the_same_and_removes_nothing(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)
    leave(storage, RUN_C)
    before = files(storage)

    said = swept(storage, dry_run=True, retentions=LAST_ONE)

    assert files(storage) == before
    done = swept(storage, retentions=LAST_ONE)
    assert (said.removed, [version.run_id for version in said.versions]) == (done.removed, [RUN_A])
    assert files(storage) == (before - {doomed.path for doomed in done.removed}) | {
        f"manifests/nsde/pruned/{RUN_A}.json"
    }


def test_what_is_young_or_from_the_future_stays_and_is_told_of(storage: LocalStorage, lake: Path) -> None:
    leave(storage, RUN_C)
    now = time.time()
    for name, age in [("bronze", 3 * DAY + 60), ("quarantine", 3 * DAY - 60), ("raw", -400 * DAY)]:
        for stored in storage.list(name):
            os.utime(lake / stored.path, (now - age, now - age))

    done = prune(storage, Request(), now)

    assert [doomed.path.split("/")[0] for doomed in done.removed] == ["bronze"]
    assert [doomed.path.split("/")[0] for doomed in done.young] == ["quarantine", "raw", "raw", "raw"]


def test_a_running_run_keeps_everything_it_made_or_reads_however_old(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    leave(storage, RUN_C)
    source = {"url": "u", "sha256": source_of(RUN_C)}
    for process in (process_name(), "elsewhere:1"):
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        runs.save(storage, record(RUN_C, process=process, source=source, started_at=started))
        assert swept(storage).removed == ()

    runs.save(storage, record(RUN_C, process=process_name().split(":")[0] + ":999999999", source=source))
    assert {doomed.reason for doomed in swept(storage).removed} == {
        f"run {RUN_C} was never published: dead",
        "no kept version and no running run was made of it",
    }


def test_a_run_of_another_host_is_believed_to_run_for_a_week(storage: LocalStorage) -> None:
    leave(storage, RUN_C)
    source = {"url": "u", "sha256": source_of(RUN_C)}
    runs.save(storage, record(RUN_C, process="elsewhere:1", started_at="2026-11-23T00:00:00Z", source=source))
    start = 1_795_392_000.0  # that time
    assert prune(storage, Request(grace_hours=0, dry_run=True), start + 7 * DAY - 1).removed == ()
    bronze = f"bronze/nsde/run={RUN_C}/part-00000.parquet"
    later = prune(storage, Request(grace_hours=0, dry_run=True), start + 8 * DAY).removed
    assert bronze in {doomed.path for doomed in later}


def test_an_expired_version_loses_its_files_but_not_its_entry(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)

    done = swept(storage, retentions=LAST_ONE)

    assert [(version.run_id, version.bytes) for version in done.versions] == [(RUN_A, 70)]
    assert of_run(files(storage), RUN_A) == []
    assert len(of_run(files(storage), RUN_B)) == 7
    assert [entry.run_id for entry in manifest.entries(storage, "nsde")] == [RUN_A, RUN_B]
    assert [found for found in manifest.verify(storage, "nsde") if found.path.startswith("silver")] == []
    assert pruned.read_all(storage, "nsde")[RUN_A].reason == "beyond the newest 1, and not current for 0 days"
    with pytest.raises(RefusedError, match=f"can't go back to {RUN_A}: `prune` has removed the files"):
        manifest.rollback(storage, "nsde", RUN_A, "")
    assert swept(storage, retentions=LAST_ONE).removed == ()


def test_a_source_that_a_kept_version_was_also_made_of_stays(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    version = candidate(storage, RUN_B, source=source_of(RUN_A), code="newer code")
    manifest.commit(storage, version, manifest.current(storage, "nsde"))

    swept(storage, retentions=LAST_ONE)

    assert [path for path in of_run(files(storage), RUN_A) if path.startswith("raw")] == [
        f"raw/nsde/sha256={source_of(RUN_A)}/nsde.zip",
        f"raw/nsde/sha256={source_of(RUN_A)}/source.json",
        f"raw/nsde/sha256={source_of(RUN_A)}/unpacked/nsde.csv",
    ]


def test_a_version_that_a_rollback_made_current_stays(storage: LocalStorage) -> None:
    publish(storage, RUN_A, RUN_B)
    manifest.rollback(storage, "nsde", RUN_A, "")

    assert [version.run_id for version in swept(storage, retentions=LAST_ONE).versions] == [RUN_B]
    assert len(of_run(files(storage), RUN_A)) == 7


def test_a_foreign_file_in_a_published_folder_goes(storage: LocalStorage) -> None:
    entry = publish(storage, RUN_A)
    storage.create(f"{entry.tables[0].path}/part-9.parquet", b"x")
    assert [doomed.reason for doomed in swept(storage).removed] == [
        "in the folder of a published table, but no entry lists it"
    ]


def test_what_pharmaetl_has_not_made_is_left_alone(storage: LocalStorage) -> None:
    strange = {"silver/nsde/README", "raw/nsde/notes/x", "gold/nsde/run=1/part", "contracts/nsde/00000001.json", "x/y"}
    for path in strange:
        storage.create(path, b"mine")
    assert swept(storage).removed == ()
    assert files(storage) == strange


def damaged_entry(storage: LocalStorage, lake: Path) -> None:
    (lake / "manifests/nsde/00000001.json").write_bytes(b"{")


def lost_end(storage: LocalStorage, lake: Path) -> None:
    (lake / "manifests/nsde/00000002.json").unlink()


def lost_end_and_state(storage: LocalStorage, lake: Path) -> None:
    lost_end(storage, lake)
    (lake / "manifests/nsde.json").unlink()


def lost_log(storage: LocalStorage, lake: Path) -> None:
    for stored in list(storage.list("manifests")):
        storage.delete(stored.path)


@pytest.mark.parametrize("damage", [damaged_entry, lost_end, lost_end_and_state, lost_log])
def test_nothing_goes_where_the_log_can_not_be_relied_on(
    storage: LocalStorage, lake: Path, damage: Callable[[LocalStorage, Path], None]
) -> None:
    publish(storage, RUN_A, RUN_B)
    leave(storage, RUN_C)
    damage(storage, lake)
    before = files(storage)

    done = swept(storage, retentions=LAST_ONE)

    assert (done.removed, [refusal.dataset for refusal in done.refused]) == ((), ["nsde"])
    assert files(storage) == before


def test_a_log_that_can_not_be_relied_on_does_not_stop_other_datasets(storage: LocalStorage, lake: Path) -> None:
    publish(storage, RUN_A)
    damaged_entry(storage, lake)
    storage.create(f"bronze/cder/run={RUN_C}/part-00000.parquet", b"bronze")
    done = swept(storage)
    assert ([doomed.dataset for doomed in done.removed], [one.dataset for one in done.refused]) == (["cder"], ["nsde"])


def test_records_go_by_retention_alone_and_never_the_newest_nor_those_of_kept_versions(storage: LocalStorage) -> None:
    publish(storage, RUN_A)
    old = [f"20260101T0000{number:02}Z-00000000" for number in range(30)]
    for run_id in old:
        ended = "2026-01-01T00:00:00Z"
        runs.save(storage, record(run_id, outcome="skipped", started_at=ended, ended_at=ended))
        storage.create(layout.lineage_events("nsde", run_id), b"{}")
    assert swept(storage).removed == ()
    now = time.time() + 40 * DAY

    month = {"nsde": Retention(versions=1, days=39)}
    done = prune(storage, Request(grace_hours=0, retentions=month, dry_run=True), now)
    later = prune(storage, Request(grace_hours=0, retentions=month), now)

    # the newest twenty are RUN_A and nineteen of these; a real pruning also asks the storage's own clock
    assert sorted({doomed.run_id for doomed in done.removed}) == old[:11]
    assert len(done.removed) == 22
    assert later.removed == ()


def test_a_pruning_that_dies_half_way_leaves_a_sound_lake_and_the_next_one_goes_on(storage: LocalStorage) -> None:
    class Dying(LocalStorage):
        left = 0

        def delete(self, path: str) -> None:
            if not path.startswith(".work"):
                if self.left == 0:
                    raise LocalIOError("the machine is gone")
                self.left -= 1
            super().delete(path)

    publish(storage, RUN_A, RUN_B)
    dying = Dying(Path(storage.root))
    for deletions in (0, 1, 2, 1):
        dying.left = deletions
        with pytest.raises(LocalIOError):
            swept(dying, retentions=LAST_ONE)
        problems = [found for found in manifest.verify(storage, "nsde") if "silver" in found.path]
        assert problems == []
        with pytest.raises(RefusedError):
            manifest.rollback(storage, "nsde", RUN_A, "")
    swept(storage)  # even without the retention: a version that was given up stays so
    assert of_run(files(storage), RUN_A) == []


def test_of_a_raw_folder_the_record_goes_first(storage: LocalStorage) -> None:
    leave(storage, RUN_A)
    raw = [doomed.path for doomed in swept(storage).removed if doomed.path.startswith("raw")]
    assert raw[0].endswith("/source.json")


class Meanwhile(LocalStorage):
    """A storage in which something happens as soon as a notice of a pruning stands."""

    happens: Callable[[], None] | None = None

    def create(self, path: str, data: bytes) -> bool:
        created = super().create(path, data)
        if path.startswith(".work/notices") and self.happens is not None:
            happens, self.happens = self.happens, None
            happens()
        return created


def test_a_run_that_begins_before_the_second_look_keeps_what_it_needs(lake: Path) -> None:
    storage = Meanwhile(lake)
    publish(storage, RUN_A)
    leave(storage, RUN_C)
    before = files(storage)
    storage.happens = lambda: runs.save(
        LocalStorage(lake),
        record(RUN_D, process=process_name(), source={"url": "u", "sha256": source_of(RUN_C)}),
    )

    done = swept(storage)

    assert {doomed.path.split("/")[0] for doomed in done.removed} == {"bronze", "quarantine"}
    assert files(storage) - before == {f"runs/nsde/{RUN_D}.json"}
    assert [path.split("/")[0] for path in of_run(files(storage), RUN_C)] == ["raw", "raw", "raw"]


def test_a_run_that_needs_what_is_being_removed_waits_for_the_end(storage: LocalStorage) -> None:
    said: list[str] = []
    with notice.announced(storage, "nsde", "prune", sources=[source_of(RUN_A)]):
        with pytest.raises(ConflictError, match="is at `prune` of nsde since"):
            notice.wait_until_clear(storage, "nsde", RUN_D, source_of(RUN_A), note=said.append, seconds=0)
        assert notice.wait_until_clear(storage, "nsde", RUN_D, "another", note=said.append, seconds=0) is False
    assert notice.wait_until_clear(storage, "nsde", RUN_D, source_of(RUN_A), note=said.append, seconds=0) is False
    assert len(said) == 1


def test_a_rollback_that_begins_first_keeps_its_version(lake: Path) -> None:
    storage = LocalStorage(lake)
    publish(storage, RUN_A, RUN_B)
    with notice.announced(storage, "nsde", "rollback", runs=[RUN_A]):
        assert swept(storage, retentions=LAST_ONE).versions == ()
    assert len(of_run(files(storage), RUN_A)) == 7


def test_a_rollback_to_a_version_that_is_going_is_refused(lake: Path) -> None:
    storage = Meanwhile(lake)
    publish(storage, RUN_A, RUN_B)
    refused: list[str] = []

    def roll_back() -> None:
        with pytest.raises(RefusedError) as raised:
            manifest.rollback(LocalStorage(lake), "nsde", RUN_A, "")
        refused.append(raised.value.reason)

    storage.happens = roll_back
    swept(storage, retentions=LAST_ONE)

    assert refused == [f"can't go back to {RUN_A}: `prune` is at the files of that version"]
    assert manifest.entries(storage, "nsde")[-1].run_id == RUN_B


def test_a_rollback_whose_version_went_while_it_checked_the_files_is_refused(lake: Path) -> None:
    class JustBefore(LocalStorage):
        """A whole pruning happens after the rollback has read the files, just before it announces itself."""

        def create(self, path: str, data: bytes) -> bool:
            if path.startswith(".work/notices"):
                swept(LocalStorage(lake), retentions=LAST_ONE)
            return super().create(path, data)

    publish(LocalStorage(lake), RUN_A, RUN_B)
    with pytest.raises(RefusedError, match="`prune` has removed the files of that version"):
        manifest.rollback(JustBefore(lake), "nsde", RUN_A, "")
    assert manifest.entries(LocalStorage(lake), "nsde")[-1].run_id == RUN_B


def test_what_the_second_look_no_longer_finds_expired_stays(lake: Path) -> None:
    storage = Meanwhile(lake)
    publish(storage, RUN_A, RUN_B, RUN_C)
    storage.happens = lambda: edit(lake, "manifests/nsde/00000003.json", published_at="2099-01-01T00:00:00Z")
    done = swept(storage, retentions=LAST_ONE)
    assert [version.run_id for version in done.versions] == [RUN_A]
    assert len(of_run(files(storage), RUN_B)) == 7


def test_notices_of_the_dead_are_void_and_removed(storage: LocalStorage) -> None:
    with notice.announced(storage, "nsde", "prune", runs=[RUN_A]) as path:
        data = storage.read(path).replace(
            process_name().encode(), process_name().split(":")[0].encode() + b":999999999"
        )
        assert len(notice.standing(storage, "nsde", ["prune"])) == 1
        storage.replace(path, data)
        assert notice.standing(storage, "nsde", ["prune"]) == ()
        assert [doomed.path for doomed in swept(storage, grace_hours=72).removed] == [path]


def test_a_notice_of_another_host_counts_for_its_lease(storage: LocalStorage, lake: Path) -> None:
    with notice.announced(storage, "nsde", "prune", runs=[RUN_A]) as path:
        storage.replace(path, storage.read(path).replace(process_name().encode(), b"elsewhere:1"))
        assert len(notice.standing(storage, "nsde", ["prune"])) == 1
        os.utime(lake / path, (0, time.time() - notice.LEASE_SECONDS - 1))
        assert notice.standing(storage, "nsde", ["prune"]) == ()
