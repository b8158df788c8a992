"""One definition, two runners: this machine and the state machine walk through the same scenarios to the same end.

The state machine is executed by moto; its functions and jobs are the real ones, in this process, on the embedded
engine. Both lakes are folders, so that whatever differs is the runners' doing.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import gilded
import moto_patches
import pytest
from machine import Ended, Machine, aws, deploy, environment
from pyspark.sql import SparkSession

from pharmaetl import api
from pharmaetl.aws import state_machine
from pharmaetl.aws.events import Failure, FetchResult, PublishResult
from pharmaetl.aws.failure_path import FAILURE
from pharmaetl.aws.lambdas import fetch_and_hash, update_manifest
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.catalog import shipped
from pharmaetl.engine import Engine, choose
from pharmaetl.errors import EngineError, PharmaetlError
from pharmaetl.lake.documents import RunRecord
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions
from pharmaetl.spark import glue, jobs
from pharmaetl.spark import gold as spark_gold

pytestmark = pytest.mark.engine

HEADER = (
    "Item Code,NDC11,Proprietary Name,Dosage Form,Marketing Category,Application Number or Monograph ID,Product Type,"
    "Marketing Start Date,Marketing End Date,Billing Unit,Inactivation Date,Reactivation Date"
)
MOMENT = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
"""A run's id, or a time."""
STATES = {
    "fetch": "FetchAndHash", "skip_if_unchanged": "FetchAndHash", "unpack": "FetchAndHash",
    "bronze": "Bronze", "silver": "Silver", "gold": "Gold", "gate": "UpdateManifest", "publish": "UpdateManifest",
}  # fmt: skip
"""The state whose task does a step."""
FAILED = ("RecordFailure", "DeadLetter", "Notify", "Failed")


def release(path: Path, numbers: range, name: str = "Drug", odd: str = "") -> Path:
    """A zip with so many well-formed rows and one more line."""
    lines = [f"0037-0022-{n:02d},000370022{n:02d},{name} {n},TABLET,NDA,NDA1,RX,20160329,,EA,," for n in numbers]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nsde.csv", "\r\n".join([HEADER, *lines, odd]))
    return path


@dataclass
class Both:
    """The same dataset on this machine and on AWS, each with a lake of its own."""

    here: Place
    there: Place
    machine: Machine

    def run(self, source: Path, **options: Any) -> tuple[RunRecord, RunRecord, Ended]:
        """Both runs' records, and the way that the execution went."""
        local = _local(self.here, source, **options)
        ended = self.machine.run({"source_url": str(source), **options}, seconds=120)
        told = ended.output["fetch"] if ended.status == "SUCCEEDED" else json.loads(ended.cause)
        return local, _record(self.there, told["run_id"]), ended


def _local(place: Place, source: Path, **options: Any) -> RunRecord:
    try:
        return api.run(place, "nsde", RunOptions(source=str(source), engine="sail", **options))
    except PharmaetlError as error:
        return _record(place, error.run_id)


def _record(place: Place, run_id: str | None) -> RunRecord:
    return next(record for record in api.runs(place, "nsde", 9) if record.run_id == run_id)


class Context:
    """An invocation with a quarter of an hour left."""

    aws_request_id = "0123"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def _invoke(handler: Callable[[object, Context], dict[str, Any]], event: dict[str, Any]) -> dict[str, Any]:
    return handler(event, Context())


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with Engine(choose("sail"), tmp_path_factory.mktemp("scratch")) as engine:
        yield engine.session


