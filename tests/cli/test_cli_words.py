"""What the words of a command line ask the API for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cli_literals as given
import pytest

from pharmaetl import api
from pharmaetl.cli.app import answer
from pharmaetl.watch import Silent

Run = Callable[..., Any]
HERE = api.Place("./lake", None)


def test_run_hands_all_its_options_over(fake: Any, piped: Run) -> None:
    fake.gives(run=given.PUBLISHED)
    words = "run nsde --source a.zip --force --until silver --sample 100 --accept-shrink because --engine spark"

    piped(*words.split(), "--master", "spark://host:7077", "--lake", "s3://b/l", "--datasets", "sets", "-q")

    (name, place, dataset, options, watch) = fake.calls[0]
    assert (name, place, dataset) == ("run", api.Place("s3://b/l", "sets"), "nsde")
    assert options == api.RunOptions(
        source="a.zip",
        force=True,
        until="silver",
        sample=100,
        accept_shrink="because",
        engine="spark",
        master="spark://host:7077",
    )
    assert isinstance(watch, Silent)


def test_a_bare_run_asks_for_the_defaults(fake: Any, piped: Run) -> None:
    fake.gives(run=given.PUBLISHED)

    piped("run", "nsde")

    assert fake.calls[0][:4] == ("run", HERE, "nsde", api.RunOptions())


def test_a_dry_run_only_plans(fake: Any, piped: Run) -> None:
    fake.gives(plan=given.PLAN, run=AssertionError("ran"))

    assert piped("run", "nsde", "--dry-run", "--force").code == 0
    assert fake.calls == [("plan", HERE, "nsde", api.RunOptions(force=True))]


def test_lake_and_datasets_come_from_the_environment(fake: Any, piped: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.gives(status=given.STATUS)
    monkeypatch.setenv("PHARMAETL_LAKE", "/env/lake")
    monkeypatch.setenv("PHARMAETL_DATASETS", "/env/sets")

    piped("status")
    piped("status", "--lake", "here", "--datasets", "there")
    monkeypatch.setenv("PHARMAETL_LAKE", "")
    piped("status", "nsde")

    assert [call[1:] for call in fake.calls] == [
        (api.Place("/env/lake", "/env/sets"), None, False),
        (api.Place("here", "there"), None, False),
        (api.Place("./lake", "/env/sets"), "nsde", False),
    ]


@pytest.mark.parametrize(
    ("words", "answers", "call"),
    [
        ("status nsde --size", {"status": given.STATUS}, ("status", HERE, "nsde", True)),
        ("prune", {"prune": given.PRUNING}, ("prune", HERE, None, None, False)),
        ("prune nsde --dry-run --grace 0.5", {"prune": given.PRUNING}, ("prune", HERE, "nsde", 0.5, True)),
        ("manifest verify nsde", {"verify": ()}, ("verify", HERE, "nsde")),
        ("runs list", {"runs": ()}, ("runs", HERE, None, 20)),
        ("runs list nsde -n 3", {"runs": ()}, ("runs", HERE, "nsde", 3)),
        ("runs show 2026", {"run_record": given.FAILED}, ("run_record", HERE, "2026")),
        ("dataset show nsde", {"dataset_config": given.CONFIG}, ("dataset_config", HERE, "nsde")),
        ("dataset validate", {"validate": ()}, ("validate", HERE, None)),
        ("dataset validate a/dataset.json", {"validate": ()}, ("validate", HERE, "a/dataset.json")),
        ("lineage 2026", {"lineage": given.LINEAGE}, ("lineage", HERE, "2026")),
        ("path nsde", {"paths": ()}, ("paths", HERE, "nsde", "silver", None)),
        ("path nsde --layer raw --table t", {"paths": ()}, ("paths", HERE, "nsde", "raw", "t")),
        ("doctor", {"doctor": ()}, ("doctor", HERE)),
    ],
)
def test_a_command_asks_the_api_once(
    words: str, answers: dict[str, Any], call: tuple[Any, ...], fake: Any, piped: Run
) -> None:
    fake.gives(**answers)

    assert piped(*words.split()).code == 0
    assert fake.calls == [call]


def test_a_rollback_without_to_goes_one_version_back_and_with_it_to_that_run(fake: Any, piped: Run) -> None:
    fake.gives(manifest=api.ManifestView("nsde", given.ENTRY, 2), rollback=given.ROLLBACK)

    piped("manifest", "rollback", "nsde")
    piped("manifest", "rollback", "nsde", "--to", given.OLD_RUN, "--reason", "July is broken")

    assert [call[2:] for call in fake.calls if call[0] == "rollback"] == [
        ("nsde", None, ""),
        ("nsde", given.OLD_RUN, "July is broken"),
    ]


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_without_a_command_it_prints_its_help_and_ends_with_0(words: tuple[str, ...], piped: Run) -> None:
    found = piped(*words)

    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("Usage: pharmaetl [OPTIONS] COMMAND [ARGS]...\n")


@pytest.mark.parametrize("group", ["manifest", "runs", "dataset"])
def test_a_group_without_a_command_prints_its_help_and_ends_with_0(group: str, piped: Run) -> None:
    found = piped(group)

    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(f"Usage: pharmaetl {group} ")


def test_version(piped: Run) -> None:
    from pharmaetl import __version__

    assert piped("--version").out == f"pharmaetl {__version__}\n"


COMMANDS = (
    "run",
    "plan",
    "status",
    "lineage",
    "path",
    "doctor",
    "prune",
    *(f"manifest {name}" for name in ("show", "history", "verify", "rollback")),
    *(f"runs {name}" for name in ("list", "show", "resume")),
    *(f"dataset {name}" for name in ("list", "show", "validate", "schema")),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_shared_options_and_its_help_fits_80_columns(
    command: str, piped: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    found = piped(*command.split(), "-h")

    assert found.code == 0
    for option in ("--json", "--lake URL", "--datasets DIR", "-q, --quiet", "-v, --verbose", "-h, --help"):
        assert option in found.out
    assert [line for line in found.out.splitlines() if len(line) > 80] == []


def completions(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setenv("_PHARMAETL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    with pytest.raises(SystemExit):
        answer([])
    return capsys.readouterr().out.split()


def test_a_shell_completes_dataset_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("fda/nsde", "fda/nsde_next", "nlm/rxnorm"):
        (tmp_path / name / "config").mkdir(parents=True)
        (tmp_path / name / "config" / "dataset.json").write_text("not read for names")
    monkeypatch.setenv("PHARMAETL_DATASETS", str(tmp_path))

    assert completions("pharmaetl run ns", monkeypatch, capsys) == ["nsde", "nsde_next"]
    assert completions("pharmaetl manifest show rx", monkeypatch, capsys) == ["rxnorm"]
    monkeypatch.setenv("PHARMAETL_DATASETS", str(tmp_path / "missing"))
    assert completions("pharmaetl run ns", monkeypatch, capsys) == []
