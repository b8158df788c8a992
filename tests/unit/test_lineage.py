"""What a run tells OpenLineage, and the tree of where its rows came from."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from publishing import record

from pharmaetl import lineage, lineage_tree
from pharmaetl.lake import layout
from pharmaetl.lake.documents import LogEntry, RunRecord
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lineage_tree import LineageNode

RUN = "20261123T030000Z-1a2b3c4d"
SHA256 = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
SOURCE = {
    "url": "https://example.org/nsde.zip",
    "sha256": SHA256,
    "bytes": 7_654_321,
    "fetched_at": "2026-11-23T03:00:02Z",
    "members": [{"name": "nsde.csv", "bytes": 40_000_000, "sha256": "0" * 64}],
}
TABLE = {
    "name": "nsde",
    "rows_read": 1200,
    "rows_published": 1150,
    "rows_quarantined": 30,
    "rows_duplicate": 20,
    "path": f"silver/nsde/version=2026-11-23/run={RUN}",
    "rules": {"ndc11_mismatch": 28, "field_count": 2},
}


def a_run(outcome: str, **more: Any) -> RunRecord:
    return record(RUN, outcome=outcome, ended_at="2026-11-23T03:01:00Z", **({"source": SOURCE} | more))


def failed(code: str, reason: str = "no such host", **more: Any) -> RunRecord:
    return a_run("failed", error={"code": code, "reason": reason, "exit_code": 5}, **more)


def test_a_published_run_starts_and_completes_with_its_inputs_and_outputs() -> None:
    start, complete = lineage.events(a_run("published", tables=[TABLE]), "s3://lake/drugs")

    assert (start["eventType"], start["eventTime"]) == ("START", "2026-11-23T03:00:00Z")
    assert (start["inputs"], start["outputs"]) == ([], [])
    assert (complete["eventType"], complete["eventTime"]) == ("COMPLETE", "2026-11-23T03:01:00Z")
    assert [(one["namespace"], one["name"]) for one in complete["inputs"]] == [
        ("source", "https://example.org/nsde.zip"),
        ("s3://lake/drugs", f"raw/nsde/sha256={SHA256}"),
    ]
    assert complete["inputs"][0]["facets"]["version"]["datasetVersion"] == SHA256
    assert [(one["namespace"], one["name"]) for one in complete["outputs"]] == [
        ("s3://lake/drugs", f"silver/nsde/version=2026-11-23/run={RUN}")
    ]
    assert complete["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 1150


def test_every_event_has_what_the_specification_asks_for() -> None:
    for event in lineage.events(a_run("published", tables=[TABLE]), "lake"):
        assert sorted(event) == [
            "eventTime", "eventType", "inputs", "job", "outputs", "producer", "run", "schemaURL",
        ]  # fmt: skip
        assert event["job"] == {"namespace": "pharmaetl", "name": "nsde"}
        assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
        assert uuid.UUID(event["run"]["runId"]).version == 5
        for facet in facets_in(event):
            assert facet["_producer"] == event["producer"]
            assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")


def facets_in(event: dict[str, Any]) -> list[dict[str, Any]]:
    holders = [event["run"], *event["inputs"], *event["outputs"]]
    groups = [holder[key] for holder in holders for key in ("facets", "outputFacets") if key in holder]
    return [facet for group in groups for facet in group.values()]


def test_the_events_of_one_run_share_an_id_that_no_other_run_has() -> None:
    ids = [event["run"]["runId"] for event in lineage.events(a_run("published"), "lake")]
    other = lineage.events(record("20261123T030001Z-1a2b3c4d"), "lake")[0]["run"]["runId"]
    same_run_of_another_dataset = lineage.events(record(RUN, dataset="cder"), "lake")[0]["run"]["runId"]

    assert ids[0] == ids[1]
    assert len({ids[0], other, same_run_of_another_dataset}) == 3


def test_a_skipped_run_completes_without_outputs() -> None:
    _, complete = lineage.events(a_run("skipped", tables=[TABLE]), "lake")

    assert (complete["eventType"], complete["outputs"]) == ("COMPLETE", [])
    assert complete["inputs"][0]["name"] == "https://example.org/nsde.zip"


def test_a_failed_run_tells_why_and_puts_nothing_out() -> None:
    _, fail = lineage.events(failed("gate", "IsComplete nsde.item_code", tables=[TABLE]), "lake")

    assert (fail["eventType"], fail["outputs"]) == ("FAIL", [])
    assert fail["run"]["facets"]["errorMessage"]["message"] == "IsComplete nsde.item_code"
    assert fail["run"]["facets"]["errorMessage"]["programmingLanguage"] == "PYTHON"


def test_a_run_that_failed_before_it_had_the_source_names_the_url_alone() -> None:
    _, fail = lineage.events(failed("unavailable", source={"url": "https://example.org/nsde.zip"}), "lake")

    assert [one["name"] for one in fail["inputs"]] == ["https://example.org/nsde.zip"]
    assert fail["inputs"][0]["facets"]["version"]["datasetVersion"] == "unknown"


def test_an_interrupted_run_aborts() -> None:
    _, abort = lineage.events(failed("interrupted", "interrupted"), "lake")

    assert (abort["eventType"], abort["run"]["facets"]) == ("ABORT", {})


@pytest.mark.parametrize("outcome", ["running", "planned"])
def test_a_run_that_has_not_ended_has_only_started(outcome: str) -> None:
    assert [event["eventType"] for event in lineage.events(a_run(outcome), "lake")] == ["START"]


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a.zip?apiKey=hunter2", "https://anna:hunter2@example.org/a.zip"],
)
def test_no_event_holds_a_secret_even_where_the_record_does(url: str) -> None:
    run = failed("unavailable", f"{url}: the site fell silent", source={"url": url, "sha256": SHA256})

    text = json.dumps(lineage.events(run, "lake"))

    assert "hunter2" not in text
    assert "***" in text
    assert "example.org" in text


def test_a_placeholder_in_the_url_is_no_secret() -> None:
    url = "https://example.org/a.zip?apiKey=${UMLS_API_KEY}"

    assert lineage.events(a_run("skipped", source={"url": url}), "lake")[1]["inputs"][0]["name"] == url


def test_events_are_stored_one_a_line_and_replaced_by_a_later_state_of_the_run(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    odd = failed("source_format", "Zeile 2:\n„ä“\u2028")

    lineage.write(storage, a_run("running"))
    lineage.write(storage, odd)

    stored = storage.read(layout.lineage_events("nsde", RUN)).decode()
    assert stored.count("\n") == 2
    assert [json.loads(line) for line in stored.rstrip("\n").split("\n")] == lineage.events(odd, storage.root)


GOLD = [
    {"name": "pharm_class", "rows": 40, "path": f"gold/pharm_class/version=2026-11-23/run={RUN}"},
    {"name": "by_class", "rows": 0, "path": f"gold/by_class/version=2026-11-23/run={RUN}"},
]


def test_gold_tables_are_outputs_with_their_columns_and_rows() -> None:
    run = a_run("published", tables=[TABLE], gold=GOLD)
    columns = [{"item_code": "string", "start": "date"}, {"class_name": "string", "products": "bigint"}, {}]
    listed = [
        {"name": table["name"], "path": table["path"], "rows": 0, "files": [], "schema": schema}
        for table, schema in zip([TABLE, *GOLD], columns, strict=True)
    ]
    entry = LogEntry.model_validate(
        {
            "dataset": "nsde", "sequence": 1, "commit_id": "1", "parent": None, "action": "publish", "run_id": RUN,
            "version": "2026-11-23", "published_at": "2026-11-23T03:00:59Z", "source": SOURCE, "config_sha256": "c",
            "code_sha256": "d", "tables": listed[:1], "gold": listed[1:], "quality": {"verdict": "pass"},
        }
    )  # fmt: skip

    outputs = lineage.events(run, "lake", entry)[-1]["outputs"]

    assert [(one["name"], one["outputFacets"]["outputStatistics"]["rowCount"]) for one in outputs] == [
        (f"silver/nsde/version=2026-11-23/run={RUN}", 1150),
        (f"gold/pharm_class/version=2026-11-23/run={RUN}", 40),
        (f"gold/by_class/version=2026-11-23/run={RUN}", 0),
    ]
    assert [one["facets"].get("schema", {}).get("fields") for one in outputs] == [
        [{"name": "item_code", "type": "string"}, {"name": "start", "type": "date"}],
        [{"name": "class_name", "type": "string"}, {"name": "products", "type": "bigint"}],
        None,
    ]
    assert outputs[1]["facets"]["schema"]["_schemaURL"] == (
        "https://openlineage.io/spec/facets/1-0-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
    )
    assert lineage.events(a_run("failed", tables=[TABLE], gold=GOLD), "lake", entry)[-1]["outputs"] == []


def test_the_tree_has_gold_below_the_source_of_all_and_names_what_it_is_made_from(tmp_path: Path) -> None:
    tables = [TABLE | {"name": name, "rows_quarantined": 0} for name in ("products", "packages")]
    tables.append(TABLE | {"name": "nothing", "rows_published": 0, "rows_quarantined": 0})

    view = lineage_tree.view(LocalStorage(tmp_path), a_run("published", tables=tables, gold=GOLD))

    assert [line for line in lines_of(view.root) if "gold" in line] == [
        f"      gold | pharm_class | gold/pharm_class/version=2026-11-23/run={RUN} | 40 | from products, packages",
        f"      gold | by_class | gold/by_class/version=2026-11-23/run={RUN} | 0 | from products, packages",
    ]


def lines_of(node: LineageNode, depth: int = 0) -> list[str]:
    words = [node.kind, node.label, node.path, node.rows, node.detail]
    text = " | ".join(str(word) for word in words if word not in {None, ""})
    return ["  " * depth + text, *(line for child in node.children for line in lines_of(child, depth + 1))]


def test_the_tree_leads_from_the_run_to_its_url_its_files_and_its_rows(tmp_path: Path) -> None:
    view = lineage_tree.view(LocalStorage(tmp_path), a_run("published", tables=[TABLE]))

    assert lines_of(view.root) == [
        f"run | {RUN} | runs/nsde/{RUN}.json | published",
        "  url | https://example.org/nsde.zip | 7,654,321 bytes, fetched 2026-11-23T03:00:02Z",
        f"    raw | sha256 {SHA256} | raw/nsde/sha256={SHA256} | nsde.csv (40,000,000 bytes)",
        f"      bronze | nsde | bronze/nsde/run={RUN} | 1200",
        f"        silver | nsde | silver/nsde/version=2026-11-23/run={RUN} | 1150 | 20 exact duplicates left out",
        f"        quarantine | nsde | quarantine/nsde/run={RUN} | 30 | ndc11_mismatch: 28, field_count: 2",
    ]
    assert [event["eventType"] for event in view.events] == ["START", "COMPLETE"]


def test_the_only_table_that_a_release_of_several_has_keeps_its_folder_level(tmp_path: Path) -> None:
    table = TABLE | {"name": "rxnsat", "path": f"silver/rxnorm/rxnsat/version=2026-11-23/run={RUN}"}
    run = record(RUN, dataset="rxnorm", outcome="published", source=SOURCE, tables=[table])

    paths = [line.split(" | ")[2] for line in lines_of(lineage_tree.view(LocalStorage(tmp_path), run).root)[3:]]

    assert paths == [
        f"bronze/rxnorm/rxnsat/run={RUN}",
        f"silver/rxnorm/rxnsat/version=2026-11-23/run={RUN}",
        f"quarantine/rxnorm/rxnsat/run={RUN}",
    ]


def test_a_run_without_a_source_has_a_short_tree(tmp_path: Path) -> None:
    view = lineage_tree.view(LocalStorage(tmp_path), failed("unavailable", source={"url": "https://example.org/a"}))

    assert lines_of(view.root) == [
        f"run | {RUN} | runs/nsde/{RUN}.json | failed",
        "  url | https://example.org/a | 0 bytes",
        "    raw | sha256 unknown",
    ]
