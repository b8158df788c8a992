"""Synthesising: by the function, by the command line's app, for an emulator, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployments import BASE, NSDE, Assembly, needs_the_cdk, templates_in

from pharmaetl.aws.cdk import Settings, synth
from pharmaetl.aws.cdk.__main__ import settings_from
from pharmaetl.catalog import Catalog, shipped
from pharmaetl.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def nsde_only(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A catalog with one dataset, a copy of the shipped one."""
    folder = tmp_path_factory.mktemp("datasets")
    config = folder / "fda" / "nsde" / "config" / "dataset.json"
    config.parent.mkdir(parents=True)
    config.write_bytes(Catalog(shipped()).find("nsde").config_path.read_bytes())
    return Catalog(folder)


@pytest.fixture(scope="module")
def emulated(nsde_only: Catalog, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    needs_the_cdk()
    out = tmp_path_factory.mktemp("emulated") / "new"
    return synth(nsde_only, out, Settings(prefix="Try", emulated=True, bundle=False, reserved_concurrency=0))


def test_synth_writes_a_template_for_each_stack_and_the_state_machine_of_each_dataset(
    emulated: tuple[Path, ...],
) -> None:
    assert [path.name for path in emulated] == [
        "Try-DataLake-Base.template.json",
        "Try-NSDE-Orchestrator.template.json",
        "nsde.asl.json",
    ]
    assert json.loads(emulated[2].read_text())["StartAt"]


def test_for_an_emulator_only_tls_and_what_encrypts_for_glue_are_left_out(
    emulated: tuple[Path, ...], assembly: Assembly
) -> None:
    for_emulator = templates_in(emulated[0].parent)
    kinds = {
        stack: sorted(found["Type"] for found in template["Resources"].values())
        for stack, template in for_emulator.items()
    }
    usual = {stack: sorted(found["Type"] for found in assembly.resources(stack).values()) for stack in (BASE, NSDE)}
    usual[NSDE].remove("AWS::Glue::SecurityConfiguration")
    # without one, all jobs of an account log to the same two groups, which no stack owns
    for _ in range(2 * 2):
        usual[NSDE].remove("AWS::Logs::LogGroup")
    assert kinds == {"Try-DataLake-Base": usual[BASE], "Try-NSDE-Orchestrator": usual[NSDE]}
    assert "SecureTransport" not in json.dumps(for_emulator)
    assert "PublishLogIsCreatedOnly" in json.dumps(for_emulator)


def test_the_prefix_is_in_every_name_that_datasets_share(emulated: tuple[Path, ...]) -> None:
    text = emulated[0].read_text() + emulated[1].read_text()
    assert "try-lake-${AWS::AccountId}" in text
    assert "pp-raws" not in text.lower()


def test_with_another_prefix_no_name_is_one_that_the_usual_prefix_has(
    emulated: tuple[Path, ...], assembly: Assembly
) -> None:
    """Two deployments in one account: functions, jobs, databases, queues … have names of their own."""
    theirs = {name for stack in (BASE, NSDE) for name in _names(assembly.templates[stack])}
    ours = {name for template in templates_in(emulated[0].parent).values() for name in _names(template)}
    assert len(ours) >= 25
    assert not ours & theirs
    assert {"try-nsde-trigger", "try-nsde-bronze-etl", "try_nsde_db", "try-nsde-orchestrator"} <= ours
    variables = next(
        found["Properties"]["Environment"]["Variables"]
        for found in json.loads(emulated[1].read_text())["Resources"].values()
        if found["Type"] == "AWS::Lambda::Function"
    )
    assert variables["PHARMAETL_AWS_PREFIX"] == "Try"


def _names(template: dict[str, Any]) -> Iterator[str]:
    """What a template's resources are called in the account."""
    for found in template["Resources"].values():
        properties = {**found["Properties"], **found["Properties"].get("DatabaseInput", {})}
        for key, value in properties.items():
            if key == "Name" or (key.endswith("Name") and key not in {"MetricName", "DatabaseName"}):
                yield value if isinstance(value, str) else json.dumps(value)


def test_a_state_machine_for_another_partition_names_its_tasks_by_it(nsde_only: Catalog, tmp_path: Path) -> None:
    needs_the_cdk()
    written = synth(nsde_only, tmp_path / "out", Settings(partition="aws-us-gov", bundle=False))
    text = written[1].read_text()
    assert "arn:aws-us-gov:states:::lambda:invoke" in text
    assert "arn:aws:" not in text


def test_a_prefix_with_which_a_functions_name_gets_too_long_is_refused(tmp_path: Path) -> None:
    needs_the_cdk()
    folder = tmp_path / "datasets" / "fda" / ("n" * 41) / "config"
    folder.mkdir(parents=True)
    config = json.loads(Catalog(shipped()).find("nsde").config_path.read_text())
    (folder / "dataset.json").write_text(json.dumps({**config, "dataset": "n" * 41}))
    with pytest.raises(ConfigError, match="82 characters long, and a function's name has 64 at most"):
        synth(Catalog(tmp_path / "datasets"), tmp_path / "out", Settings(prefix="P" * 24, bundle=False))


def test_a_partition_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="no partition"):
        settings_from({"partition": "aws-mars"}.get)


