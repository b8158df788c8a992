"""What docs/aws.md shows is what the code says: picture, permissions, sums, commands.

Also of docs/faults.md and README.md: every command line is one. PHARMAETL_UPDATE_GOLDEN=1 writes what is generated.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import typer
from botocore import xform_name
from typer.main import get_command

from pharmaetl.aws import costs, diagram, state_machine
from pharmaetl.aws.cdk.arns import KEY, LAKE, Shared
from pharmaetl.aws.cdk.policies import Grants, Statement
from pharmaetl.aws.cdk.settings import Settings
from pharmaetl.aws.costs import JobCost, RunCost
from pharmaetl.aws.events import Asked
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.catalog import Catalog, Dataset, shipped
from pharmaetl.cli.app import build
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.status import STALE_HOURS

ROOT = Path(__file__).parents[2]
AWS, FAULTS, README = ROOT / "docs" / "aws.md", ROOT / "docs" / "faults.md", ROOT / "README.md"
PAGES = (AWS, FAULTS, README)
FENCED = re.compile(r"^```(?:bash|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^    (\S.*)$", re.MULTILINE)
BETWEEN_COMMANDS = frozenset({"|", "&&", "||", ";", ">"})
ASSIGNED = re.compile(r"export|\w+=.*")
SPOKEN = re.compile(r"`(pharmaetl [^`]+)`")
ROLES = (
    ("FetchAndHash", "lambda", "fetch"),
    ("UpdateManifest", "lambda", "publish"),
    ("Trigger", "lambda", "trigger"),
    ("Freshness", "lambda", "freshness"),
    ("Bronze", "glue", "bronze"),
    ("Silver", "glue", "silver"),
    ("Gold", "glue", "gold"),
    ("Crawler", "glue", "crawler"),
    ("Orchestrator", "states", "state_machine"),
    ("Schedule", "scheduler", "schedule"),
)
"""A role, the service that takes it on, and the method that makes its statements."""
CODE = [{"Fn::Sub": "the job's script and library"}]
PRICED = ((2, 60, "the least"), (2, 180, ""), (10, 60, ""), (10, 300, ""), (10, 3600, "an hour each"))
"""Workers, and seconds of each of the two jobs."""
DAILY, MONTHLY = costs.RUNS_A_MONTH["daily"], costs.RUNS_A_MONTH["monthly"]
UsageError = typer.BadParameter.__mro__[1]
"""Of the click that typer brings along."""
NOT_IN_THE_API = {"s3 ls", "logs tail"}
OF_EVERY_AWS_COMMAND = {"query", "output", "cli-binary-format"}
RENAMED = {"notification-endpoint": "endpoint"}
"""Options that the AWS CLI calls otherwise than the API, where its own have that name."""


def config_of(folder: str) -> DatasetConfig:
    return Dataset(shipped() / folder).config


def settle(page: Path, name: str, wanted: str) -> None:
    """The part of a page between the markers of a name is as wanted, or is made so where that is asked for."""
    part = re.compile(rf"(<!-- {name}:[^\n]*-->\n)(.*?)(<!-- end of {name} -->)", re.DOTALL)
    text = page.read_text(encoding="utf-8")
    expected = part.sub(lambda found: found[1] + wanted + found[3], text)
    if os.environ.get("PHARMAETL_UPDATE_GOLDEN") == "1":
        page.write_text(expected, encoding="utf-8")
    assert wanted in expected
    assert page.read_text(encoding="utf-8") == expected


def test_the_picture_is_the_state_machine_s() -> None:
    drawn = diagram.mermaid(state_machine.definition(config_of("fda/nsde")))
    settle(AWS, "diagram", f"```mermaid\n{drawn}```\n")


def permissions() -> Iterator[str]:
    """A row for each statement of each role."""
    grants = Grants(DatasetNames(config_of("nlm/rxnorm")), Shared(Settings()), {"Ref": "LakeKeyArn"})
    yield "| role | taken by | may | on |\n|---|---|---|---|\n"
    for role, service, method in ROLES:
        make = getattr(grants, method)
        statements: list[Statement] = make(CODE) if service == "glue" and method != "crawler" else make()
        for statement in statements:
            first = f"{role} | {service}" if statement is statements[0] else " | "
            actions = ", ".join(f"`{action}`" for action in statement.actions)
            places = ", ".join(map(shown, statement.resources))
            yield f"| {first} | {actions} | {places}{condition(statement)} |\n"


def shown(resource: dict[str, str] | str) -> str:
    """A resource without what every one of the account has."""
    if isinstance(resource, str):
        return f"`{resource}`"
    if "Ref" in resource:
        return {KEY: "the lake's key", LAKE: "`s3:::<lake>`"}[resource["Ref"]]
    text = resource["Fn::Sub"].replace(f"${{{LAKE}}}", "arn:${AWS::Partition}:s3:::<lake>")
    if not text.startswith("arn:"):
        return text
    return f"`{text.removeprefix('arn:${AWS::Partition}:').replace('${AWS::Region}:${AWS::AccountId}:', '')}`"


def condition(statement: Statement) -> str:
    pairs = [pair for operator in (statement.condition or {}).values() for pair in operator.items()]
    return "".join(f" where `{key}` is `{value}`" for key, value in pairs)


def test_the_permissions_are_those_of_the_statements() -> None:
    settle(AWS, "iam", "".join(permissions()))


def test_no_role_is_left_out() -> None:
    made = {name for name, found in vars(Grants).items() if not name.startswith("_") and callable(found)}
    assert made == {method for _, _, method in ROLES}


def run_of(workers: int, seconds: float, runs: float) -> RunCost:
    jobs = [JobCost(layer, workers, 1, seconds, costs.dollars(workers, 1, seconds)) for layer in ("bronze", "silver")]
    return RunCost(tuple(jobs), 1, runs)


def sums() -> Iterator[str]:
    """What runs cost, with the sums written out."""
    yield "| workers | seconds a job | a job | a run | a month of daily runs, each with something new |\n"
    yield "|--:|--:|---|---|---|\n"
    for workers, seconds, what in PRICED:
        cost = run_of(workers, seconds, DAILY)
        job = cost.jobs[0].dollars
        yield (
            f"| {workers} | {seconds}{f' ({what})' if what else ''} "
            f"| {workers} × {seconds} ÷ 3600 × ${costs.DOLLARS_PER_DPU_HOUR} = ${job:.4f} "
            f"| 2 × ${job:.4f} = ${cost.dollars:.4f} "
            f"| {DAILY} × ${cost.dollars:.4f} = ${cost.dollars_a_month:.2f} |\n"
        )
    yield "\nA dataset with gold tables has three jobs. A month of the shipped ones, 2 workers and 180 seconds a job:\n"
    total = 0.0
    for dataset in Catalog(shipped()):
        jobs = len(DatasetNames(dataset.config).jobs)
        runs = {"daily": DAILY, "monthly": MONTHLY}[dataset.config.cadence]
        job = costs.dollars(2, 1, 180)
        total += runs * jobs * job
        yield f"{dataset.name}, {runs} runs of {jobs} jobs at ${job:.4f}: ${runs * jobs * job:.2f}; "
    yield f"together ${total:.2f}.\n"


def test_the_sums_are_those_of_the_code() -> None:
    settle(AWS, "costs", "".join(sums()))
    assert "10 × $0.44 = $4.40" in AWS.read_text(encoding="utf-8")
    assert costs.dollars(10, 1, 3600) == pytest.approx(4.40)


def test_every_product_on_the_page_is_right() -> None:
    products = re.findall(r"(?<![÷+] )\b([\d.]+) × \$([\d.]+) = \$([\d.]+)", AWS.read_text(encoding="utf-8"))
    assert len(products) >= 15
    for count, price, product in products:
        # shown prices are rounded, and products are of the unrounded ones
        assert float(count) * float(price) == pytest.approx(float(product), abs=0.006 + float(count) * 0.00005)


def test_the_inputs_of_an_execution_are_all_there() -> None:
    part = AWS.read_text(encoding="utf-8").partition("## Start a run")[2].partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == set(Asked.model_fields)


def test_the_context_keys_are_all_there() -> None:
    part = AWS.read_text(encoding="utf-8").partition("| context key |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == {field.name for field in fields(Settings)}


def test_the_hours_after_which_a_dataset_is_stale_are_the_code_s() -> None:
    days = {cadence: hours / 24 for cadence, hours in STALE_HOURS.items()}
    assert days == {"daily": 2, "weekly": 9, "monthly": 45}
    assert "48 hours (weekly: 9 days, monthly: 45)" in AWS.read_text(encoding="utf-8")


def command_lines(page: Path) -> Iterator[str]:
    """Every shell command of a page, one to a line, wherever it stands."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = [*FENCED.findall(text), *INDENTED.findall(FENCED.sub("", text))]
    for line in [line for block in blocks for line in block.splitlines()]:
        inner = re.findall(r"\$\((.*?)\)", line)
        yield from (part.strip() for part in (line, *inner))
    yield from SPOKEN.findall(text)


