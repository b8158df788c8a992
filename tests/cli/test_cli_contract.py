"""The JSON that other programs rely on: names and nesting of every `--json` answer, and nothing else on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cli_literals as given
import gold_literals as golden
import pytest

from pharmaetl import api, errors
from pharmaetl.lake.prune import Refusal

Run = Callable[..., Any]


def data(piped: Run, *words: str, code: int = 0) -> Any:
    answer = piped(*words, "--json")
    assert (answer.code, answer.err) == (code, "") or code
    return json.loads(answer.out)


def test_run(fake: Any, piped: Run) -> None:
    fake.gives(run=given.PUBLISHED)

    found = data(piped, "run", "nsde")

    assert set(found) >= {
        "dataset",
        "run_id",
        "outcome",
        "reason",
        "version",
        "source",
        "tables",
        "quality",
        "steps",
        "seconds",
    }
    assert (found["dataset"], found["run_id"], found["outcome"], found["version"]) == (
        "nsde",
        "20260723T120000Z-1a2b3c4d",
        "published",
        "2026-07-23",
    )
    assert {key: found["source"][key] for key in ("url", "sha256", "bytes")} == {
        "url": given.URL,
        "sha256": given.SHA256,
        "bytes": 7_654_321,
    }
    assert {key: value for key, value in found["tables"][0].items() if key != "rules"} == {
        "name": "nsde",
        "rows_read": 44_589,
        "rows_published": 44_580,
        "rows_quarantined": 6,
        "rows_duplicate": 3,
        "path": given.SILVER,
    }
    assert found["quality"]["verdict"] == "warn"
    assert {"name", "column", "outcome", "value", "threshold"} <= set(found["quality"]["checks"][0])
    assert {"name", "outcome", "seconds"} <= set(found["steps"][0])
    assert found["seconds"] == 7.31


def test_resume_answers_as_run_does(fake: Any, piped: Run) -> None:
    fake.gives(run=given.PUBLISHED, resume=given.PUBLISHED)

    assert data(piped, "runs", "resume", given.RUN) == data(piped, "run", "nsde")


@pytest.mark.parametrize("words", [("plan", "nsde"), ("run", "nsde", "--dry-run")])
def test_a_plan_has_the_shape_of_a_run(words: tuple[str, ...], fake: Any, piped: Run) -> None:
    fake.gives(plan=given.PLAN)

    found = data(piped, *words)

    assert (found["outcome"], found["version"], found["tables"], found["quality"]) == ("planned", None, [], None)
    assert [(step["name"], step["outcome"]) for step in found["steps"]] == [
        ("fetch", "planned"),
        ("skip_if_unchanged", "planned"),
        ("bronze", "planned"),
        ("publish", "skipped"),
    ]


def test_plan_of_all_datasets(fake: Any, piped: Run) -> None:
    fake.gives(dataset_names=["nsde", "cder"], plan=given.PLAN)

    assert [plan["outcome"] for plan in data(piped, "plan")["plans"]] == ["planned", "planned"]


def test_status(fake: Any, piped: Run) -> None:
    fake.gives(status=given.STATUS)

    assert data(piped, "status") == {
        "lake": "/data/lake",
        "datasets": [
            {
                "dataset": "nsde",
                "published_run_id": "20260723T120000Z-1a2b3c4d",
                "version": "2026-07-23",
                "published_at": "2026-07-23T12:00:07Z",
                "rows": 44_580,
                "quality": "warn",
                "age_hours": 75.5,
                "stale": True,
                "last_run": {"run_id": "20260724T120000Z-00ff00ff", "outcome": "failed"},
                "bytes": 44_600_000,
            },
            {
                "dataset": "rxnorm",
                "published_run_id": None,
                "version": None,
                "published_at": None,
                "rows": None,
                "quality": None,
                "age_hours": None,
                "stale": None,
                "last_run": None,
                "bytes": 0,
            },
        ],
        "bytes": 44_600_123,
    }


def test_manifest_show(fake: Any, piped: Run) -> None:
    fake.gives(manifest=api.ManifestView("nsde", given.ENTRY, 2))

    found = data(piped, "manifest", "show", "nsde")

    assert set(found) == {"dataset", "current", "entries"}
    assert (found["dataset"], found["entries"]) == ("nsde", 2)
    current = found["current"]
    assert {key: current[key] for key in ("sequence", "run_id", "version", "published_at")} == {
        "sequence": 2,
        "run_id": "20260723T120000Z-1a2b3c4d",
        "version": "2026-07-23",
        "published_at": "2026-07-23T12:00:07Z",
    }
    assert current["source"]["sha256"] == given.SHA256
    assert current["quality"]["verdict"] == "warn"
    table = current["tables"][0]
    assert (table["name"], table["path"], table["rows"]) == ("nsde", given.SILVER, 44_580)
    assert table["files"] == [
        {"path": f"{given.SILVER}/part-00000.parquet", "bytes": 1_234_567, "sha256": "e" * 64, "rows": 44_580}
    ]


def test_gold_stands_beside_tables_in_every_answer(fake: Any, piped: Run) -> None:
    fake.gives(
        run=golden.PUBLISHED, run_record=golden.PUBLISHED, plan=golden.PLAN, datasets=golden.DATASETS,
        manifest=api.ManifestView("cder", golden.ENTRY, 2), history=(given.OLD_ENTRY, golden.ENTRY), pruned={},
    )  # fmt: skip

    current = data(piped, "manifest", "show", "cder")["current"]
    assert [table["name"] for table in current["tables"]] == ["products", "packages"]
    assert [(table["name"], table["rows"], table["path"]) for table in current["gold"]] == [
        ("product_ingredient", 151_022, golden.INGREDIENTS),
        ("pharm_class", 0, golden.CLASSES),
    ]
    assert current["gold"][0]["files"] == [
        {"path": f"{golden.INGREDIENTS}/part-00000.parquet", "bytes": 3_020_440, "sha256": "e" * 64, "rows": 151_022}
    ]
    assert [len(entry["gold"]) for entry in data(piped, "manifest", "history", "cder")["entries"]] == [0, 2]
    made = [
        {"name": "product_ingredient", "rows": 151_022, "path": golden.INGREDIENTS},
        {"name": "pharm_class", "rows": 0, "path": golden.CLASSES},
    ]
    assert data(piped, "run", "cder")["gold"] == made
    assert data(piped, "runs", "show", golden.RUN)["gold"] == made
    assert data(piped, "plan", "cder")["gold"] == []
    assert [found["gold"] for found in data(piped, "dataset", "list")["datasets"]] == [
        ["product_ingredient", "pharm_class"],
        [],
    ]


def test_manifest_show_of_nothing(fake: Any, piped: Run) -> None:
    fake.gives(manifest=api.ManifestView("nsde", None, 0))

    assert data(piped, "manifest", "show", "nsde") == {"dataset": "nsde", "current": None, "entries": 0}


def test_manifest_history(fake: Any, piped: Run) -> None:
    fake.gives(history=(given.OLD_ENTRY, given.ENTRY), pruned={given.OLD_RUN: given.PRUNING.versions[0]})

    found = data(piped, "manifest", "history", "nsde")

    assert (set(found), found["dataset"]) == ({"dataset", "entries"}, "nsde")
    assert [(entry["sequence"], entry["pruned_at"]) for entry in found["entries"]] == [
        (1, "2026-07-24T13:00:00Z"),
        (2, None),
    ]


def test_prune(fake: Any, piped: Run) -> None:
    fake.gives(prune=given.PRUNING)

    found = data(piped, "prune", "--dry-run")

    assert {key: value for key, value in found.items() if key not in {"files", "young", "versions"}} == {
        "lake": "/data/lake",
        "dataset": None,
        "dry_run": True,
        "grace_hours": 72,
        "bytes": 1_200_008,
        "young_bytes": 500,
        "refused": [],
        "complete": True,
    }
    assert found["files"][0] == {
        "path": ".work/nsde-0123456789ab/.process",
        "bytes": 8,
        "reason": "left by a process that is gone",
        "dataset": "nsde",
    }
    assert [file["dataset"] for file in found["young"]] == ["cder"]
    assert found["versions"] == [
        {
            "dataset": "nsde",
            "run_id": "20260709T120000Z-9f8e7d6c",
            "version": "2026-07-09",
            "pruned_at": "2026-07-24T13:00:00Z",
            "reason": "beyond the newest 2, and not current for 31 days",
            "bytes": 1_100_000,
        }
    ]


def test_prune_ends_with_7_where_a_log_can_not_be_relied_on(fake: Any, piped: Run) -> None:
    refusal = Refusal("nsde", "manifests/nsde/00000002.json: truncated", "from a backup")
    fake.gives(prune=replace(given.PRUNING, refused=(refusal,)))

    answer = piped("prune", "--json")

    assert (answer.code, json.loads(answer.out)["refused"][0]["dataset"]) == (7, "nsde")
    assert json.loads(answer.err)["error"]["reason"] == (
        "nsde: nothing was removed: manifests/nsde/00000002.json: truncated"
    )


def test_manifest_verify(fake: Any, piped: Run) -> None:
    fake.gives(verify=given.FINDINGS[1:])

    assert data(piped, "manifest", "verify", "nsde") == {
        "dataset": "nsde",
        "ok": True,
        "findings": [
            {
                "path": "manifests/nsde.json",
                "problem": "stale",
                "severity": "warning",
                "repair": "rewritten with the next publish",
            }
        ],
    }


def test_manifest_verify_of_damaged_files_ends_with_7(fake: Any, piped: Run) -> None:
    fake.gives(verify=given.FINDINGS)

    found = data(piped, "manifest", "verify", "nsde", code=7)

    assert (found["ok"], len(found["findings"])) == (False, 2)


def test_manifest_rollback_answers_as_show_does(fake: Any, piped: Run) -> None:
    fake.gives(manifest=api.ManifestView("nsde", given.ENTRY, 2), rollback=given.ROLLBACK)

    found = data(piped, "manifest", "rollback", "nsde")

    assert (set(found), found["entries"]) == ({"dataset", "current", "entries"}, 3)
    assert (found["current"]["action"], found["current"]["run_id"]) == ("rollback", given.OLD_RUN)


def test_runs_list_and_runs_show_hold_whole_records(fake: Any, piped: Run) -> None:
    fake.gives(runs=(given.FAILED, given.PUBLISHED), run_record=given.FAILED)

    listed = data(piped, "runs", "list")

    assert [run["outcome"] for run in listed["runs"]] == ["failed", "published"]
    assert data(piped, "runs", "show", given.FAILED_RUN) == listed["runs"][0]
    assert listed["runs"][0]["error"] == {
        "code": "gate",
        "reason": "gate: nsde has 1,200 rows, 2.7 % of the 44,580 published",
        "hint": "--accept-shrink REASON publishes it all the same",
        "exit_code": 4,
    }


def test_dataset_list(fake: Any, piped: Run) -> None:
    fake.gives(datasets=(given.DATASET,))

    assert data(piped, "dataset", "list")["datasets"][0]["tables"] == ["nsde"]


def test_dataset_show(fake: Any, piped: Run) -> None:
    fake.gives(dataset_config=given.CONFIG)

    assert data(piped, "dataset", "show", "nsde") == given.CONFIG


def test_dataset_validate(fake: Any, piped: Run) -> None:
    fake.gives(validate=given.VALIDATIONS)

    found = data(piped, "dataset", "validate", code=3)

    assert found == {
        "ok": False,
        "files": [
            {"path": "datasets/fda/nsde/config/dataset.json", "ok": True, "problems": []},
            {
                "path": "datasets/fda/cder/config/dataset.json",
                "ok": False,
                "problems": [
                    {
                        "path": "datasets/fda/cder/config/dataset.json",
                        "line": 3,
                        "column": 5,
                        "message": "datset is no known key",
                        "hint": "did you mean dataset?",
                    },
                    {
                        "path": "datasets/fda/cder/config/dataset.json",
                        "line": 14,
                        "column": 32,
                        "message": "critical_null_threshold must be below 1",
                        "hint": "",
                    },
                ],
            },
        ],
    }


def test_the_schema_is_json_with_and_without_the_option(fake: Any, piped: Run) -> None:
    fake.gives(schema={"type": "object", "title": "é"})

    assert (
        data(piped, "dataset", "schema")
        == json.loads(piped("dataset", "schema").out)
        == {
            "type": "object",
            "title": "é",
        }
    )


def test_lineage_is_the_whole_in_every_format(fake: Any, piped: Run) -> None:
    fake.gives(lineage=given.LINEAGE)

    found = data(piped, "lineage", "nsde")

    assert set(found) == {"dataset", "run_id", "root", "events"}
    assert set(found["root"]) == {"kind", "label", "path", "rows", "detail", "children"}
    assert data(piped, "lineage", "nsde", "--format", "mermaid") == found


def test_path(fake: Any, piped: Run) -> None:
    fake.gives(paths=("/data/lake/silver/nsde/version=2026-07-23/run=1",))

    assert data(piped, "path", "nsde") == {
        "dataset": "nsde",
        "layer": "silver",
        "paths": ["/data/lake/silver/nsde/version=2026-07-23/run=1"],
    }


def test_path_of_gold(fake: Any, piped: Run) -> None:
    fake.gives(paths=(f"/data/lake/{golden.CLASSES}",))

    answer = piped("path", "cder", "--layer", "gold", "--table", "pharm_class")

    assert (answer.code, answer.out) == (0, f"/data/lake/{golden.CLASSES}\n")
    assert fake.calls[-1][2:] == ("cder", "gold", "pharm_class")


def test_doctor(fake: Any, piped: Run) -> None:
    fake.gives(doctor=given.DIAGNOSES[:2])

    assert data(piped, "doctor")["findings"][0] == {"name": "python", "outcome": "ok", "found": "3.11.9", "fix": ""}


def test_doctor_ends_with_3_where_something_is_unfit(fake: Any, piped: Run) -> None:
    fake.gives(doctor=given.DIAGNOSES)

    assert len(data(piped, "doctor", code=3)["findings"]) == 3


def test_numbers_that_json_lacks_become_null(fake: Any, piped: Run) -> None:
    check = given.CHECKS[0].model_copy(update={"value": float("nan"), "threshold": float("inf")})
    fake.gives(
        run=given.PUBLISHED.model_copy(update={"quality": given.QUALITY.model_copy(update={"checks": (check,)})})
    )

    found = data(piped, "run", "nsde")["quality"]["checks"][0]

    assert (found["value"], found["threshold"]) == (None, None)


def test_run_of_several_datasets(fake: Any, piped: Run) -> None:
    down = errors.UnavailableError("the site is down")
    attempts = [api.Attempt("nsde", given.PUBLISHED), api.Attempt("cder", None, down)]
    fake.gives(run_each=lambda *_: iter(attempts))
    answer = piped("run", "nsde", "cder", "--json")
    runs = json.loads(answer.out)["runs"]
    assert [(run["dataset"], run["outcome"]) for run in runs] == [("nsde", "published"), ("cder", "failed")]
    assert (runs[0]["error"], runs[1]["error"]["code"], answer.code) == (None, "unavailable", 5)
