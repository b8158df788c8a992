"""Looking at a lake starts fast: what only runs need is not imported."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_literals import ENTRY, SOURCE

import pharmaetl.cli
from pharmaetl import catalog, hashing
from pharmaetl.lake import documentfile, layout

HEAVY = {"pyspark", "pandas", "pyarrow", "numpy", "boto3", "duckdb", "requests", "grpc", "pysail"}
ONLY_ON_TERMINALS = {"rich"}
NOT_FOR_HELP = {"pydantic", "pharmaetl.api"}
FOR_THE_WEB = {"ssl", "http.client", "pharmaetl.download.site"}
FOR_RUNS = FOR_THE_WEB | {"pharmaetl.config.dataset_config", "pharmaetl.download", "pharmaetl.engine"}

WATCHED = """
import json, sys
from pharmaetl.cli.app import answer
code = answer(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def modules_after(*words: str) -> tuple[int, set[str]]:
    ended = subprocess.run([sys.executable, "-c", WATCHED, *words], capture_output=True, text=True, check=True)
    code, modules = json.loads(ended.stderr.splitlines()[-1])
    return code, {module.split(".")[0] for module in modules} | set(modules)


@pytest.mark.parametrize("words", ["--help", "plan --help", "run -h", "--version", "manifest"])
def test_help_imports_neither_engines_nor_the_api(words: str) -> None:
    code, modules = modules_after(*words.split())

    assert code == 0
    assert modules & (HEAVY | ONLY_ON_TERMINALS | NOT_FOR_HELP) == set()


@pytest.mark.parametrize("words", ["status", "manifest show nsde", "manifest history nsde", "runs list"])
def test_looking_at_a_lake_imports_no_engine(words: str, tmp_path: Path) -> None:
    code, modules = modules_after(*words.split(), "--lake", str(tmp_path / "lake"))

    assert code == 0
    assert modules & (HEAVY | ONLY_ON_TERMINALS) == set()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.csv"
    path.write_text("a release")
    return path


@pytest.fixture
def lake(tmp_path: Path, source: Path) -> str:
    """A lake that says of the source that it is published, by the code and the config of now."""
    dataset = catalog.Catalog(catalog.shipped()).find("nsde")
    entry = ENTRY.model_copy(
        update={
            "sequence": 1,
            "parent": None,
            "source": SOURCE.model_copy(update={"url": source.as_uri(), "sha256": hashing.of_file(source)}),
            "config_sha256": dataset.config_sha256,
            "code_sha256": dataset.code_sha256,
        }
    )
    path = tmp_path / "lake" / layout.log_entry("nsde", 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(documentfile.encode(entry))
    return str(tmp_path / "lake")


@pytest.mark.parametrize("words", ["status", "manifest show nsde", "manifest history nsde", "runs list"])
def test_what_is_published_is_shown_without_reading_configs_or_what_runs_need(words: str, lake: str) -> None:
    code, modules = modules_after(*words.split(), "--lake", lake)

    assert code == 0
    assert modules & (HEAVY | ONLY_ON_TERMINALS | FOR_RUNS) == set()


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_file_that_is_published_already_is_looked_at_without_an_engine_or_the_web(
    command: str, lake: str, source: Path
) -> None:
    code, modules = modules_after(command, "nsde", "--source", str(source), "--lake", lake, "--quiet")

    assert code == 0
    assert "pharmaetl.config.dataset_config" in modules
    assert modules & (HEAVY | ONLY_ON_TERMINALS | FOR_THE_WEB) == set()


def test_a_command_leaves_the_modules_of_the_others_alone(lake: str) -> None:
    _, modules = modules_after("status", "--lake", lake)

    ours = {module.removeprefix("pharmaetl.cli.") for module in modules if module.startswith("pharmaetl.cli.")}
    assert "status" in ours
    assert ours & {"aws", "dataset", "doctor", "manifest", "quality", "run", "runs"} == set()


def test_help_is_there_in_less_than_half_a_second() -> None:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "pharmaetl", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - begun)

    assert min(times) < 0.5


def test_only_output_prints() -> None:
    """Everybody else hands a screen over; the moving bar is drawn on a console that output gives."""
    folder = Path(pharmaetl.cli.__file__).parent
    offenders = [
        (path.name, node.lineno)
        for path in folder.rglob("*.py")
        if path.name != "output.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr in {"stdout", "stderr", "echo", "secho"})
    ]

    assert offenders == []