def words_after(program: str, page: Path) -> Iterator[list[str]]:
    """The words of each call of a program, up to a pipe or the next command."""
    for line in command_lines(page):
        if program not in line.split():
            continue
        call: list[str] | None = None
        at_start = True
        for word in shlex.split(re.sub(r"\$\(.*?\)", "VALUE", line), comments=True):
            if word in BETWEEN_COMMANDS:
                if call is not None:
                    yield call
                call, at_start = None, True
            elif at_start and word == program:
                call, at_start = [], False
            elif at_start:
                at_start = bool(ASSIGNED.fullmatch(word))
            elif call is not None:
                call.append(word)
        if call is not None:
            yield call


def parse(words: list[str]) -> None:
    """Raises UsageError where there is no such command or option, or an argument is missing."""
    command: Any = get_command(build())
    while hasattr(command, "commands") and words:
        name, words = words[0], words[1:]
        if name not in command.commands:
            raise UsageError(f"no command {name}")
        command = command.commands[name]
    command.make_context(command.name or "", [word.split("|")[0] for word in words])


OURS = [(page.name, words) for page in PAGES if page.exists() for words in words_after("pharmaetl", page)]


@pytest.mark.parametrize(("page", "words"), OURS, ids=[f"{page}: {' '.join(words)}" for page, words in OURS])
def test_every_command_of_ours_is_one(page: str, words: list[str]) -> None:
    parse(words)


