"""Real release files, from source to published version, against plain Python over the same bytes.

Runs on either engine; the content digests are literals, so that both engines are held to the same ones.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from engines import fit_for

from pharmaetl import api, ndc
from pharmaetl.lake.documents import LogEntry
from pharmaetl.local import ahead
from pharmaetl.place import Place
from pharmaetl.run_options import EngineName, RunOptions

pytestmark = [pytest.mark.real, pytest.mark.engine]
FILES = {
    "nsde_2019-04-29.zip": "nsde",
    "nsde_2020-06-17_removals.zip": "nsde",
    "ndctext_2019-04-29.zip": "cder",
    "ndctext_2020-06-17_removals.zip": "cder",
    "ndctext_lilly_2019-04-29.zip": "cder",
    "ndctext_lilly_2025-07-11.zip": "cder",
    "RxNorm_full_prescribe_10062025.zip": "rxnorm",
}
DIGESTS = Path(__file__).with_name("digests.json")
BLANKS = " \t\xa0"


class Published:
    """One release file, run into a lake of its own."""

    def __init__(self, source: Path, place: Place, entry: LogEntry) -> None:
        self.source, self.place, self.entry = source, place, entry

    def rows(self, table: str) -> list[dict[str, Any]]:
        files = next(version.files for version in self.entry.tables if version.name == table)
        return [row for file in files for row in pq.read_table(self.place.storage.url(file.path)).to_pylist()]

    def served(self, member: str, delimiter: str) -> Iterator[dict[str, str]]:
        """The member's rows by header, as plain Python reads them."""
        data = zipfile.ZipFile(self.source).read(member)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252")
        if delimiter == ",":
            yield from csv.DictReader(io.StringIO(text, newline=""))
            return
        header, *lines = [line.split(delimiter) for line in text.split("\r\n") if line]
        yield from (dict(zip(header, line, strict=True)) for line in lines)


