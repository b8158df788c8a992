"""Screens at 80 columns, word for word. PHARMAETL_UPDATE_GOLDEN=1 writes them anew; read the difference first."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cli_literals as given
import drift_literals as changed
import gold_literals as golden
import pytest

from pharmaetl import api
from pharmaetl.errors import GateError

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
"""What moving progress sends to a terminal."""

GOLDEN = Path(__file__).parents[1] / "golden"

SCREENS: dict[str, tuple[str, dict[str, Any]]] = {
    "help": ("--help", {}),
    "help_run": ("run --help", {}),
    "help_lineage": ("lineage --help", {}),
    "help_manifest": ("manifest", {}),
    "run_published": ("run nsde", {"run": given.PUBLISHED}),
    "run_skipped": ("run nsde", {"run": given.SKIPPED}),
    "run_refused": (
        "run nsde",
        {"run": GateError("nsde: too few rows", hint="--accept-shrink REASON", run_id=given.FAILED_RUN)},
    ),
    "plan": ("plan nsde", {"plan": given.PLAN}),
    "plan_all": ("plan", {"dataset_names": ["nsde"], "plan": given.PLAN}),
    "status": ("status", {"status": given.STATUS}),
    "manifest_show": ("manifest show nsde", {"manifest": api.ManifestView("nsde", given.ENTRY, 2)}),
    "manifest_show_nothing": ("manifest show nsde", {"manifest": api.ManifestView("nsde", None, 0)}),
    "manifest_history": (
        "manifest history nsde",
        {"history": (given.OLD_ENTRY, given.ENTRY, given.ROLLBACK), "pruned": {}},
    ),
    "manifest_history_pruned": (
        "manifest history nsde",
        {"history": (given.OLD_ENTRY, given.ENTRY), "pruned": {given.OLD_RUN: given.PRUNING.versions[0]}},
    ),
    "prune_dry_run": ("prune --dry-run", {"prune": given.PRUNING}),
    "prune": ("prune nsde", {"prune": replace(given.PRUNING, dry_run=False)}),
    "manifest_verify": ("manifest verify nsde", {"verify": given.FINDINGS}),
    "manifest_verify_sound": ("manifest verify nsde", {"verify": ()}),
    "manifest_rollback": (
        "manifest rollback nsde",
        {"manifest": api.ManifestView("nsde", given.ENTRY, 2), "rollback": given.ROLLBACK},
    ),
    "runs_list": ("runs list", {"runs": (given.FAILED, given.SKIPPED, given.PUBLISHED)}),
    "runs_show": (f"runs show {given.RUN}", {"run_record": given.PUBLISHED}),
    "runs_show_failed": (f"runs show {given.FAILED_RUN}", {"run_record": given.FAILED}),
    "dataset_list": ("dataset list", {"datasets": (given.DATASET,)}),
    "dataset_show": ("dataset show nsde", {"dataset_config": given.CONFIG}),
    "dataset_drift": ("dataset drift nsde", {"drift": changed.REPORT}),
    "dataset_drift_first": ("dataset drift nsde", {"drift": changed.FIRST}),
    "dataset_accept": ("dataset accept nsde --reason announced", {"accept": changed.ACCEPTANCE}),
    "lineage": ("lineage nsde", {"lineage": given.LINEAGE}),
    "gold_run_published": ("run cder", {"run": golden.PUBLISHED}),
    "gold_runs_show": (f"runs show {golden.RUN}", {"run_record": golden.PUBLISHED}),
    "gold_manifest_show": ("manifest show cder", {"manifest": api.ManifestView("cder", golden.ENTRY, 2)}),
    "gold_plan": ("plan cder", {"plan": golden.PLAN}),
    "gold_quality_show": (
        "quality show cder",
        {"quality": api.QualityView("cder", golden.RUN, "2026-07-23", golden.QUALITY)},
    ),
    "gold_dataset_list": ("dataset list", {"datasets": golden.DATASETS}),
    "gold_dataset_show": ("dataset show cder", {"dataset_config": golden.CONFIG}),
    "gold_lineage": ("lineage cder", {"lineage": golden.LINEAGE}),
    "doctor": ("doctor", {"doctor": given.DIAGNOSES}),
}


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_looks_as_it_did_and_fits_into_80_columns(
    name: str, fake: Any, on_terminal: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    words, answers = SCREENS[name]
    fake.gives(**answers)

    shown = on_terminal(*words.split())

    text = f"$ pharmaetl {words}\n{shown.out}--- stderr, exit code {shown.code}\n{CONTROL.sub('', shown.err)}"
    assert [line for line in shown.out.splitlines() if len(line) > 80] == []
    path = GOLDEN / f"cli_{name}.txt"
    if os.environ.get("PHARMAETL_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