def test_there_are_commands_to_look_at() -> None:
    assert len(OURS) >= 50
    assert ["run", "nsde", "--target", "aws"] in [words for _, words in OURS]


@pytest.mark.parametrize(
    "wrong", ["rnu nsde", "run nsde --tagret aws", "aws deploi", "runs show", "run nsde --engine x"]
)
def test_a_command_that_is_none_would_be_seen(wrong: str) -> None:
    with pytest.raises(UsageError):
        parse(wrong.split())


def test_every_command_of_the_aws_command_line_is_in_the_services_models() -> None:
    calls = list(words_after("aws", AWS))
    assert len(calls) >= 20
    for words in calls:
        if " ".join(words[:2]) not in NOT_IN_THE_API:
            assert unknown_in(words) == set(), words


def unknown_in(words: list[str]) -> set[str]:
    """Options of a call that its operation doesn't take; KeyError for an operation that there isn't."""
    service, command = {"s3api": "s3"}.get(words[0], words[0]), words[1]
    model = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    shape: Any = model.operation_model(names[command]).input_shape
    members = {xform_name(name, "-") for name in (shape.members if shape else {})}
    given = {word.removeprefix("--") for word in words if word.startswith("--")}
    given = {RENAMED.get(option, option) for option in given}
    return given - members - OF_EVERY_AWS_COMMAND


def test_an_option_that_is_none_would_be_seen() -> None:
    assert unknown_in(["sqs", "receive-message", "--queue-ulr", "u"]) == {"queue-ulr"}


@pytest.mark.parametrize("page", [AWS, FAULTS], ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`((?:tests|docs|pharmaetl)/[\w/.-]+\.\w+)`", page.read_text(encoding="utf-8")))
    assert len(named) >= 10
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def claimed() -> dict[str, int]:
    """How many tests docs/faults.md says a file has."""
    rows = re.findall(r"^\|.*\| `(tests/[\w/]+\.py)` \| ([\d,]+) \|$", FAULTS.read_text(encoding="utf-8"), re.MULTILINE)
    return {path: int(count.replace(",", "")) for path, count in rows}


def test_there_are_as_many_tests_as_the_page_on_faults_says() -> None:
    counts = claimed()
    assert len(counts) >= 15
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *counts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = {path: int(count) for path, count in re.findall(r"^(\S+\.py): (\d+)$", done.stdout, re.MULTILINE)}
    assert set(found) == set(counts), done.stdout[-2000:]
    assert {path: found[path] for path in counts if found[path] < counts[path]} == {}