def test_no_concurrency_is_reserved_where_none_is_asked_for(emulated: tuple[Path, ...]) -> None:
    assert "ReservedConcurrentExecutions" not in emulated[1].read_text()


def test_archives_without_libraries_say_so_in_the_template_and_in_themselves(emulated: tuple[Path, ...]) -> None:
    template = json.loads(emulated[1].read_text())
    assert template["Metadata"] == {"pharmaetl": "WITHOUT_LIBRARIES.txt"}
    marked = [
        archive
        for archive in emulated[0].parent.glob("asset.*.zip")
        if "WITHOUT_LIBRARIES.txt" in zipfile.ZipFile(archive).namelist()
    ]
    assert len(marked) == 1


def test_the_app_of_the_command_line_writes_where_it_is_told(nsde_only: Catalog, tmp_path: Path) -> None:
    needs_the_cdk()
    app = json.loads((ROOT / "cdk.json").read_text())["app"].split()
    done = subprocess.run(
        [sys.executable, *app[1:]],
        env={
            "PATH": _path(),
            "HOME": str(tmp_path),
            "CDK_OUTDIR": str(tmp_path / "out"),
            "CDK_CONTEXT_JSON": '{"prefix": "Try", "bundle": "false"}',
            "PHARMAETL_DATASETS": str(nsde_only.root),
            "PYTHONPATH": str(ROOT),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "Try-NSDE-Orchestrator.template.json").is_file()


def test_the_app_ends_with_the_exit_code_of_a_config_that_is_wrong(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pharmaetl.aws.cdk"],
        env={"PATH": _path(), "PHARMAETL_DATASETS": str(tmp_path / "nowhere"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "nowhere' is not there" in done.stderr


def _path() -> str:
    import os

    return os.environ["PATH"]


def test_the_context_sets_what_a_synthesis_is_told() -> None:
    given = {"prefix": "Try", "emulated": "true", "bundle": "false", "reserved_concurrency": "0"}
    assert settings_from(given.get) == Settings("Try", emulated=True, bundle=False, reserved_concurrency=0)
    assert settings_from({}.get) == Settings("PP-RAWS", emulated=False, bundle=True, reserved_concurrency=2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"emulated": "perhaps"}, "context emulated: 'perhaps' is neither true nor false"),
        ({"reserved_concurrency": "-1"}, "context reserved_concurrency: '-1' is no number"),
        ({"prefix": "under_score"}, "'under_score' can't begin the names of stacks and buckets"),
        ({"prefix": "9lives"}, "'9lives' can't begin the names of stacks and buckets"),
    ],
)
def test_a_context_that_is_wrong_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from(given.get)
    assert caught.value.reason == said


def test_without_node_the_fix_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("aws_cdk")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="the CDK needs Node"):
        synth(Catalog(shipped()), tmp_path / "out")


def test_a_placeholder_without_a_secret_is_refused() -> None:
    from pharmaetl.aws.cdk import policies

    config = Catalog(shipped()).find("nsde").config.model_copy(update={"source_url": "https://x/?k=${OTHER_KEY}"})
    with pytest.raises(ConfigError, match="OTHER_KEY"):
        policies.secrets_of(config)
