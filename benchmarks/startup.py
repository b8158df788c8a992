"""How soon the command line answers: help, status, manifest, plan, and a run that finds its source unchanged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from benchmarks.contenders import ours, release
from benchmarks.measure import ROOT
from benchmarks.rounds import interleaved
from benchmarks.section import Row, Section, Target
from benchmarks.whole import Setting

ROWS = 25_000
ANSWER_SECONDS, SKIP_SECONDS = 0.3, 1.0
FLOOR, SKIP = "python -c pass", "pharmaetl run nsde, unchanged"


def startup(setting: Setting) -> Section:
    """Against a lake with one published NSDE; whole processes, files in the page cache."""
    section = Section(
        "Start-up", notes=[f"A lake with one NSDE of {ROWS:,} rows; its zip is the source of `plan` too."]
    )
    source, lake = release("nsde", ROWS, setting.seed, setting.folder), setting.out
    shutil.rmtree(setting.scratch, ignore_errors=True)
    run = ours(source, "auto", lake).command
    subprocess.run(run, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    _check_skipped(run)
    pharmaetl, at = (sys.executable, "-m", "pharmaetl"), ("--lake", str(lake))
    commands = {
        FLOOR: (sys.executable, "-c", "pass"),
        "pharmaetl --help": (*pharmaetl, "--help"),
        "pharmaetl status": (*pharmaetl, "status", *at),
        "pharmaetl manifest show nsde": (*pharmaetl, "manifest", "show", "nsde", *at),
        "pharmaetl plan nsde": (*pharmaetl, "plan", "nsde", "--source", str(source.archive), *at),
        SKIP: run,
    }
    for name, runs in interleaved(commands, setting.repeat).items():
        row = Row("start-up", name, runs)
        section.rows.append(row)
        if name != FLOOR:
            bound = SKIP_SECONDS if name == SKIP else ANSWER_SECONDS
            section.targets.append(Target(name, row.seconds, bound, "s"))
    shutil.rmtree(setting.scratch, ignore_errors=True)
    return section


def _check_skipped(run: tuple[str, ...]) -> None:
    """RuntimeError unless the same run again is skipped: the figure would mean nothing."""
    done = subprocess.run([*run, "--json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    outcome = json.loads(done.stdout)["outcome"]
    if outcome != "skipped":
        raise RuntimeError(f"a second run of an unchanged source ended as {outcome}")