@pytest.fixture(scope="module", params=list(FILES))
def published(
    request: pytest.FixtureRequest, shared_data: Path, engine_name: EngineName, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    source = shared_data / request.param
    place = Place(str(tmp_path_factory.mktemp("lake")), str(Path(__file__).parents[2] / "datasets"))
    dataset = FILES[request.param]
    record = api.run(place, dataset, RunOptions(source=str(source), engine=fit_for(dataset, engine_name)))
    entry = api.manifest(place, dataset).current
    assert entry is not None
    assert record.outcome == "published"
    for table in record.tables:
        assert table.rows_read == table.rows_published + table.rows_quarantined + table.rows_duplicate
    return Published(source, place, entry)


def a_date(text: str) -> date | None:
    return date(int(text[:4]), int(text[4:6]), int(text[6:])) if text else None


def tidy(text: str) -> str | None:
    return text.strip() or None


def test_digests_are_the_same_on_every_engine(published: Published) -> None:
    known = json.loads(DIGESTS.read_text("utf-8"))
    found = {table.name: table.digest for table in published.entry.all_tables}
    if os.environ.get("PHARMAETL_UPDATE_GOLDEN"):
        DIGESTS.write_text(
            json.dumps({**known, published.source.name: found}, indent=2, sort_keys=True) + "\n", "utf-8"
        )
        return
    assert found == known[published.source.name]


@pytest.mark.parametrize("name", [name for name, dataset in FILES.items() if dataset == "nsde"])
def test_bronze_made_from_the_text_as_served_gives_the_same_digests(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As of a text of 64 MiB or more: real releases are smaller."""
    monkeypatch.setattr(ahead, "LEAST_BYTES", 0)
    place = Place(str(tmp_path), str(Path(__file__).parents[2] / "datasets"))
    api.run(place, "nsde", RunOptions(source=str(shared_data / name), engine="duckdb"))
    entry = api.manifest(place, "nsde").current
    assert entry is not None
    assert {table.name: table.digest for table in entry.all_tables} == json.loads(DIGESTS.read_text("utf-8"))[name]
    (file,) = tmp_path.glob("bronze/nsde/run=*/*.parquet")
    assert b"pharmaetl.trimmed" in (pq.read_metadata(file).metadata or {})


def test_every_nsde_value_is_the_source_s(published: Published) -> None:
    if published.entry.dataset != "nsde":
        pytest.skip("another dataset's file")
    expected = sorted(
        (row["Item Code"], row["NDC11"], tidy(row["Proprietary Name"]), tidy(row["Dosage Form"]),
         tidy(row.get("Application Number or Citation") or row.get("Application Number or Monograph ID") or ""),
         a_date(row["Marketing Start Date"]), a_date(row["Marketing End Date"]), tidy(row["Billing Unit"]))
        for row in published.served("Comprehensive_NDC_SPL_Data_Elements_File.csv", ",")
    )  # fmt: skip
    names = ("item_code", "ndc11", "proprietary_name", "dosage_form", "application_number", "marketing_start_date",
             "marketing_end_date", "billing_unit")  # fmt: skip
    assert sorted(tuple(row[name] for name in names) for row in published.rows("nsde")) == expected


def test_every_directory_product_is_the_source_s(published: Published) -> None:
    if published.entry.dataset != "cder":
        pytest.skip("another dataset's file")
    silver = {(row["product_id"]): row for row in published.rows("products")}
    served = list(published.served("product.txt", "\t"))
    assert len(served) == len(silver)
    for row in served:
        mine = silver[row["PRODUCTID"]]
        assert mine["labeler_name"] == tidy(row["LABELERNAME"])
        assert mine["substance_name"] == tidy(row["SUBSTANCENAME"])
        assert mine["start_marketing_date"] == a_date(row["STARTMARKETINGDATE"])
        assert mine["listing_record_certified_through"] == a_date(row["LISTING_RECORD_CERTIFIED_THROUGH"])
        assert mine["spl_id"] == row["PRODUCTID"].split("_", 1)[1]
        assert (mine["substance_names"] or []) == (row["SUBSTANCENAME"].split("; ") if row["SUBSTANCENAME"] else [])
        units = row["ACTIVE_INGRED_UNIT"]
        assert (mine["active_ingred_units"] or []) == (units.split("; ") if units else [])
        classes = [name + "]" for name in re.split(r"\],\s*", row["PHARM_CLASSES"].removesuffix("]")) if name]
        assert (mine["pharm_class_names"] or []) == classes


def test_every_directory_package_is_the_source_s(published: Published) -> None:
    if published.entry.dataset != "cder":
        pytest.skip("another dataset's file")
    expected = sorted(
        (row["NDCPACKAGECODE"], ndc.ndc11(row["NDCPACKAGECODE"]), tidy(row["PACKAGEDESCRIPTION"]), row["PRODUCTID"])
        for row in published.served("package.txt", "\t")
    )
    names = ("ndc_package_code", "ndc11", "package_description", "product_id")
    assert sorted(tuple(row[name] for name in names) for row in published.rows("packages")) == expected
    assert {row["code_type"] for row in published.rows("packages")} == {"NDC"}


@pytest.mark.parametrize(
    ("table", "first", "last"), [("rxnconso", "rxcui", "cvf"), ("rxnsat", "rxcui", "cvf"), ("rxnrel", "rxcui1", "cvf")]
)
def test_every_rrf_value_is_the_source_s(published: Published, table: str, first: str, last: str) -> None:
    if published.entry.dataset != "rxnorm":
        pytest.skip("another dataset's file")
    text = zipfile.ZipFile(published.source).read(f"rrf/{table.upper()}.RRF").decode("utf-8")
    expected = sorted(tuple(tidy(value) or "" for value in line.split("|")[:-1]) for line in text.split("\n") if line)
    rows = published.rows(table)
    names = [name for name in rows[0] if name not in {"record_hash", "meta_run_id"}]
    assert (names[0], names[-1]) == (first, last)
    assert sorted(tuple(row[name] or "" for name in names) for row in rows) == expected


def test_rows_of_a_full_edition_are_read_from_its_own_folder(
    shared_data: Path, engine_name: EngineName, tmp_path: Path
) -> None:
    if engine_name == "spark":
        pytest.skip("which member is read is no engine's business, and a minute's work for this one")
    engine = fit_for("rxnorm", engine_name)
    source = tmp_path / "RxNorm_full_12052022.zip"
    with (
        zipfile.ZipFile(shared_data / "rxnorm_native_rows.zip") as native,
        zipfile.ZipFile(shared_data / "RxNorm_full_prescribe_10062025.zip") as prescribable,
        zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        members = {name: native.read(f"{name}.RRF") for name in ("RXNSTY", "RXNCUI", "RXNSAB")}
        members |= {"RXNCONSO": native.read("RXNCONSO_2022-12-05.RRF")}
        members |= {name: prescribable.read(f"rrf/{name}.RRF") for name in ("RXNREL", "RXNSAT")}
        for name, data in members.items():
            archive.writestr(f"rrf/{name}.RRF", data)
        archive.writestr("prescribe/rrf/RXNCONSO.RRF", prescribable.read("rrf/RXNCONSO.RRF"))
        archive.writestr("Readme_Full_12052022.txt", "")
    place = Place(str(tmp_path / "lake"), str(Path(__file__).parents[2] / "datasets"))
    record = api.run(place, "rxnorm", RunOptions(source=str(source), engine=engine))
    counted = {name.lower(): len([line for line in data.splitlines() if line]) for name, data in members.items()}
    assert {table.name: table.rows_read for table in record.tables} == counted
    assert record.source.release_date == "2022-12-05"
    entry = api.manifest(place, "rxnorm").current
    assert entry is not None
    conso = Published(source, place, entry).rows("rxnconso")
    assert {row["suppress"] for row in conso} == {"N", "O", "Y"}
    lines = [line for line in members["RXNCONSO"].decode("utf-8").splitlines() if line]
    served = {tuple(value.strip() for value in line.split("|")[:-1]) for line in lines}
    names = [name for name in conso[0] if name not in {"record_hash", "meta_run_id"}]
    assert {tuple(row[name] or "" for name in names) for row in conso} == served
