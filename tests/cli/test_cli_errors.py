"""Every failure is a line with a reason, a line with a hint and an exit code; with --json one object on stderr."""

from __future__ import annotations

import errno
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cli_literals as given
import pytest

import pharmaetl
from pharmaetl import errors
from pharmaetl.cli.failures import failure_of
from pharmaetl.config.configfile import InvalidConfigError, Problem

Run = Callable[..., Any]

EXIT_CODES = {
    "PharmaetlError": 1,
    "UsageError": 2,
    "ConfigError": 3,
    "EngineUnavailableError": 3,
    "InvalidConfigError": 3,
    "RefusedError": 4,
    "SourceFormatError": 4,
    "GateError": 4,
    "UnavailableError": 5,
    "DeniedError": 5,
    "OutOfTimeError": 5,
    "PassingError": 5,
    "ConflictError": 6,
    "AlreadyPublishedError": 6,
    "CommitUnknownError": 6,
    "LocalIOError": 7,
    "NotStoredError": 7,
    "CorruptLogError": 7,
    "EngineError": 1,
    "InterruptedRunError": 130,
}


def error_classes(root: type[errors.PharmaetlError] = errors.PharmaetlError) -> Iterator[type[errors.PharmaetlError]]:
    yield root
    for below in root.__subclasses__():
        yield from error_classes(below)


def modules_outside_engines_and_aws() -> list[str]:
    """Every module that may define an error and can be imported without an engine or a cloud."""
    names = [module.name for module in pkgutil.walk_packages(pharmaetl.__path__, "pharmaetl.")]
    return [name for name in names if not name.startswith(("pharmaetl.spark", "pharmaetl.aws", "pharmaetl.__main__"))]


def made(kind: type[errors.PharmaetlError]) -> errors.PharmaetlError:
    """An error of a class, whatever else its own constructor wants."""
    error = kind.__new__(kind)
    errors.PharmaetlError.__init__(error, "the reason", hint="the hint", run_id=given.RUN)
    return error


def test_every_error_class_ends_the_command_with_its_exit_code(fake: Any, piped: Run) -> None:
    for name in modules_outside_engines_and_aws():
        importlib.import_module(name)
    ours = [kind for kind in error_classes() if kind.__module__.startswith("pharmaetl.")]

    found = {}
    for kind in ours:
        fake.gives(status=made(kind))
        answer = piped("status", "--json")
        error = json.loads(answer.err)["error"]
        assert (answer.out, answer.code, error["code"]) == ("", error["exit_code"], kind.code)
        found[kind.__name__] = answer.code

    assert found == EXIT_CODES


def test_an_error_is_a_reason_and_a_hint_on_stderr(fake: Any, piped: Run) -> None:
    fake.gives(status=errors.ConfigError("lake s4://x is no URL", hint="use a path or s3://bucket/prefix"))

    answer = piped("status")

    assert (answer.code, answer.out) == (3, "")
    assert answer.err == "error: lake s4://x is no URL\nhint: use a path or s3://bucket/prefix\n"


def test_with_json_the_record_of_a_failed_run_is_on_stdout(fake: Any, piped: Run) -> None:
    failed = errors.GateError("too few rows", run_id=given.FAILED_RUN)
    fake.gives(run=failed, run_record=given.FAILED)
    answer = piped("run", "nsde", "--json")
    assert (answer.code, json.loads(answer.out)["outcome"]) == (4, "failed")
    assert json.loads(answer.err)["error"]["run_id"] == given.FAILED_RUN


def test_with_json_an_error_is_one_object_on_stderr(fake: Any, piped: Run) -> None:
    fake.gives(run=errors.GateError("too few rows", hint="--accept-shrink REASON", run_id=given.FAILED_RUN))

    answer = piped("run", "nsde", "--json", "--lake", "my lake")

    assert (answer.code, answer.out) == (4, "")
    assert json.loads(answer.err) == {
        "error": {
            "code": "gate",
            "reason": "too few rows",
            "hint": f"--accept-shrink REASON; pharmaetl runs show {given.FAILED_RUN} --lake 'my lake'",
            "exit_code": 4,
            "run_id": "20260724T120000Z-00ff00ff",
        }
    }