@pytest.fixture
def both(tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    yield from deployed(tmp_path, spark, monkeypatch, shipped())


@pytest.fixture
def both_gilded(tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    """With gold tables; the day of the run is in one of them."""
    gilded.library(tmp_path / "library", monkeypatch)
    yield from deployed(tmp_path, spark, monkeypatch, gilded.datasets(tmp_path / "datasets"))


def deployed(tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, datasets: Path) -> Iterator[Both]:
    environment(monkeypatch)
    here, there = (Place(str(tmp_path / side), str(datasets)) for side in ("here", "there"))
    dataset = there.catalog.find("nsde")

    for name, value in {"LAKE": there.lake, "DATASET": "nsde", "DATASETS": str(datasets)}.items():
        monkeypatch.setenv(f"PHARMAETL_{name}", value)

    def job(layer: str) -> Callable[[dict[str, str], str], None]:
        def body(arguments: dict[str, str], run_id: str) -> None:
            given = [word for pair in arguments.items() for word in pair]
            glue.run(spark, layer, [f"{layer}_job.py", *given, "--JOB_RUN_ID", run_id])

        return body

    handlers = {"nsde-fetch-and-hash": fetch_and_hash.handler, "nsde-update-manifest": update_manifest.handler}
    moto_patches.functions(monkeypatch, {name: partial(_invoke, handler) for name, handler in handlers.items()})
    moto_patches.jobs(monkeypatch, {name: job(layer) for layer, name in DatasetNames(dataset.config).jobs.items()})
    moto_patches.glue_sync(monkeypatch)
    moto_patches.no_waiting(monkeypatch)
    with aws():
        boto3.client("glue").create_database(DatabaseInput={"Name": "nsde_db"})
        yield Both(here, there, deploy(dataset))


def story(record: RunRecord) -> dict[str, Any]:
    """What a run's record says, but for times and the run's own id."""
    return {
        "outcome": record.outcome,
        "reason": MOMENT.sub("THEN", record.reason),
        "source": (record.source.url, record.source.sha256, record.source.bytes),
        "steps": [(step.name, step.outcome) for step in record.steps],
        "tables": [
            (one.name, one.rows_read, one.rows_published, one.rows_quarantined, one.rows_duplicate, one.rules)
            for one in record.tables
        ],
        "gold": [(one.name, one.rows, one.path.replace(record.run_id, "RUN")) for one in record.gold],
        "quality": record.quality,
        "error": record.error and record.error.code,
        "inputs": record.run_id.rpartition("-")[2],
    }


def versions(place: Place) -> list[dict[str, Any]]:
    """The publish log, but for times, run ids and the bytes of files."""
    return [
        {
            "sequence": entry.sequence,
            "action": entry.action,
            "source": entry.source.sha256,
            "inputs": (entry.run_id.rpartition("-")[2], entry.config_sha256, entry.code_sha256),
            "quality": entry.quality,
            "reason": MOMENT.sub("THEN", entry.reason),
            "tables": [
                (one.name, one.path.replace(entry.run_id, "RUN"), one.rows, one.digest, one.schema, len(one.files))
                for one in entry.all_tables
            ],
            "gold": [one.name for one in entry.gold],
        }
        for entry in api.history(place, "nsde")
    ]


def way_of(record: RunRecord) -> list[str]:
    """The tasks that do the steps that a record tells of."""
    return list(dict.fromkeys(STATES[step.name] for step in record.steps))


def tasks_on(path: tuple[str, ...]) -> list[str]:
    """The tasks that an execution went through, up to publishing or failing."""
    return [state for state in path if state in STATES.values()]


def assert_alike(both: Both, here: RunRecord, there: RunRecord, ended: Ended) -> None:
    assert story(there) == story(here)
    assert tasks_on(ended.path) == way_of(here)
    assert versions(both.there) == versions(both.here)
    assert ended.status == ("FAILED" if here.outcome == "failed" else "SUCCEEDED")


def test_a_new_release_is_published_alike(both: Both, tmp_path: Path) -> None:
    here, there, ended = both.run(release(tmp_path / "r.zip", range(30), odd="0037-0022-99,00037002299,too,short"))

    assert (here.outcome, len(api.history(both.here, "nsde"))) == ("published", 1)
    assert ended.path[-3:] == ("Committed", "Crawl", "Published")
    assert_alike(both, here, there, ended)


def test_an_unchanged_source_is_skipped_alike(both: Both, tmp_path: Path) -> None:
    source = release(tmp_path / "r.zip", range(30))
    both.run(source)

    here, there, ended = both.run(source)

    assert (here.outcome, ended.path[-1]) == ("skipped", "Unchanged")
    assert_alike(both, here, there, ended)


def test_an_unchanged_source_is_published_alike_where_that_is_asked_for(both: Both, tmp_path: Path) -> None:
    source = release(tmp_path / "r.zip", range(30))
    both.run(source)

    here, there, ended = both.run(source, force=True)

    assert (here.outcome, len(api.history(both.here, "nsde"))) == ("published", 2)
    assert_alike(both, here, there, ended)


def test_a_release_that_shrinks_is_refused_alike_and_accepted_alike(both: Both, tmp_path: Path) -> None:
    both.run(release(tmp_path / "r.zip", range(30)))
    small = release(tmp_path / "small.zip", range(9))

    here, there, ended = both.run(small)

    assert (here.outcome, ended.path[-5:]) == ("failed", ("UpdateManifestFailed", *FAILED))
    assert_alike(both, here, there, ended)
    (letter,) = both.machine.dead_letters()
    assert (letter["run_id"], letter["state"], letter["code"]) == (there.run_id, "UpdateManifest", "gate")
    assert_alike(both, *both.run(small, accept_shrink="withdrawn"))


def test_a_source_that_is_not_there_fails_alike(both: Both, tmp_path: Path) -> None:
    here, there, ended = both.run(tmp_path / "nothing.zip")

    assert (here.outcome, ended.path[-5:]) == ("failed", ("FetchAndHashFailed", *FAILED))
    assert_alike(both, here, there, ended)


def test_a_source_that_is_no_release_is_refused_alike(both: Both, tmp_path: Path) -> None:
    source = tmp_path / "r.zip"
    source.write_bytes(b"<html>Sorry</html>")

    here, there, ended = both.run(source)

    assert (here.outcome, ended.path[-5:]) == ("failed", ("FetchAndHashFailed", *FAILED))
    assert_alike(both, here, there, ended)


def test_an_engine_that_fails_fails_alike(both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> dict[str, Any]:
        raise EngineError("executor lost")

    monkeypatch.setattr(jobs, "silver", lost)

    here, there, ended = both.run(release(tmp_path / "r.zip", range(30)))

    assert (here.outcome, ended.path[-5:]) == ("failed", ("SilverFailed", *FAILED))
    assert tasks_on(ended.path) == way_of(here)
    assert story(there) | {"reason": ""} == story(here) | {"reason": ""}
    assert there.error is not None
    assert "executor lost" in there.error.reason
    assert versions(both.there) == versions(both.here) == []


@pytest.mark.parametrize(
    ("numbers", "outcome", "end"), [(range(30), "skipped", "Unchanged"), (range(31), "failed", "Failed")]
)
def test_another_run_that_is_first_is_met_alike(
    both: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: range, outcome: str, end: str
) -> None:
    first = release(tmp_path / "first.zip", range(30))
    source = first if len(numbers) == 30 else release(tmp_path / "second.zip", numbers)
    silver, lakes = jobs.silver, [both.there, both.here]

    def overtaken(*given: Any) -> dict[str, Any]:
        monkeypatch.setattr(jobs, "silver", silver)
        _local(lakes.pop(), first)
        if lakes:
            monkeypatch.setattr(jobs, "silver", overtaken)
        return silver(*given)

    monkeypatch.setattr(jobs, "silver", overtaken)

    here, there, ended = both.run(source)

    assert (here.outcome, ended.path[-1]) == (outcome, end)
    assert_alike(both, here, there, ended)


def test_gold_is_published_skipped_and_published_anew_alike(both_gilded: Both, tmp_path: Path) -> None:
    source = release(tmp_path / "r.zip", range(30))

    new, unchanged, forced = both_gilded.run(source), both_gilded.run(source), both_gilded.run(source, force=True)

    for here, there, ended in (new, unchanged, forced):
        assert story(there) == story(here)
        assert tasks_on(ended.path) == way_of(here)
    assert [ended.path[-1] for _, _, ended in (new, unchanged, forced)] == ["Published", "Unchanged", "Published"]
    assert ended_with_gold(new[2])
    assert versions(both_gilded.there) == versions(both_gilded.here)
    assert [one["gold"] for one in versions(both_gilded.there)] == 2 * [list(gilded.NAMES)]
    assert [(one.name, one.rows) for one in new[1].gold] == [("drug_forms", 1), ("common_forms", 1), ("rare_forms", 0)]


def ended_with_gold(ended: Ended) -> bool:
    """Did it go through the gold job, between silver and what is published?"""
    at = ended.path.index("Silver")
    return ended.path[at : at + 3] == ("Silver", "Gold", "UpdateManifest")


def test_a_rule_of_a_gold_table_refuses_a_release_alike(both_gilded: Both, tmp_path: Path) -> None:
    both_gilded.run(release(tmp_path / "r.zip", range(30)))

    here, there, ended = both_gilded.run(release(tmp_path / "large.zip", range(60)))

    assert (here.outcome, ended.path[-5:]) == ("failed", ("UpdateManifestFailed", *FAILED))
    assert_alike(both_gilded, here, there, ended)
    assert there.error is not None
    assert "ColumnValues drug_forms.drugs" in there.error.reason
    assert len(versions(both_gilded.there)) == 1


def test_a_gold_job_that_fails_fails_alike(both_gilded: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> dict[str, Any]:
        raise EngineError("executor lost")

    monkeypatch.setattr(spark_gold, "gold", lost)

    here, there, ended = both_gilded.run(release(tmp_path / "r.zip", range(30)))

    assert (here.outcome, ended.path[-5:]) == ("failed", ("GoldFailed", *FAILED))
    assert tasks_on(ended.path) == way_of(here)
    # what silver has counted is taken in together with its files, which are not taken in
    assert story(there) | {"reason": ""} == story(here) | {"reason": "", "tables": []}
    assert there.error is not None
    assert "executor lost" in there.error.reason
    assert versions(both_gilded.there) == versions(both_gilded.here) == []
    (letter,) = both_gilded.machine.dead_letters()
    assert (letter["run_id"], letter["state"], letter["code"]) == (there.run_id, "Gold", "engine")


def test_the_functions_return_every_key_that_the_state_machine_takes() -> None:
    assert tuple(FetchResult.model_fields) == state_machine.FETCHED
    assert tuple(PublishResult.model_fields) == state_machine.PUBLISHED
    assert tuple(Failure.model_fields) == FAILURE
