"""What a failed execution leaves: one record for the run, and words for dead letter and alert."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cloud import DATASETS, MACHINE, Execution, a_release, records

from pharmaetl import api
from pharmaetl.aws.events import StateError
from pharmaetl.aws.failures import explained
from pharmaetl.errors import PharmaetlError
from pharmaetl.lake import runs
from pharmaetl.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "lake"), str(DATASETS))


def raised(name: str, message: str) -> str:
    """What a Lambda function's exception looks like to Step Functions."""
    return json.dumps({"errorMessage": message, "errorType": name, "stackTrace": []})


def job(message: str, state: str = "FAILED") -> str:
    """What a failed Glue job run looks like."""
    known = {"JobName": "nsde-silver-etl", "Id": "jr_1"}
    return json.dumps({**known, "JobRunState": state, "ErrorMessage": message})


@pytest.mark.parametrize(
    ("error", "cause", "code", "exit_code", "reason"),
    [
        ("GateError", raised("GateError", "ShrinkGuard\nhint: accept it"), "gate", 4, "ShrinkGuard"),
        ("InvalidConfigError", raised("InvalidConfigError", "x.json:1:1 no"), "config", 3, "x.json:1:1 no"),
        ("ConflictError", raised("ConflictError", "run b was first"), "conflict", 6, "run b was first"),
        ("States.TaskFailed", job("EngineError: silver holds 3 rows"), "engine", 1, "silver holds 3 rows"),
        ("States.TaskFailed", job("pharmaetl.errors.ConfigError: rule 1: no"), "config", 3, "rule 1: no"),
        ("States.TaskFailed", job("", "TIMEOUT"), "engine", 1, "job run jr_1 ended as TIMEOUT: it left no message"),
        ("States.Timeout", None, "unavailable", 5, "Silver was not done in time"),
        ("Lambda.Unknown", "nobody knows", "unavailable", 5, "Lambda.Unknown nobody knows"),
        ("Sandbox.Timedout", raised("Sandbox.Timedout", "Task timed out"), "unavailable", 5, "Task timed out"),
        ("Glue.EntityNotFoundException", "no job", "unavailable", 5, "Glue.EntityNotFoundException no job"),
        ("PharmaetlError", raised("PharmaetlError", "bug: KeyError: 'x'"), "error", 1, "bug: KeyError: 'x'"),
        ("", None, "error", 1, "no error was given"),
    ],
)
def test_what_step_functions_caught_becomes_one_of_our_errors(
    error: str, cause: str | None, code: str, exit_code: int, reason: str
) -> None:
    found = explained(StateError(Error=error, Cause=cause), "Silver")
    assert isinstance(found, PharmaetlError)
    assert (found.code, found.exit_code, found.reason) == (code, exit_code, reason)


def test_a_hint_that_a_function_gave_is_told_again() -> None:
    found = explained(StateError(Error="GateError", Cause=raised("GateError", "refused\nhint: look")), "x")
    assert (found.reason, found.hint) == ("refused", "look")


def test_a_failed_job_ends_the_record_of_its_run_with_all_that_is_known(place: Place, tmp_path: Path) -> None:
    run = Execution(place, None)
    fetched = run.fetch(a_release(tmp_path / "a.zip", 30))
    cause = job("Py4JJavaError: out of memory")
    asked = {"source_url": "x", "force": False}
    told = run.record_failure("Silver", "States.TaskFailed", cause, input=asked)
    assert told == {
        "dataset": "nsde",
        "run_id": fetched.run_id,
        "state": "Silver",
        "code": "engine",
        "reason": "job run jr_1 ended as FAILED: Py4JJavaError: out of memory",
        "hint": "job run jr_1 of nsde-silver-etl says more in its CloudWatch logs, below /aws-glue/",
        "redrive": f"aws stepfunctions start-execution --state-machine-arn {MACHINE}"
        ' --input \'{"force": false, "source_url": "x"}\'',
    }
    (record,) = records(place)
    steps = [(step.name, step.outcome) for step in record.steps]
    assert steps == [
        ("fetch", "done"), ("skip_if_unchanged", "done"), ("unpack", "done"), ("bronze", "done"), ("silver", "failed"),
    ]  # fmt: skip
    assert (record.outcome, record.source.release_date, len(record.profiles)) == ("failed", None, 1)
    assert (
        json.loads(Path(place.lake, "lineage", "nsde", f"{fetched.run_id}.ndjson").read_text().splitlines()[1])[
            "eventType"
        ]
        == "FAIL"
    )
    assert run.record_failure("Silver", "States.TaskFailed", cause, input=asked) == told
    assert len(records(place)) == 1


def test_a_record_that_the_failed_function_wrote_itself_stays(place: Place, tmp_path: Path) -> None:
    run = Execution(place, None)
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no zip at all")
    with pytest.raises(PharmaetlError) as caught:
        run.fetch(tmp_path / "bad.zip")
    before = records(place)
    told = run.record_failure("FetchAndHash", "SourceFormatError", raised("SourceFormatError", "cut short"))
    assert (told["run_id"], told["reason"]) == (before[0].run_id, caught.value.reason)
    assert records(place) == before


def test_a_version_that_was_published_all_the_same_is_not_called_failed(place: Place, tmp_path: Path) -> None:
    run = Execution(place, None)
    fetched = run.fetch(a_release(tmp_path / "a.zip", 30))
    record = runs.read(place.storage, "nsde", fetched.run_id)
    runs.save(place.storage, record.model_copy(update={"outcome": "published"}))
    told = run.record_failure("UpdateManifest", "Lambda.Unknown", "its answer was lost")
    assert (told["code"], told["hint"].split("; ")[0]) == ("unavailable", "the run itself has ended: published")
    assert records(place)[0].outcome == "published"


def test_an_execution_that_failed_before_it_had_a_run_gets_one_record_however_often_it_is_told(place: Place) -> None:
    run = Execution(place, None)
    for _ in range(2):
        told = run.record_failure("FetchAndHash", "DeniedError", raised("DeniedError", "403"), fetch=None)
    assert [record.run_id for record in records(place)] == [told["run_id"]]
    assert told["redrive"].endswith("--input '{}'")
    assert api.run_record(place, told["run_id"]).error


def test_no_secret_of_a_failure_is_told(place: Place) -> None:
    cause = raised("UnavailableError", "https://x.test/?apiKey=abcdefgh1234: 500")
    given = {"source_url": "https://x.test/?apiKey=abcdefgh1234"}
    told = Execution(place, None).record_failure("FetchAndHash", "UnavailableError", cause, input=given)
    assert "abcdefgh1234" not in json.dumps(told) + records(place)[0].model_dump_json()
