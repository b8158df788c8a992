"""`dataset new` at the command line: what it prints, where it writes, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the working directory, which has no datasets folder above it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "demo.txt"
    path.write_text("id~when\n" + "".join(f"{number:03d}~Oct {number}, 2014\n" for number in range(1, 29)))
    return path


def test_it_says_where_it_wrote_and_what_it_took_the_file_for(piped: Run, source: Path) -> None:
    shown = piped("dataset", "new", "fda/demo", "--from", "demo.txt")

    assert shown.code == 0
    assert f"datasets folder  {Path.cwd()}/datasets (made just now: there was none up from here)\n" in shown.out
    assert "when    date    MMM d, yyyy  dates such as 'Oct 1, 2014'\n" in shown.out
    assert shown.err == "", "the next command is for terminals"


def test_its_json_holds_the_guesses_and_what_to_check(piped: Run, source: Path) -> None:
    shown = piped("dataset", "new", "fda/demo", "--from", "demo.txt", "--datasets", "mine", "--json")

    data = json.loads(shown.out)
    assert (data["dataset"], data["organization"], data["path"]) == ("demo", "fda", f"{Path.cwd()}/mine/fda/demo")
    (table,) = data["tables"]
    assert {key: table[key] for key in ("delimiter", "quote", "header", "encoding", "key", "records_looked_at")} == {
        "delimiter": "~", "quote": "", "header": True, "encoding": "utf-8", "key": ["id"], "records_looked_at": 28,
    }  # fmt: skip
    assert [(column["name"], column["type"], column["format"]) for column in table["columns"]] == [
        ("id", "string", None),
        ("when", "date", "MMM d, yyyy"),
    ]
    assert "`source_url` is a file on this machine: put the publisher's URL there" in data["checks"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("fda/demo",), 2),
        (("demo", "--from", "demo.txt"), 2),
        (("fda/demo", "--from", " "), 2),
        (("fda/demo", "--from", "nowhere.txt"), 5),
        (("fda/demo", "--from", "."), 5),
    ],
)
def test_what_cannot_be_done_has_its_exit_code_and_writes_nothing(
    piped: Run, source: Path, words: tuple[str, ...], code: int
) -> None:
    assert piped("dataset", "new", *words).code == code
    assert not Path("datasets").exists()


def test_a_second_time_it_wants_force(piped: Run, source: Path) -> None:
    words = ("dataset", "new", "fda/demo", "--from", "demo.txt")
    assert piped(*words).code == 0

    again = piped(*words)

    assert (again.code, again.err.splitlines()[-1]) == (2, "hint: --force overwrites what `dataset new` writes there")
    assert piped(*words, "--force").code == 0


def test_the_new_dataset_is_listed_beside_those_that_come_with_the_package(piped: Run, source: Path) -> None:
    piped("dataset", "new", "fda/demo", "--from", "demo.txt")

    listed = json.loads(piped("dataset", "list", "--json").out)["datasets"]

    paths = {view["dataset"]: view["path"] for view in listed}
    assert paths["demo"] == f"{Path.cwd()}/datasets/fda/demo"
    assert len(paths) > 1
