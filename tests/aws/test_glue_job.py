"""The Glue jobs' edges: their arguments, the document that they work from, and what they refuse."""

from __future__ import annotations

import ast
import contextlib
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud import DATASETS, MALFORMED, Execution, a_release
from pyspark.sql import SparkSession

from pharmaetl import engine
from pharmaetl.errors import ConfigError, ConflictError
from pharmaetl.lake import runs
from pharmaetl.place import Place
from pharmaetl.spark import glue

SCRIPTS = Path(__file__).parents[2] / "glue_scripts"
BRONZE = ["--raw_path", "s3://b/raw/", "--jobs_path", "s3://b/jobs.json", "--bronze_path", "s3://b/bronze"]


def test_glues_own_arguments_are_passed_over_and_its_job_run_names_the_attempt() -> None:
    words = ["job.py", "--JOB_NAME", "nsde", "--JOB_ID", "j_1", *BRONZE, "--run_id", "r", "--JOB_RUN_ID", "jr_1"]
    assert glue.arguments("bronze", words) == {
        "raw_path": "s3://b/raw",
        "jobs_path": "s3://b/jobs.json",
        "bronze_path": "s3://b/bronze",
        "run_id": "r",
        "attempt": "jr_1",
    }


def test_a_start_by_hand_names_its_attempt_or_gets_one_of_its_own() -> None:
    words = ["job.py", *BRONZE, "--run_id", "r"]
    assert glue.arguments("bronze", [*words, "--attempt", "mine"])["attempt"] == "mine"
    assert glue.arguments("bronze", words)["attempt"] != glue.arguments("bronze", words)["attempt"]


def test_a_missing_argument_ends_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        glue.arguments("bronze", ["job.py", *BRONZE])
    assert "--run_id" in capsys.readouterr().err


def test_where_glues_library_is_it_reads_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """As awsglue 5.1 does: what is asked for is required, JOB_RUN_ID is its own and must not be asked for."""
    seen = []

    def get_resolved_options(argv: list[str], names: list[str]) -> dict[str, Any]:
        seen.append((argv, names))
        return {**{name: f"value of {name}" for name in names}, "JOB_RUN_ID": None, "job_bookmark_option": "x"}

    module = types.ModuleType("awsglue.utils")
    module.getResolvedOptions = get_resolved_options  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "awsglue", types.ModuleType("awsglue"))
    monkeypatch.setitem(sys.modules, "awsglue.utils", module)
    found = glue.arguments("silver", ["job.py", "--run_id", "r", "--JOB_RUN_ID", "jr_1"])
    assert found["silver_path"] == "value of silver_path"
    assert found["attempt"] == "jr_1"
    assert seen == [(["job.py", "--run_id", "r"], ["bronze_path", "silver_path", "jobs_path", "run_id"])]


@pytest.mark.parametrize("layer", ["bronze", "silver", "gold"])
def test_a_glue_script_is_six_lines_over_the_package(layer: str) -> None:
    text = (SCRIPTS / f"{layer}_job.py").read_text()
    assert len(text.splitlines()) == 6
    assert f'glue.main("{layer}")' in text


def test_what_glue_runs_is_python_3_10() -> None:
    package = Path(glue.__file__).parent
    for source in [package.parent / "errors.py", *package.glob("*.py"), *SCRIPTS.glob("*.py")]:
        ast.parse(source.read_text(), feature_version=(3, 10))


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with engine.Engine(engine.choose("sail"), tmp_path_factory.mktemp("engine")) as running:
        yield running.session


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "lake"), str(DATASETS))


@pytest.mark.engine
@pytest.mark.parametrize("key", ["run_id", "raw_path"])
def test_a_document_of_another_run_or_source_is_refused(
    place: Place, spark: SparkSession, tmp_path: Path, key: str
) -> None:
    run = Execution(place, spark)
    run.fetched = run.fetch(a_release(tmp_path / "a.zip", 30)).model_copy(update={key: "of another"})
    with pytest.raises(ConflictError, match="not of"):
        run.job("bronze")


