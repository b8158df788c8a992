"""The schema contract in whole runs: carried through, refused, accepted, reported against the published version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from releases import HEADER, OLD_HEADER, a_place, a_release, rows, run, silver, tree

from pharmaetl import api
from pharmaetl.errors import RefusedError, SourceFormatError
from pharmaetl.lake.documents import RunRecord
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytestmark = pytest.mark.engine
LINES = [["A1", "anvil", "20200101"], ["A2", "bolt", "20200102"], ["A3", "crate", ""]]


def a_toy_place(folder: Path, columns: str) -> Place:
    """A lake, and one dataset of a plain CSV file whose contract is to evolve or to freeze."""
    config = {
        "dataset": "toys",
        "source_url": "toys.csv",
        "tables": [
            {
                "name": "toys",
                "contract": {"columns": columns},
                "key": ["code"],
                "columns": [
                    {"name": "code", "source": "Code"},
                    {"name": "title", "source": "Name"},
                    {"name": "sold_on", "source": "Sold On", "type": "date", "optional": True},
                ],
            }
        ],
    }
    path = folder / "datasets" / "acme" / "toys" / "config" / "dataset.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(config))
    return Place(str(folder / "lake"), str(folder / "datasets"))


def a_file(path: Path, header: str, *extra: str) -> Path:
    """The toys with one more value a row."""
    lines = [",".join([*line, *extra]) for line in LINES]
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def run_toys(place: Place, source: Path, **options: Any) -> RunRecord:
    return api.run(place, "toys", RunOptions(source=str(source), **options))


def kinds(record: RunRecord) -> list[tuple[str, str | None]]:
    return [(drift.kind, drift.column) for drift in record.drift if drift.kind != "member_renamed"]


def drift_checks(record: RunRecord) -> list[tuple[str, str | float | int | None]]:
    checks = record.quality.checks if record.quality else ()
    return [
        (check.outcome, check.value) for check in checks if check.name == "Drift" and check.value != "member_renamed"
    ]


def header_check(record: RunRecord) -> tuple[str, str]:
    checks = record.quality.checks if record.quality else ()
    return next((check.outcome, check.reason) for check in checks if check.name == "HeaderContract")


def test_an_added_column_is_carried_through_with_a_warning_until_it_is_accepted(tmp_path: Path) -> None:
    place = a_toy_place(tmp_path, "evolve")
    run_toys(place, a_file(tmp_path / "a.csv", "Code,Name,Sold On"))
    hashes = silver(place, "record_hash", dataset="toys")
    wider = run_toys(place, a_file(tmp_path / "b.csv", "Code,Name,Sold On,Value", " red "))

    assert kinds(wider) == [("added", "Value"), ("field_count_changed", None)]
    assert drift_checks(wider) == [("warn", "added"), ("warn", "field_count_changed")]
    assert header_check(wider) == ("warn", "unknown column 'Value'")
    current = api.manifest(place, "toys").current
    assert current is not None
    (version,) = current.tables
    names = pq.read_schema(place.storage.url(version.files[0].path)).names
    assert names == ["code", "title", "sold_on", "value", "record_hash", "meta_run_id"]
    assert silver(place, "code", "value", dataset="toys") == [("A1", "red"), ("A2", "red"), ("A3", "red")]
    assert silver(place, "record_hash", dataset="toys") != hashes
    assert version.profile is not None
    assert version.profile.model_dump() | {"member": ""} == {
        "table": "toys",
        "member": "",
        "header": ("Code", "Name", "Sold On", "Value"),
        "names": ("code", "title", "sold_on", None),
        "missing": (),
        "fields": 4,
        "encoding": "ascii",
        "delimiter": ",",
        "trailing_delimiter": False,
        "rows": 3,
        "malformed": 0,
        "blank_lines": 0,
        "line_breaks": False,
        "types": {"code": "string", "title": "string", "sold_on": "date", "value": "string"},
        "lengths": {"code": 2, "title": 5, "value": 3},
    }

    api.accept(place, "toys", "they sell by colour now")
    again = run_toys(place, tmp_path / "b.csv", force=True)
    assert (kinds(again), header_check(again)) == ([], ("pass", ""))
    first = run_toys(place, a_file(tmp_path / "c.csv", "Code,Name,Sold On"))
    assert drift_checks(first) == [("warn", "removed"), ("warn", "field_count_changed")]


def test_frozen_columns_refuse_an_unknown_one_until_it_is_accepted(tmp_path: Path) -> None:
    place = a_toy_place(tmp_path, "freeze")
    first = run_toys(place, a_file(tmp_path / "a.csv", "Code,Name,Sold On"))
    wider = a_file(tmp_path / "b.csv", "Code,Name,Color,Sold on", "x")
    with pytest.raises(
        SourceFormatError, match=r"b\.csv:1: unknown column 'Color': the columns of table toys"
    ) as caught:
        run_toys(place, wider)
    assert (caught.value.exit_code, "pharmaetl dataset accept toys" in caught.value.hint) == (4, True)
    record = api.run_record(place, caught.value.run_id or "")
    assert (record.outcome, record.drift_against) == ("failed", first.run_id)
    assert ("added", "Color") in kinds(record)
    assert len(silver(place, "code", dataset="toys")) == 3

    acceptance = api.accept(place, "toys", "a colour is fine", ("Color",))
    assert acceptance.tables[0].header == ("Code", "Name", "Sold On", "Color")
    published = run_toys(place, wider)
    assert (published.outcome, header_check(published)) == ("published", ("pass", ""))
    assert {drift.severity for drift in published.drift if drift.kind == "added"} == {"info"}
    assert ("pass", "added") in drift_checks(published)
    assert silver(place, "code", "color", dataset="toys")[0] == ("A1", "20200101")


def test_columns_called_as_those_of_quarantine_and_of_the_jobs_are_carried_through_too(tmp_path: Path) -> None:
    place = a_toy_place(tmp_path, "evolve")
    header = "Code,Name,Sold On,Rule,Value,Raw,Copy,Copies"
    file = a_file(tmp_path / "a.csv", header, "r", "v", "w", "c", "n")
    file.write_text(file.read_text() + "A1,anvil,20200101,r,v,w,c,n\nA4,torn\n")

    (table,) = run_toys(place, file).tables

    assert (table.rows_published, table.rows_duplicate, table.rows_quarantined) == (3, 1, 1)
    names = ("code", "rule", "value", "raw", "copy", "copies")
    assert silver(place, *names, dataset="toys")[0] == ("A1", "r", "v", "w", "c", "n")
    (torn,) = pq.read_table(next(Path(place.lake, "quarantine").rglob("*.parquet"))).to_pylist()
    assert (torn["rule"], torn["raw"], torn["served_rule"], torn["served_raw"]) == (
        "field_count",
        "A4,torn",
        None,
        None,
    )


def test_a_transform_that_passes_no_unknown_column_on_drops_it(tmp_path: Path) -> None:
    place = a_toy_place(tmp_path, "evolve")
    transforms = 'def silver_toys(rows):\n    return rows.select("code", "title", "sold_on", "meta_line")\n'
    (tmp_path / "datasets" / "acme" / "toys" / "transforms.py").write_text(transforms)

    record = run_toys(place, a_file(tmp_path / "a.csv", "Code,Name,Sold On,Color", "red"))

    assert (record.outcome, header_check(record)) == ("published", ("warn", "unknown column 'Color'"))
    assert set(record.profiles[0].types) == {"code", "title", "sold_on"}


def test_a_renamed_required_column_is_refused_with_its_likely_new_name_in_message_and_record(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    run(place, a_release(tmp_path / "a.zip", rows(5)))
    renamed = a_release(tmp_path / "b.zip", rows(5), header=HEADER.replace("Billing Unit", "Billing Units (NCPDP)"))
    with pytest.raises(
        SourceFormatError, match=r"lacks 'Billing Unit' \(renamed to 'Billing Units \(NCPDP\)'\?\)"
    ) as caught:
        run(place, renamed)

    (found,) = api.run_record(place, caught.value.run_id or "").drift
    assert (found.kind, found.before, found.after) == ("renamed", "Billing Unit", "Billing Units (NCPDP)")
    assert (found.severity, found.score) == ("fail", 0.79)
    assert api.drift(place, "nsde").drift == (found,)
    with pytest.raises(RefusedError, match="billing_unit of nsde is required"):
        api.accept(place, "nsde", "no way")


def test_a_file_is_looked_at_without_a_run_and_without_a_trace(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    run(place, a_release(tmp_path / "a.zip", rows(5)))
    before = tree(place)
    header = OLD_HEADER.replace("NDC11", "Eleven").replace(",", ";")
    seen = api.drift(place, "nsde", str(a_release(tmp_path / "b.zip", ["ä"], header=header, encoding="cp1252")))

    assert [(d.kind, d.before, d.after, d.severity) for d in seen.drift] == [
        ("renamed", "Application Number or Monograph ID", "Application Number or Citation", "info"),
        ("removed", "NDC11", None, "fail"),
        ("added", None, "Eleven", "warn"),
        ("delimiter_changed", ",", ";", "warn"),
    ]
    assert (seen.run_id, seen.against) == (None, api.runs(place, "nsde", 1)[0].run_id)
    assert tree(place) == before


def test_drift_is_measured_against_the_version_that_a_rollback_made_current(tmp_path: Path) -> None:
    place = a_toy_place(tmp_path, "evolve")
    first = run_toys(place, a_file(tmp_path / "a.csv", "Code,Name,Sold On"))
    run_toys(place, a_file(tmp_path / "b.csv", "Code,Name,Sold On,Color", "red"))
    api.rollback(place, "toys", first.run_id, "no colours yet")

    third = run_toys(place, a_file(tmp_path / "c.csv", "Code,Name,Sold On,Colour", "red"))

    assert third.drift_against == first.run_id
    assert kinds(third) == [("added", "Colour"), ("field_count_changed", None)]


@pytest.mark.real
def test_six_years_of_one_labeler_have_longer_classes_and_the_same_header(shared_data: Path, tmp_path: Path) -> None:
    place = a_place(tmp_path)
    old, new = (shared_data / f"ndctext_lilly_{day}.zip" for day in ("2019-04-29", "2025-07-11"))
    api.run(place, "cder", RunOptions(source=str(old)))
    assert api.drift(place, "cder", str(new)).drift == ()

    record = api.run(place, "cder", RunOptions(source=str(new)))

    assert [(d.kind, d.table, d.column, d.before, d.after) for d in record.drift] == [
        ("length_grown", "products", "pharm_classes", 126, 298)
    ]
