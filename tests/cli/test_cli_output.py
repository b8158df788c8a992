"""Where output goes and what it looks like there: pipes get plain whole text, terminals colour and a fitting width."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cli_literals as given
import gold_literals as golden
import pytest

from pharmaetl import api
from pharmaetl.cli import render
from pharmaetl.cli.screen import Column, Facts, Lines, Screen, Table, Toned, Tree
from pharmaetl.cli.session import Session

Run = Callable[..., Any]
ESCAPE = "\x1b["
LONG = "s3://" + "a-very-long-bucket-name/" * 8


def test_a_piped_table_is_aligned_whole_and_without_colour(fake: Any, piped: Run) -> None:
    fake.gives(runs=(given.FAILED, given.PUBLISHED))

    assert piped("runs", "list").out == (
        "RUN                        DATASET  OUTCOME     ROWS   TOOK  REASON\n"
        "20260724T120000Z-00ff00ff  nsde     failed         -  5.0 s  "
        "gate: nsde has 1,200 rows, 2.7 % of the 44,580 published\n"
        "20260723T120000Z-1a2b3c4d  nsde     published  44580  7.3 s  the source changed\n"
    )


def test_counts_in_a_pipe_are_bare_digits_whatever_their_tone(fake: Any, piped: Run) -> None:
    table = given.TABLE.model_copy(update={"rows_quarantined": 1006, "rows_published": 43_580})
    fake.gives(run=given.PUBLISHED.model_copy(update={"tables": (table,)}))

    assert ["nsde", "44589", "43580", "1006", "3", given.SILVER] in [
        line.split() for line in piped("run", "nsde").out.splitlines()
    ]


def test_a_terminal_gets_colour_and_grouped_digits(fake: Any, on_terminal: Run) -> None:
    fake.gives(runs=(given.PUBLISHED,))

    shown = on_terminal("runs", "list").out

    assert f"{ESCAPE}32mpublished{ESCAPE}0m" in shown
    assert "44,580" in shown


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_switched_off(
    name: str, value: str, fake: Any, on_terminal: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.gives(runs=(given.PUBLISHED,), status=api.LakeStatus("x", ()))
    monkeypatch.setenv(name, value)

    answer = on_terminal("runs", "list")

    assert ESCAPE not in answer.out + answer.err + on_terminal("stauts").err


def test_an_empty_no_color_switches_nothing_off(fake: Any, on_terminal: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.gives(runs=(given.PUBLISHED,))
    monkeypatch.setenv("NO_COLOR", "")

    assert ESCAPE in on_terminal("runs", "list").out


def test_json_on_a_terminal_is_bare_json(fake: Any, on_terminal: Run) -> None:
    fake.gives(runs=(given.PUBLISHED,))

    answer = on_terminal("runs", "list", "--json")

    assert json.loads(answer.out)["runs"][0]["dataset"] == "nsde"
    assert (ESCAPE in answer.out, answer.err) == (False, "")


@pytest.mark.parametrize("text", ["[s3://bucket/key]", "[bold]NDC[/bold]", "[/]", ":pill: 100%", "{0} %s"])
def test_text_that_looks_like_markup_survives(text: str, fake: Any, piped: Run, on_terminal: Run) -> None:
    fake.gives(
        doctor=(api_diagnosis(text),),
        lineage=api.LineageView("nsde", given.RUN, api.LineageNode("run", text, None, None, "", ()), ()),
        rollback=given.ROLLBACK.model_copy(update={"reason": text}),
        manifest=api.ManifestView("nsde", None, 0),
    )

    for words in (("doctor",), ("lineage", "nsde"), ("manifest", "rollback", "nsde")):
        assert text in piped(*words).out
        assert text in on_terminal(*words).out


def api_diagnosis(text: str) -> Any:
    from pharmaetl.doctor import Diagnosis

    return Diagnosis("lake", "ok", text, "")


def test_control_and_direction_characters_become_escapes(fake: Any, piped: Run, on_terminal: Run) -> None:
    fake.gives(doctor=(api_diagnosis("a\x1b[2Jb\tc\nd\u202ee\x00"),))

    for shown in (piped("doctor").out, on_terminal("doctor").out):
        assert "a\\x1b[2Jb\\tc\\nd\\u202ee\\x00" in shown


def test_a_narrow_terminal_loses_the_least_important_columns_first() -> None:
    table = Table(
        (Column("run"), Column("rows", right=True, drop=2), Column("note", wrap=True, drop=1)),
        (("20260723T120000Z-1a2b3c4d", 44_580, "a note of some length that may be folded"),),
    )

    def titles(width: int) -> list[str]:
        return render.fitted((table,), sys.stdout, width=width, colour=False).splitlines()[0].split()

    assert titles(80) == ["RUN", "ROWS", "NOTE"]
    assert titles(50) == ["RUN", "NOTE"]
    assert titles(30) == ["RUN"]


def test_nothing_is_cut_in_a_pipe() -> None:
    parts = (
        Table((Column("path", wrap=True),), ((LONG,),)),
        Facts((("path", LONG),)),
        Tree(Toned(LONG), (Tree(Toned(LONG)),)),
        Lines((LONG,)),
    )

    assert render.plain(parts).count(LONG) == 5


def test_lines_for_other_programs_are_not_folded_on_a_terminal(fake: Any, on_terminal: Run) -> None:
    fake.gives(paths=(f"/data/{LONG}", "/data/b"))

    assert on_terminal("path", "nsde").out == f"/data/{LONG}\n/data/b\n"


def test_an_empty_table_says_so(fake: Any, piped: Run, on_terminal: Run) -> None:
    fake.gives(runs=())

    assert piped("runs", "list").out == on_terminal("runs", "list").out == "no runs yet\n"


def test_lineage_as_a_tree_in_a_pipe(fake: Any, piped: Run) -> None:
    fake.gives(lineage=given.LINEAGE)

    assert piped("lineage", "nsde").out.splitlines() == [
        f"run  {given.RUN}  published",
        f"  url  {given.URL}  7,654,321 bytes, fetched 2026-07-23T12:00:01Z",
        f"    raw  sha256 {given.SHA256}  nsde.csv (40,000,000 bytes)",
        f"      bronze  nsde  44,589 rows  read  bronze/nsde/run={given.RUN}",
        f"        silver  nsde  44,580 rows  3 exact duplicates left out  {given.SILVER}",
        f"        quarantine  nsde  6 rows  field_count: 4, ndc11_agrees: 2  quarantine/nsde/run={given.RUN}",
    ]


def test_lineage_as_a_mermaid_graph_escapes_quotes(fake: Any, piped: Run) -> None:
    node = api.LineageNode
    root = node("url", 'a "quoted" name', None, None, "", (node("raw", "sha256 5f", None, None, "", ()),))
    fake.gives(lineage=api.LineageView("nsde", given.RUN, root, ()))

    assert piped("lineage", "nsde", "--format", "mermaid").out == (
        'flowchart LR\n  n["url<br/>a #quot;quoted#quot; name"]\n  n_0["raw<br/>sha256 5f"]\n  n --> n_0\n'
    )


def test_a_mermaid_graph_has_arrows_from_every_silver_table_to_every_gold_one(fake: Any, piped: Run) -> None:
    fake.gives(lineage=golden.LINEAGE)

    lines = piped("lineage", "cder", "--format", "mermaid").out.splitlines()

    assert [line.strip() for line in lines if "-->" in line] == [
        "n --> n_0", "n_0 --> n_0_0",
        "n_0_0 --> n_0_0_0", "n_0_0_0 --> n_0_0_0_0", "n_0_0 --> n_0_0_1", "n_0_0_1 --> n_0_0_1_0",
        "n_0_0_0_0 --> n_0_0_2", "n_0_0_1_0 --> n_0_0_2", "n_0_0_0_0 --> n_0_0_3", "n_0_0_1_0 --> n_0_0_3",
    ]  # fmt: skip
    assert '  n_0_0_2["gold<br/>product_ingredient<br/>151,022 rows<br/>from products, packages"]' in lines


def test_gold_tables_are_whole_and_plain_in_a_pipe(fake: Any, piped: Run) -> None:
    fake.gives(run=golden.PUBLISHED, manifest=api.ManifestView("cder", golden.ENTRY, 2))

    for words in (("run", "cder"), ("manifest", "show", "cder")):
        shown = piped(*words).out
        assert ESCAPE not in shown
        rows = [line.split() for line in shown.splitlines() if golden.CLASSES in line or golden.INGREDIENTS in line]
        assert [(row[0], row[1], row[-1]) for row in rows] == [
            ("product_ingredient", "151022", golden.INGREDIENTS),
            ("pharm_class", "0", golden.CLASSES),
        ]


def test_lineage_as_openlineage_is_one_event_a_line(fake: Any, on_terminal: Run) -> None:
    fake.gives(lineage=given.LINEAGE)

    lines = on_terminal("lineage", "nsde", "--format", "openlineage").out.splitlines()

    assert [json.loads(line)["eventType"] for line in lines] == ["START", "COMPLETE"]


def test_validate_prints_every_problem_where_an_editor_finds_it(fake: Any, piped: Run) -> None:
    fake.gives(validate=given.VALIDATIONS)

    answer = piped("dataset", "validate")

    assert answer.out == (
        "datasets/fda/nsde/config/dataset.json: ok\n"
        "datasets/fda/cder/config/dataset.json:3:5: datset is no known key (did you mean dataset?)\n"
        "datasets/fda/cder/config/dataset.json:14:32: critical_null_threshold must be below 1\n"
    )
    assert (answer.code, answer.err.splitlines()[0]) == (3, "error: problems: 2, in 1 of 2 configs")


def test_only_a_person_at_a_terminal_is_told_the_next_command(fake: Any, piped: Run, on_terminal: Run) -> None:
    fake.gives(datasets=(given.DATASET,))

    assert on_terminal("dataset", "list", "--lake", "my lake").err.endswith("pharmaetl run nsde --lake 'my lake'\n")
    assert piped("dataset", "list").err == ""
    assert on_terminal("dataset", "list", "--json").err == ""
    assert on_terminal("dataset", "list", "-q").err == ""


PROGRAM = """
import sys
from pharmaetl.cli.app import prepare_streams
from pharmaetl.cli.failures import failure_of
from pharmaetl.cli.output import Output
from pharmaetl.cli.screen import Lines, Screen, Toned, Tree
prepare_streams()
try:
    Output(as_json="--json" in sys.argv).show(Screen({"name": "caf\\u00e9"}, (Lines(("caf\\u00e9",) * 20000),)))
