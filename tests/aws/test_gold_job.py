"""The gold job and what is published of it: made of one attempt of silver, judged with it, listed in the same entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gilded
import pytest
from cloud import Execution, a_release, records
from pyspark.sql import SparkSession

from pharmaetl import api, engine
from pharmaetl.aws.events import PublishResult
from pharmaetl.errors import ConfigError, ConflictError, GateError, UsageError
from pharmaetl.lake import manifest
from pharmaetl.lake.documents import LogEntry
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with engine.Engine(engine.choose("sail"), tmp_path_factory.mktemp("engine")) as running:
        yield running.session


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    gilded.library(tmp_path / "library", monkeypatch)
    return Place(str(tmp_path / "lake"), str(gilded.datasets(tmp_path / "datasets")))


def current(place: Place) -> LogEntry:
    found = manifest.current(place.storage, "nsde")
    assert found is not None
    return found


def report_of(place: Place, run: Execution) -> dict[str, Any]:
    assert run.fetched is not None
    folder = Path(place.lake, ".work", f"nsde-{run.fetched.run_id}", "gold", f"attempt={run.attempts['gold']}")
    found: dict[str, Any] = json.loads("".join(path.read_text() for path in folder.glob("report/[!_.]*")))
    return found


def test_gold_is_published_in_the_entry_of_its_silver_as_a_laptop_does(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    source = a_release(tmp_path / "a.zip", 40)
    result = Execution(place, spark).run(source)
    assert isinstance(result, PublishResult)
    assert (result.outcome, result.rows) == ("published", 40)
    entry = current(place)
    assert [(table.name, table.rows, len(table.files)) for table in entry.gold] == [
        ("drug_forms", 1, 1), ("common_forms", 1, 1), ("rare_forms", 0, 0),
    ]  # fmt: skip
    assert entry.gold[0].path == f"gold/drug_forms/version=2026-11-23/run={entry.run_id}"
    laptop = Place(str(tmp_path / "laptop"), place.datasets)
    api.run(laptop, "nsde", RunOptions(source=str(source), engine="sail"))
    here = current(laptop)
    assert [(one.name, one.rows, one.schema_) for one in here.gold] == [
        (one.name, one.rows, one.schema_) for one in entry.gold
    ]
    # the day of the run is in drug_forms, so that only the others are the same on any day
    assert [one.digest for one in here.gold[1:]] == [one.digest for one in entry.gold[1:]]
    outcomes = [[(check.name, check.table, check.outcome) for check in one.quality.checks] for one in (entry, here)]
    assert outcomes[0] == outcomes[1]
    assert [(one.name, one.rows) for one in records(place)[0].gold] == [(one.name, one.rows) for one in entry.gold]
    assert [(step.name, step.outcome) for step in records(place)[0].steps] == [
        (name, "done")
        for name in ("fetch", "skip_if_unchanged", "unpack", "bronze", "silver", "gold", "gate", "publish")
    ]
    assert api.verify(place, "nsde") == ()


def test_a_gold_rule_that_fails_keeps_the_version_unpublished_and_shows_rows(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    run = Execution(place, spark)
    with pytest.raises(GateError, match=r"ColumnValues drug_forms.drugs.*dosage_form=TABLET"):
        run.run(a_release(tmp_path / "a.zip", 60))
    assert manifest.current(place.storage, "nsde") is None
    counted = report_of(place, run)["tables"]["drug_forms"]
    assert counted["samples"] == {"1": ["dosage_form=TABLET, drugs=60"]}
    assert counted["references"] == {"2": {"scope": 1, "broken": 0, "keys": 0}}


def test_a_function_that_gives_other_columns_ends_the_job_and_says_which(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = gilded.FUNCTIONS.replace('F.count("*").alias("drugs")', 'F.count("*").alias("medicines")')
    gilded.library(tmp_path / "library", monkeypatch, wrong)
    run = Execution(Place(str(tmp_path / "lake"), str(gilded.datasets(tmp_path / "datasets", wrong))), spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    for layer in ("bronze", "silver"):
        run.job(layer)
    with pytest.raises(ConfigError, match=r"gold_drug_forms .*drugs is missing.*medicines is not in the config"):
        run.job("gold")


def test_gold_made_of_another_silver_attempt_is_refused(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    for layer in ("bronze", "silver", "gold", "silver"):
        run.job(layer)
    with pytest.raises(ConflictError, match=r"was made of .*, not of "):
        run.publish()
    run.job("gold")
    assert run.publish().outcome == "published"


def test_silver_of_another_run_is_refused_by_the_job(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    other = Execution(place, spark, name="other")
    other.run(a_release(tmp_path / "a.zip", 30))
    run = Execution(place, spark, name="late", started_at="2026-11-24T03:15:00Z")
    run.fetch(a_release(tmp_path / "b.zip", 31))
    assert run.fetched is not None
    assert other.fetched is not None
    run.attempts["silver"] = other.attempts["silver"]
    run.fetched = run.fetched.model_copy(update={"silver_path": other.fetched.silver_path})
    with pytest.raises(ConflictError, match="is of run 20261123T031500Z"):
        run.job("gold")


def test_publishing_without_the_gold_attempt_is_refused(place: Place, spark: SparkSession, tmp_path: Path) -> None:
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    for layer in ("bronze", "silver"):
        run.job(layer)
    with pytest.raises(UsageError, match="gold_attempt is missing"):
        run.publish()
    assert manifest.current(place.storage, "nsde") is None


def test_a_gold_attempt_that_was_started_twice_is_listed_once(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    run = Execution(place, spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    for layer in ("bronze", "silver", "gold", "gold"):
        run.job(layer)
    assert run.publish().outcome == "published"
    listed = {file.path for table in current(place).gold for file in table.files}
    assert len(listed) == 2
    assert {path.relative_to(place.lake).as_posix() for path in Path(place.lake, "gold").rglob("*.parquet")} == listed
