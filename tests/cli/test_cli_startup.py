"""Looking at a lake starts fast: what only runs need is not imported."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pharmaetl.cli

HEAVY = {"pyspark", "pandas", "pyarrow", "numpy", "boto3", "duckdb", "requests", "grpc", "pysail"}
ONLY_ON_TERMINALS = {"rich"}
NOT_FOR_HELP = {"pydantic", "pharmaetl.api"}

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