def test_a_list_of_problems_is_printed_one_per_line(fake: Any, piped: Run) -> None:
    problems = [Problem("a.json", 1, 2, "datset is no known key"), Problem("a.json", 3, 4, "dataset is missing")]
    fake.gives(plan=InvalidConfigError(problems))

    assert piped("plan", "nsde").err == (
        "error: a.json:1:2: datset is no known key\n"
        "       a.json:3:4: dataset is missing\n"
        "hint: mend the file, then: pharmaetl dataset validate\n"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("stauts",), "No such command 'stauts'. Did you mean 'status'?"),
        (("run",), "name the datasets to run, or give --all"),
        (("run", "nsde", "--all"), "name the datasets to run, or give --all"),
        (("run", "nsde", "cder", "--source", "x"), "--source goes with one dataset"),
        (("run", "nsde", "--engine", "duck"), "'--engine': 'duck' is not one of"),
        (("run", "nsde", "--sample", "0"), "'--sample'"),
        (("run", "nsde", "--no-wait"), "a local run is over when the command is"),
        (("run", "nsde", "--target", "moon"), "'--target'"),
        (("run", "nsde", "--frobnicate"), "No such option: --frobnicate"),
        (("run", "nsde", "--source", ""), "--source is empty"),
        (("status", "a", "b"), "unexpected extra argument"),
        (("status", "--lake", ""), "--lake and --datasets want a path"),
        (("plan", "--source", "x.zip"), "--source goes with one dataset"),
    ],
)
def test_words_that_make_no_sense_end_with_2(words: tuple[str, ...], reason: str, piped: Run) -> None:
    plain, as_json = piped(*words), piped(*words, "--json")

    assert (plain.code, plain.out, as_json.code, as_json.out) == (2, "", 2, "")
    assert plain.err.startswith("error: ")
    assert reason in plain.err
    error = json.loads(as_json.err)["error"]
    assert (error["code"], error["exit_code"]) == ("usage", 2)
    assert reason in error["reason"]


def test_a_usage_error_names_the_command_whose_help_to_read(piped: Run) -> None:
    assert piped("manifest", "show").err.endswith("hint: pharmaetl manifest show --help shows what it takes\n")


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_or_read_only_disk_ends_with_7(fault: int, fake: Any, piped: Run) -> None:
    fake.gives(status=OSError(fault, "the disk says no", "/data/lake/manifests"))

    answer = piped("status")

    assert answer.code == 7
    assert answer.err.startswith("error: /data/lake/manifests: the disk says no\nhint: ")


def test_ctrl_c_while_a_module_is_made_ends_with_130_too(tmp_path: Path) -> None:
    patched = """
import pharmaetl.cli.app
def main():
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return 130
pharmaetl.cli.app.main = main
"""
    (tmp_path / "sitecustomize.py").write_text(patched)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    words = [sys.executable, "-m", "pharmaetl"]
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "")


def test_ctrl_c_ends_with_130_and_without_a_traceback(fake: Any, piped: Run) -> None:
    fake.gives(status=KeyboardInterrupt())

    answer = piped("status")

    assert (answer.code, answer.out, answer.err) == (130, "", "error: interrupted\n")


def test_a_bug_is_one_line_and_says_how_to_get_the_traceback(fake: Any, piped: Run) -> None:
    fake.gives(status=KeyError("sha256"))

    answer = piped("status")

    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "error: bug: KeyError: 'sha256'\nhint: run it again with -v for the traceback and report it\n"


@pytest.mark.parametrize("error", [KeyError("sha256"), errors.ConfigError("no such lake")])
def test_v_shows_the_traceback(error: Exception, fake: Any, piped: Run) -> None:
    fake.gives(status=error)

    answer = piped("status", "-v")

    assert answer.err.startswith("Traceback (most recent call last):\n")
    assert "\nerror: " in answer.err


def test_v_puts_the_traceback_into_the_json_object(fake: Any, piped: Run) -> None:
    fake.gives(status=KeyError("sha256"))

    error = json.loads(piped("status", "-qv", "--json").err)["error"]

    assert (error["code"], error["exit_code"]) == ("bug", 1)
    assert error["traceback"].startswith("Traceback (most recent call last):\n")


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "Broken pipe"), EOFError()])
def test_a_pipe_that_breaks_inside_a_command_is_not_passed_over(error: Exception, fake: Any, piped: Run) -> None:
    fake.gives(status=error)

    answer = piped("status")

    assert answer.code == 1
    assert answer.err.startswith("error: a process or file that was being read ended early\n")


def test_secrets_are_hidden_in_bugs() -> None:
    failure = failure_of(ValueError("no answer from https://host/download?apiKey=12345-secret"))

    assert "12345-secret" not in failure.reason + failure.traceback
    assert "apiKey=***" in failure.reason


def test_an_error_text_can_not_drive_the_terminal(fake: Any, on_terminal: Run) -> None:
    fake.gives(status=errors.SourceFormatError("member \x1b]0;pwned\x07.csv [bold]x[/bold]"))

    assert "member \\x1b]0;pwned\\x07.csv [bold]x[/bold]" in on_terminal("status").err


def test_plans_of_other_datasets_are_shown_although_one_fails(fake: Any, piped: Run) -> None:
    def plan(_place: Any, dataset: str, _options: Any) -> Any:
        return given.PLAN if dataset == "nsde" else errors.UnavailableError(f"{dataset}: the site is down")

    fake.gives(dataset_names=["cder", "nsde"], plan=plan)

    answer = piped("plan")

    assert answer.code == 5
    assert "nsde     changed" in answer.out
    assert answer.err == "error: cder: the site is down\n"
