"""A run on AWS, state by state, over a lake in a folder and the embedded engine: every way it can go, and go twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cloud import DATASETS, MALFORMED, Execution, a_release, records
from pyspark.sql import SparkSession

from pharmaetl import api, engine
from pharmaetl.aws import collecting
from pharmaetl.aws.events import FetchResult, PublishResult
from pharmaetl.errors import ConflictError, EngineError, GateError, LocalIOError, SourceFormatError, UnavailableError
from pharmaetl.lake import manifest, publishlog
from pharmaetl.local import recording, runner
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with engine.Engine(engine.choose("sail"), tmp_path_factory.mktemp("engine")) as running:
        yield running.session


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "lake"), str(DATASETS))


def published(result: PublishResult | FetchResult) -> PublishResult:
    assert isinstance(result, PublishResult)
    return result


def of_one_day(document: Any, version: str) -> Any:
    """A document as one of any other day would be: what a version is called stands in sentences too."""
    return json.loads(json.dumps(document.model_dump(mode="json")).replace(version, "<day>"))


def same_but_for(cloud: Any, local: Any, *free: str) -> None:
    """Two documents are equal, but for keys that name a moment, a run or a place."""
    if isinstance(cloud, dict):
        assert cloud.keys() == local.keys()
        for key in cloud.keys() - set(free):
            same_but_for(cloud[key], local[key], *free)
    elif isinstance(cloud, list):
        assert len(cloud) == len(local)
        for one, other in zip(cloud, local, strict=True):
            same_but_for(one, other, *free)
    else:
        assert cloud == local


MOMENTS = ("run_id", "commit_id", "published_at", "fetched_at", "started_at", "ended_at", "seconds", "version")
PLACES = ("path", "engine", "process")


def test_a_new_source_gives_the_manifest_and_record_of_a_laptop(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    source = a_release(tmp_path / "a.zip", 40, more=[MALFORMED])
    result = published(Execution(place, spark).run(source))
    assert (result.outcome, result.run_id[:16], result.sequence, result.rows) == (
        "published",
        "20261123T031500Z",
        1,
        40,
    )
    assert result.reason == "first run"
    laptop = Place(str(tmp_path / "laptop"), str(DATASETS))
    api.run(laptop, "nsde", RunOptions(source=str(source), engine="sail"))
    for cloud, local in (
        (api.manifest(place, "nsde").current, api.manifest(laptop, "nsde").current),
        (records(place)[0], records(laptop)[0]),
    ):
        assert cloud is not None
        assert local is not None
        # the files' own hashes cover the run id in their rows
        days = [of_one_day(document, str(document.version)) for document in (cloud, local)]
        same_but_for(*days, *MOMENTS, *PLACES, "sha256")
    events = [
        [json.loads(line) for line in next(Path(lake.lake, "lineage", "nsde").iterdir()).read_text().splitlines()]
        for lake in (place, laptop)
    ]
    same_but_for(events[0], events[1], "eventTime", "runId", "name", "namespace")
    assert api.verify(place, "nsde") == ()
    assert [run.outcome for run in api.runs(place, "nsde", 9)] == ["published"]
    assert {file.parts[0] for file in files(place)} == {
        "bronze",
        "silver",
        "quarantine",
        "raw",
        "runs",
        "lineage",
        "manifests",
        ".work",
    }


def files(place: Place) -> list[Path]:
    root = Path(place.lake)
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def test_an_unchanged_source_ends_the_run_and_uploads_nothing(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    source = a_release(tmp_path / "a.zip", 20)
    first = published(Execution(place, spark).run(source))
    before = files(place)
    second = Execution(place, None, "two", "2026-11-24T03:15:00.000Z").fetch(source)
    expected = {
        "changed": False,
        "reason": f"source unchanged since {first.run_id}",
        "version": first.version,
        "raw_path": None,
        "bronze_workers": 0,
    }
    assert second.model_dump().items() >= expected.items()
    assert [str(path.parent) for path in files(place) if path not in before] == ["lineage/nsde", "runs/nsde"]
    assert [record.outcome for record in records(place)] == ["published", "skipped"]


def test_force_publishes_an_unchanged_source_again(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    source = a_release(tmp_path / "a.zip", 20)
    first = published(Execution(place, spark).run(source))
    result = published(Execution(place, spark, "two", "2026-11-24T03:15:00Z").run(source, force=True))
    assert (result.sequence, result.reason) == (2, f"forced (source unchanged since {first.run_id})")


def test_refused_data_publishes_nothing_and_shows_rows_that_break_the_rule(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    Execution(place, spark).run(a_release(tmp_path / "a.zip", 60))
    bad = Execution(place, spark, "two", "2026-11-24T03:15:00Z")
    bad.fetch(a_release(tmp_path / "b.zip", 20, name="Other"))
    bad.job("bronze")
    bad.job("silver")
    with pytest.raises(GateError, match="ShrinkGuard nsde"):
        bad.publish()
    record = records(place)[-1]
    assert (record.outcome, record.error and record.error.code) == ("failed", "gate")
    assert [step.name for step in record.steps][-1] == "gate"
    assert len(publishlog.entries(place.storage, "nsde")) == 1


def test_shrinking_can_be_accepted_in_the_input(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    Execution(place, spark).run(a_release(tmp_path / "a.zip", 60))
    smaller = a_release(tmp_path / "b.zip", 20)
    result = published(Execution(place, spark, "two", "2026-11-24T03:15:00Z").run(smaller, accept_shrink="a clean-up"))
    assert (result.outcome, result.rows) == ("published", 20)


def test_of_a_job_that_glue_started_twice_exactly_one_attempt_is_listed(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    run.job("bronze")
    run.job("bronze")
    run.job("silver")
    run.job("silver")
    result = run.publish()
    assert result.rows == 30
    assert len(list(Path(place.lake, ".work", f"nsde-{result.run_id}", "silver").iterdir())) == 2
    entry = manifest.current(place.storage, "nsde")
    assert entry is not None
    (table,) = entry.tables
    listed = [file.path for file in table.files]
    assert listed == [stored.path for stored in place.storage.list(table.path)]
    assert sum(pq.read_metadata(place.storage.url(path)).num_rows for path in listed) == 30
    assert api.verify(place, "nsde") == ()


def test_a_fetch_that_is_tried_again_gives_the_same_run_without_asking_the_site(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    source = a_release(tmp_path / "a.zip", 30)
    run = Execution(place, spark)
    first = run.fetch(source)
    source.unlink()
    assert run.fetch(source) == first
    assert len(records(place)) == 1


def test_a_fetch_that_was_cut_off_goes_on_under_its_run_id(
    place: Place, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_release(tmp_path / "a.zip", 30)
    run = Execution(place, spark)

    class KilledError(BaseException):
        """Nothing gets hold of a function that Lambda cuts off."""

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(runner.local_steps, "unpack_source", killed)
        with pytest.raises(KilledError):
            run.fetch(source)
    (record,) = records(place)
    assert (record.outcome, record.process) == ("running", run.arn)
    assert run.fetch(source).run_id == record.run_id
    assert len(records(place)) == 1


def test_a_stopped_executions_record_is_ended_once_no_execution_can_last_so_long(place: Place, tmp_path: Path) -> None:
    stopped = Execution(place, None, "stopped", "2026-11-20T03:15:00Z")
    stopped.fetch(a_release(tmp_path / "a.zip", 3))
    early = Execution(place, None, "early", "2026-11-20T23:15:00Z")
    early.fetch(tmp_path / "a.zip")
    assert [record.outcome for record in records(place)] == ["running", "running"]
    late = Execution(place, None, "late", "2026-11-20T23:15:01Z")
    late.fetch(tmp_path / "a.zip")
    told = records(place)
    assert [record.outcome for record in told] == ["failed", "running", "running"]
    assert told[0].error is not None
    assert (told[0].error.code, told[0].reason) == ("dead", f"its execution ended without a word: {stopped.arn}")
    assert place.storage.exists(f"lineage/nsde/{told[0].run_id}.ndjson")


def test_another_source_at_the_second_try_ends_the_record_of_the_first(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Execution(place, None)
    with monkeypatch.context() as patch:
        patch.setattr(runner.local_steps, "unpack_source", lambda _: 1 / 0)
        patch.setattr(recording, "failed", lambda _, error: error)
        with pytest.raises(ZeroDivisionError):
            run.fetch(a_release(tmp_path / "a.zip", 30))
    again = run.fetch(a_release(tmp_path / "a.zip", 31))
    outcomes = {record.run_id == again.run_id: record.outcome for record in records(place)}
    assert outcomes == {True: "running", False: "failed"}


def test_publishing_that_is_tried_again_returns_what_it_did(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    run = Execution(place, spark)
    first = published(run.run(a_release(tmp_path / "a.zip", 30)))
    assert run.publish() == first
    assert len(publishlog.entries(place.storage, "nsde")) == 1


@pytest.mark.parametrize("dies_in", ["audited", "commit", "finish"])
def test_publishing_that_was_killed_anywhere_converges_when_it_is_tried_again(
    place: Place, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    """Between the copies and the commit, right after the commit, and before the record."""
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 30, more=[MALFORMED]))
    run.job("bronze")
    run.job("silver")

    class KilledError(BaseException):
        """Nothing gets hold of a function that Lambda cuts off."""

    def killed(*_: object) -> None:
        if dies_in == "commit":
            real(*_)
        raise KilledError

    where = {"audited": runner.local_steps, "commit": manifest, "finish": recording}[dies_in]
    with monkeypatch.context() as patch:
        real = getattr(where, dies_in)
        patch.setattr(where, dies_in, killed)
        with pytest.raises(KilledError):
            run.publish()
    assert [record.outcome for record in records(place)] == ["running"]
    result = run.publish()
    assert (result.outcome, result.sequence, result.rows) == ("published", 1, 30)
    assert [record.outcome for record in records(place)] == ["published"]
    assert api.verify(place, "nsde") == ()


def test_of_two_executions_at_once_the_first_commit_wins(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    one, two = Execution(place, spark, "one"), Execution(place, spark, "two")
    for run, rows in ((one, 30), (two, 31)):
        run.fetch(a_release(tmp_path / f"{rows}.zip", rows))
        run.job("bronze")
        run.job("silver")
    assert two.publish().outcome == "published"
    with pytest.raises(ConflictError, match="was published first"):
        one.publish()
    assert {record.outcome for record in records(place)} == {"published", "failed"}
    assert len(publishlog.entries(place.storage, "nsde")) == 1


def test_two_executions_of_one_source_publish_it_once(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    source = a_release(tmp_path / "a.zip", 30)
    one, two = Execution(place, spark, "one"), Execution(place, spark, "two")
    for run in (one, two):
        run.fetch(source)
        run.job("bronze")
        run.job("silver")
    assert one.fetched is not None
    assert two.fetched is not None
    assert one.fetched.run_id != two.fetched.run_id
    assert (one.publish().outcome, two.publish().outcome) == ("published", "skipped")
    assert [record.outcome for record in records(place)] == ["published", "skipped"]


def test_files_of_another_attempt_are_never_mixed_in_nor_overwritten(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    run = Execution(place, spark)
    fetched = run.fetch(a_release(tmp_path / "a.zip", 30))
    run.job("bronze")
    run.job("silver")
    folder = f"silver/nsde/version=2026-11-23/run={fetched.run_id}"
    place.storage.create(f"{folder}/part-00000.parquet", b"of an earlier attempt")
    with pytest.raises(ConflictError, match="with other bytes"):
        run.publish()
    place.storage.delete(f"{folder}/part-00000.parquet")
    place.storage.create(f"{folder}/part-00007.parquet", b"of an earlier attempt")
    with pytest.raises(ConflictError, match=r"part-00007.parquet is there"):
        run.publish()
    assert place.storage.read(f"{folder}/part-00007.parquet") == b"of an earlier attempt"


def test_an_attempt_without_a_report_counts_for_nothing(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    run.job("bronze")
    run.job("silver")
    run.attempts["silver"] = "jr_that_died"
    with pytest.raises(EngineError, match="the silver job has left no report"):
        run.publish()


def test_silver_made_of_another_bronze_attempt_is_refused(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    run.job("bronze")
    run.job("silver")
    run.job("bronze")
    with pytest.raises(ConflictError, match=r"was made of .*, not of "):
        run.publish()


def test_a_file_that_changes_between_copy_and_audit_is_not_published(
    place: Place, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    run.job("bronze")
    run.job("silver")
    monkeypatch.setattr(collecting, "_copy", lambda *_: None)
    with pytest.raises(LocalIOError, match="holds 0 rows where 30 were written"):
        run.publish()


def test_a_download_without_time_left_ends_as_unavailable_and_leaves_the_record_to_the_state_machine(
    place: Place, tmp_path: Path
) -> None:
    run = Execution(place, None)
    with pytest.raises(UnavailableError, match="time of the Lambda function is up"):
        run.fetch(a_release(tmp_path / "a.zip", 30), seconds_left=20)
    assert records(place) == []
    told = run.record_failure(
        "FetchAndHash", "UnavailableError", json.dumps({"errorMessage": "time is up", "errorType": "UnavailableError"})
    )
    assert (told["code"], told["reason"]) == ("unavailable", "time is up")
    (record,) = records(place)
    assert (record.outcome, record.run_id, record.steps[0].name) == ("failed", told["run_id"], "fetch")


def test_a_malformed_source_is_refused_with_the_record_of_its_run(place: Place, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK\x03\x04 no zip at all")
    with pytest.raises(SourceFormatError):
        Execution(place, None).fetch(bad)
    (record,) = records(place)
    assert (record.outcome, record.error and record.error.code, record.source.bytes) == ("failed", "source_format", 18)


def test_a_deployment_in_between_ends_the_run(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    run = Execution(place, spark)
    fetched = run.fetch(a_release(tmp_path / "a.zip", 30))
    run.job("bronze")
    run.job("silver")
    path = Path(place.lake, ".work", f"nsde-{fetched.run_id}", "handover.json")
    path.write_text(path.read_text().replace(run.dataset.code_sha256, "0" * 64))
    with pytest.raises(ConflictError, match="deployed anew"):
        run.publish()