except Exception as error:
    failure = failure_of(error)
    Output().fail(failure)
    sys.exit(failure.exit_code)
sys.exit(5)
"""


def spawn(*words: str, **settings: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", PROGRAM, *words], stderr=subprocess.PIPE, check=False, **settings)


def test_a_reader_that_goes_away_changes_neither_exit_code_nor_stderr() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ended = spawn(stdout=writer)
    os.close(writer)

    assert (ended.returncode, ended.stderr) == (5, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_ends_with_7() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = spawn(stdout=full)

    assert ended.returncode == 7
    assert ended.stderr.splitlines() == [
        b"error: stdout can't be written: No space left on device",
        b"hint: the command itself did its work",
    ]


def test_an_encoding_without_the_letter_gets_an_escape_and_json_stays_json() -> None:
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}

    text = spawn(stdout=subprocess.PIPE, env=ascii_only)
    data = spawn("--json", stdout=subprocess.PIPE, env=ascii_only)

    assert text.stdout.startswith(b"caf\\xe9\n")
    assert json.loads(data.stdout) == {"name": "café"}


def test_a_closed_stdout_is_no_bug() -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, PROGRAM], stderr=subprocess.PIPE, check=False
    )

    assert (ended.returncode, ended.stderr) == (5, b"")


def on_pty(lake: Path, **environment: str) -> str:
    """What `status` of an empty lake shows on a real pseudo-terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pharmaetl", "status", "--lake", str(lake)]
    ended = subprocess.run(
        command, stdout=theirs, stderr=theirs, check=False, env={**os.environ, "COLUMNS": "80", **environment}
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert ended.returncode == 0
    return shown


def test_a_real_terminal_gets_colour_unless_no_color_is_set(tmp_path: Path) -> None:
    coloured = on_pty(tmp_path, TERM="xterm-256color")
    plain = on_pty(tmp_path, TERM="xterm-256color", NO_COLOR="1")

    assert ESCAPE in coloured
    assert ESCAPE not in plain
    assert "not published" in re.sub(r"\x1b\[[0-9;]*m", "", coloured)


def test_a_follow_up_names_the_lake_that_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(lake="s3://bucket/lake", datasets="my sets")

    assert session.command("path nsde") == "pharmaetl path nsde --lake s3://bucket/lake --datasets 'my sets'"
    session.show(Screen({}, (Lines(("x",)),), "path nsde"))
    assert capsys.readouterr() == ("x\n", "")
