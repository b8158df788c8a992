"""Whole runs on the embedded engine: what is published, skipped, refused, rolled back and recorded."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from releases import HEADER, OLD_HEADER, a_place, a_release, a_row, rows, run, silver, tree

from pharmaetl import api
from pharmaetl.errors import GateError, RefusedError, SourceFormatError, UnavailableError
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytestmark = pytest.mark.engine
ODD = [
    a_row(1, name='"Rowasa ""XR"", two\r\nlines"'),
    a_row(2, code="1234-567890", ndc11="12345678900"),
    a_row(3, code="W1640-S1393-01", ndc11=""),
    a_row(4, start="18920101", end="30310101"),
    a_row(5, start="00000000", end="20250230"),
    a_row(6, inactivated="20200101", reactivated="20210101"),
    a_row(7, name="=cmd | Crème"),
    a_row(7, name="=cmd | Crème "),
]
MALFORMED = [
    "0037-0022-50,00037002250,too,short",
    a_row(51) + ",,,",
    a_row(52, name=chr(34) + "never closed", form="TABLET"),
    a_row(53, ndc11="00037002299"),
    a_row(54, code="", ndc11=""),
    a_row(55, code="0037-0022", ndc11="00037002255"),
    a_row(56, name="NUL \x00 inside"),
]

REFUSING = {"field_count", "unclosed_quote", "control_character", "ndc11_mismatch", "IsComplete", "ndc_product_ndc"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path]:
    """A lake into which a release with odd and malformed rows was run, once for all tests that only look."""
    folder = tmp_path_factory.mktemp("published")
    place, source = a_place(folder), a_release(folder / "release.zip", [*rows(40)[10:], *ODD, *MALFORMED])
    assert run(place, source).outcome == "published"
    return place, source


def test_every_row_read_is_published_refused_or_a_repetition(published: tuple[Place, Path]) -> None:
    record = api.runs(published[0], "nsde", 1)[0]
    (table,) = record.tables
    assert (table.rows_read, table.rows_published, table.rows_quarantined, table.rows_duplicate) == (45, 37, 7, 1)
    assert table.rules == dict.fromkeys(REFUSING, 1) | {"field_count": 2}


def test_the_values_are_those_of_an_independent_reader(published: tuple[Place, Path]) -> None:
    place, source = published
    text = zipfile.ZipFile(source).read("nsde.csv").decode("utf-8-sig")
    well_formed = [line for line in csv.reader(io.StringIO(text.split(a_row(51))[0], newline="")) if len(line) == 12][
        1:
    ]
    expected = {(row[0], row[1] or None, row[2].strip(), row[3]) for row in well_formed}
    assert set(silver(place, "item_code", "ndc11", "proprietary_name", "dosage_form")) == expected


def test_ancient_and_far_dates_survive_and_garbage_is_null(published: tuple[Place, Path]) -> None:
    dates = {row[0]: row[1:] for row in silver(published[0], "item_code", "marketing_start_date", "marketing_end_date")}
    assert dates["0037-0022-04"] == (date(1892, 1, 1), date(3031, 1, 1))
    assert dates["0037-0022-05"] == (None, None)


def test_codes_are_classified_and_others_than_ndcs_left_alone(published: tuple[Place, Path]) -> None:
    codes = {row[0]: row[1:] for row in silver(published[0], "item_code", "ndc11", "code_type")}
    assert codes["1234-567890"] == ("12345678900", "NHRIC")
    assert codes["W1640-S1393-01"] == (None, "ISBT")
    assert codes["0037-0022-01"] == ("00037002201", "NDC")


def test_the_quarantine_names_rule_and_line(published: tuple[Place, Path]) -> None:
    place, _ = published
    folder = Path(place.lake, "quarantine", "nsde")
    refused = [row for file in folder.rglob("part-*.parquet") for row in pq.read_table(file).to_pylist()]
    lines = zipfile.ZipFile(published[1]).read("nsde.csv").decode("utf-8-sig").split("\n")
    assert {row["rule"] for row in refused} == REFUSING
    mismatch = next(row for row in refused if row["rule"] == "ndc11_mismatch")
    assert (mismatch["value"], lines[mismatch["meta_line"] - 1][:12]) == ("00037002299", "0037-0022-53")


def test_silver_has_the_contracted_columns(published: tuple[Place, Path]) -> None:
    current = api.manifest(published[0], "nsde").current
    assert current is not None
    schema = pq.read_schema(published[0].storage.url(current.tables[0].files[0].path))
    assert ", ".join(schema.names) == (
        "item_code, ndc11, code_type, proprietary_name, dosage_form, marketing_category, application_number, "
        "product_type, marketing_start_date, marketing_end_date, billing_unit, inactivation_date, reactivation_date, "
        "record_hash, meta_run_id"
    )


def test_the_manifest_lists_files_as_they_are(published: tuple[Place, Path]) -> None:
    current = api.manifest(published[0], "nsde").current
    assert current is not None
    files = current.tables[0].files
    assert sum(file.rows for file in files) == 37
    assert [file.bytes for file in files] == [published[0].storage.size(file.path) for file in files]
    assert [file.sha256 for file in files] == [published[0].storage.sha256(file.path) for file in files]
    assert files[0].path.endswith("/part-00000.parquet")
    assert api.verify(published[0], "nsde") == ()


def test_nothing_but_the_lake_s_folders_is_left(published: tuple[Place, Path]) -> None:
    files = [path for path in tree(published[0]) if not path.endswith("/lock")]
    folders = {path.split("/")[0] for path in files}
    assert folders == {"bronze", "lineage", "manifests", "quarantine", "raw", "runs", "silver"}


def test_unchanged_input_is_skipped_and_stores_nothing(published: tuple[Place, Path]) -> None:
    place, source = published
    before = tree(place)
    record = run(place, source)
    assert (record.outcome, record.reason.split(" since ")[0]) == ("skipped", "source unchanged")
    new = set(tree(place)) - set(before)
    assert new == {f"runs/nsde/{record.run_id}.json", f"lineage/nsde/{record.run_id}.ndjson"}


def test_the_same_members_in_a_new_zip_are_skipped(published: tuple[Place, Path], tmp_path: Path) -> None:
    place, source = published
    again = tmp_path / "again.zip"
    with zipfile.ZipFile(again, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("nsde.csv", zipfile.ZipFile(source).read("nsde.csv"))
    record = run(place, again)
    assert record.outcome == "skipped"
    assert "packed anew" in record.reason


def test_a_dry_run_writes_nothing_and_says_why(published: tuple[Place, Path]) -> None:
    place, source = published
    before = tree(place)
    assert api.plan(place, "nsde", RunOptions(source=str(source))).changed is False
    assert api.plan(place, "nsde", RunOptions(source=str(source), force=True)).changed is True
    assert tree(place) == before


def test_lineage_leads_from_the_url_to_the_rows(published: tuple[Place, Path]) -> None:
    root = api.lineage(published[0], "nsde").root
    url = root.children[0]
    raw = url.children[0]
    bronze = raw.children[0]
    assert [node.kind for node in (root, url, raw, bronze)] == ["run", "url", "raw", "bronze"]
    assert [(node.kind, node.rows) for node in bronze.children] == [("silver", 37), ("quarantine", 7)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


def test_force_publishes_anew_and_rollback_brings_the_first_back(place: Place, tmp_path: Path) -> None:
    first = run(place, a_release(tmp_path / "a.zip", rows(30)))
    second = run(place, a_release(tmp_path / "b.zip", rows(31), header=OLD_HEADER))
    third = run(place, tmp_path / "b.zip", force=True)
    assert len({first.run_id, second.run_id, third.run_id}) == 3
    assert second.run_id.split("-")[1] == third.run_id.split("-")[1]
    assert len(silver(place, "ndc11")) == 31
    api.rollback(place, "nsde", first.run_id, "test")
    assert len(silver(place, "ndc11")) == 30
    assert [entry.action for entry in api.history(place, "nsde")] == ["publish", "publish", "publish", "rollback"]
    assert api.verify(place, "nsde") == ()


def test_a_truncated_download_leaves_the_published_version_readable(place: Place, tmp_path: Path) -> None:
    source = a_release(tmp_path / "a.zip", rows(30))
    run(place, source)
    half = tmp_path / "half.zip"
    half.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(SourceFormatError) as caught:
        run(place, half)
    assert api.run_record(place, caught.value.run_id or "").outcome == "failed"
    assert len(silver(place, "ndc11")) == 30


def test_a_much_smaller_release_is_refused_until_that_is_accepted(place: Place, tmp_path: Path) -> None:
    run(place, a_release(tmp_path / "a.zip", rows(30)))
    small = a_release(tmp_path / "b.zip", rows(23))
    with pytest.raises(GateError, match=r"ShrinkGuard nsde: 0\.766667 against 0\.8"):
        run(place, small)
    assert len(silver(place, "ndc11")) == 30
    record = run(place, small, accept_shrink="FDA withdrew them")
    assert (record.outcome, record.quality and record.quality.verdict) == ("published", "warn")
    assert len(silver(place, "ndc11")) == 23


def test_a_missing_required_column_is_refused_with_the_nearest_header(place: Place, tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match=r"lacks 'NDC11' \(renamed to 'NDC 11'\?\)"):
        run(place, a_release(tmp_path / "a.zip", rows(3), header=HEADER.replace("NDC11", "NDC 11")))


@pytest.mark.parametrize(("lines", "why"), [([], "no data rows"), (["x"], "NotEmpty")])
def test_a_file_without_a_usable_row_is_refused(place: Place, tmp_path: Path, lines: list[str], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        run(place, a_release(tmp_path / "a.zip", lines))
    assert api.manifest(place, "nsde").current is None


def test_too_many_nulls_in_a_required_column_fail_with_the_share(place: Place, tmp_path: Path) -> None:
    isbt = [a_row(n, code=f"W1640-S1393-{n:02d}", ndc11="") for n in range(4)]
    with pytest.raises(GateError, match=r"CriticalNulls nsde.ndc11: 0.285714 against 0.1"):
        run(place, a_release(tmp_path / "a.zip", [*rows(10), *isbt]))


def test_until_and_sample_stop_before_publishing(place: Place, tmp_path: Path) -> None:
    source = a_release(tmp_path / "a.zip", rows(30))
    assert run(place, source, until="fetch").reason == "stopped after fetch, as asked"
    assert run(place, source, until="silver").reason == "stopped after silver, as asked"
    sampled = run(place, source, sample=5)
    assert (sampled.outcome, sampled.tables[0].rows_read) == ("skipped", 5)
    assert api.manifest(place, "nsde").current is None


def test_a_failed_run_is_resumed_under_its_own_id(place: Place, tmp_path: Path) -> None:
    source = a_release(tmp_path / "a.zip", rows(30))
    run(place, source)
    small = a_release(tmp_path / "b.zip", rows(2))
    with pytest.raises(GateError) as caught:
        run(place, small)
    small.unlink()
    with pytest.raises(GateError) as again:
        api.resume(place, caught.value.run_id or "")
    assert again.value.run_id == caught.value.run_id


def test_a_source_that_is_not_there_is_unavailable_and_recorded(place: Place, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        run(place, tmp_path / "absent.zip")
    assert [record.outcome for record in api.runs(place, "nsde", 9)] == ["failed"]


def test_cp1252_bytes_are_decoded(place: Place, tmp_path: Path) -> None:
    run(place, a_release(tmp_path / "a.zip", [a_row(1, name="Schwäbisch – Dr. Reddy’s")], encoding="cp1252"))
    assert silver(place, "proprietary_name") == [("Schwäbisch – Dr. Reddy’s",)]


def test_the_record_is_json_with_the_contracted_keys(place: Place, tmp_path: Path) -> None:
    shape = json.loads(json.dumps(run(place, a_release(tmp_path / "a.zip", rows(3))).summary()))
    keys = {"dataset", "run_id", "outcome", "reason", "version", "source", "tables", "quality", "steps", "seconds"}
    assert keys <= set(shape)
    counts = {"name", "rows_read", "rows_published", "rows_quarantined", "rows_duplicate", "path"}
    assert counts <= set(shape["tables"][0])
    assert {"name", "column", "outcome", "value", "threshold"} <= set(shape["quality"]["checks"][0])


def test_one_source_under_two_names_is_stored_once(place: Place, tmp_path: Path) -> None:
    source = a_release(tmp_path / "a.zip", rows(3))
    run(place, source)
    run(place, source.rename(tmp_path / "another name.zip"), force=True)
    stored = [path for path in tree(place) if path.startswith("raw/") and "/unpacked/" not in path]
    assert sorted(path.rpartition("/")[2] for path in stored) == ["a.zip", "source.json"]


def test_repair_writes_the_derived_state_anew_and_nothing_else(place: Place, tmp_path: Path) -> None:
    run(place, a_release(tmp_path / "a.zip", rows(3)))
    state = Path(place.lake, "manifests", "nsde.json")
    before, log = state.read_bytes(), Path(place.lake, "manifests", "nsde", "00000001.json").read_bytes()
    state.write_bytes(before[:100])
    found = {diagnosis.name: diagnosis for diagnosis in api.repair(place)}
    assert (found["repair nsde"].outcome, found["repair nsde"].found) == ("ok", "state written from entry 1")
    assert (state.read_bytes(), Path(place.lake, "manifests", "nsde", "00000001.json").read_bytes()) == (before, log)