@pytest.mark.engine
def test_sql_of_a_rule_that_the_engine_refuses_is_named_before_anything_is_written(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "datasets" / "fda" / "nsde" / "config"
    folder.mkdir(parents=True)
    text = (DATASETS / "fda" / "nsde" / "config" / "dataset.json").read_text()
    rule = '"quality": [\n {"rule": "CustomSql", "condition": "no_such_column > 1"},'
    (folder / "dataset.json").write_text(text.replace('"quality": [', rule, 1))
    run = Execution(Place(str(tmp_path / "lake"), str(tmp_path / "datasets")), spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    run.job("bronze")
    with pytest.raises(ConfigError, match=r"nsde: table nsde, rule 1 \(CustomSql\), condition: the engine refuses it"):
        run.job("silver")


@pytest.mark.engine
def test_a_datasets_own_transforms_are_a_module_beside_the_jobs(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "datasets" / "fda" / "nsde"
    (folder / "config").mkdir(parents=True)
    config = (DATASETS / "fda" / "nsde" / "config" / "dataset.json").read_text()
    (folder / "config" / "dataset.json").write_text(config)
    (folder / "transforms.py").write_text("def silver_nsde(rows):\n    return rows.where(\"item_code like '%1'\")\n")
    library = tmp_path / "library"
    library.mkdir()
    (library / "pharmaetl_transforms_nsde.py").write_text((folder / "transforms.py").read_text())
    monkeypatch.syspath_prepend(str(library))
    run = Execution(Place(str(tmp_path / "lake"), str(tmp_path / "datasets")), spark)
    run.fetch(a_release(tmp_path / "a.zip", 30))
    run.job("bronze")
    with pytest.raises(Exception, match="holds 3 rows where bronze's 30"):
        run.job("silver")


@pytest.mark.engine
def test_rows_that_break_a_rule_are_picked_while_the_engine_is_there(
    place: Place, spark: SparkSession, tmp_path: Path
) -> None:
    """With a key twice: IsUnique is broken, and the record shows by which rows."""
    run = Execution(place, spark)
    twice = "0037-0022-01,00037002201,Another,TABLET,NDA,NDA1,RX,20160329,,EA,,"
    run.run(a_release(tmp_path / "a.zip", 30, more=[twice, MALFORMED]))
    assert run.fetched is not None
    record = runs.read(place.storage, "nsde", run.fetched.run_id)
    assert record.outcome == "published"
    report = next(
        Path(place.lake, ".work", f"nsde-{record.run_id}", "silver").glob("attempt=*/report/[!_.]*")
    ).read_text()
    assert "item_code=0037-0022-01" in report


class Spark:
    """As much of a session as starts and stops."""

    def __getattr__(self, _: str) -> Spark:
        return self

    def __call__(self, *_: object) -> Spark:
        return self


@pytest.mark.parametrize("failure", [None, ConflictError("of run a, not of b", hint="look")])
def test_a_job_says_how_it_ended_in_a_line_of_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failure: ConflictError | None
) -> None:
    def run(*_: object) -> str:
        if failure is not None:
            raise failure
        return "s3://bucket/.work/r/silver/attempt=jr_1"

    monkeypatch.setattr(glue, "SparkSession", Spark())
    monkeypatch.setattr(glue.session, "configure", lambda spark: spark)
    monkeypatch.setattr(glue, "run", run)

    with pytest.raises(ConflictError) if failure else contextlib.nullcontext():
        glue.main("silver")

    said = json.loads(capsys.readouterr().out)
    wanted = {"level": "ERROR", "message": "of run a, not of b", "error": "ConflictError", "hint": "look"}
    done = {"level": "INFO", "message": "silver done", "attempt": "s3://bucket/.work/r/silver/attempt=jr_1"}
    assert said == {"service": "pharmaetl", **(wanted if failure else done)}
