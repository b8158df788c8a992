"""The shipped datasets beside NSDE, on small files of our own making: what is particular to each."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from releases import DATASETS, a_place, a_release, rows, silver

from pharmaetl import api
from pharmaetl.errors import ConfigError, SourceFormatError, UnavailableError
from pharmaetl.lake.documents import LogEntry, RunRecord
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytestmark = pytest.mark.engine
PRODUCT = [
    "PRODUCTID", "PRODUCTNDC", "PRODUCTTYPENAME", "PROPRIETARYNAME", "PROPRIETARYNAMESUFFIX", "NONPROPRIETARYNAME",
    "DOSAGEFORMNAME", "ROUTENAME", "STARTMARKETINGDATE", "ENDMARKETINGDATE", "MARKETINGCATEGORYNAME",
    "APPLICATIONNUMBER", "LABELERNAME", "SUBSTANCENAME", "ACTIVE_NUMERATOR_STRENGTH", "ACTIVE_INGRED_UNIT",
    "PHARM_CLASSES", "DEASCHEDULE", "NDC_EXCLUDE_FLAG", "LISTING_RECORD_CERTIFIED_THROUGH",
]  # fmt: skip
PACKAGE = [
    "PRODUCTID", "PRODUCTNDC", "NDCPACKAGECODE", "PACKAGEDESCRIPTION", "STARTMARKETINGDATE", "ENDMARKETINGDATE",
    "NDC_EXCLUDE_FLAG", "SAMPLE_PACKAGE",
]  # fmt: skip


def a_text(header: list[str], lines: list[dict[str, str]]) -> bytes:
    """Tab-separated, CRLF, cp1252, as the directory is served."""
    cells = [header, *[[line.get(name, "") for name in header] for line in lines]]
    return ("\r\n".join("\t".join(row) for row in cells) + "\r\n").encode("cp1252")


def a_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def run(place: Place, dataset: str, source: Path, **options: Any) -> RunRecord:
    return api.run(place, dataset, RunOptions(source=str(source), **options))


def table(place: Place, dataset: str, name: str) -> list[dict[str, Any]]:
    current: LogEntry | None = api.manifest(place, dataset).current
    assert current is not None
    files = next(version.files for version in current.tables if version.name == name)
    return [row for file in files for row in pq.read_table(place.storage.url(file.path)).to_pylist()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


SOUND = {
    "PRODUCTID": "0002-0800_94c48759", "PRODUCTNDC": "0002-0800", "LABELERNAME": "Schwäbisch “Dr. Reddy’s”",
    "STARTMARKETINGDATE": "19870710", "PROPRIETARYNAMESUFFIX": '"XR', "SUBSTANCENAME": "WATER; SALT",
    "ACTIVE_NUMERATOR_STRENGTH": "1; 2", "ACTIVE_INGRED_UNIT": "mL/mL; g/mL",
    "PHARM_CLASSES": "Amino Acids, Aromatic [CS],Insulin [EPC], Insulin [CS]", "NDC_EXCLUDE_FLAG": "N",
}  # fmt: skip
SHIFTED = {
    **SOUND, "PRODUCTID": "0002-0801_x", "PRODUCTNDC": "0002-0801",
    "SUBSTANCENAME": "POLY(METHYL METHACRYLATE; 450000 MW)",
    "ACTIVE_NUMERATOR_STRENGTH": "5", "ACTIVE_INGRED_UNIT": "mg/1",
}  # fmt: skip
PACKAGES = [
    {"PRODUCTID": "0002-0800_94c48759", "PRODUCTNDC": "0002-0800", "NDCPACKAGECODE": "0002-0800-01"},
    {"PRODUCTID": "0002-0801_x", "PRODUCTNDC": "0002-0801", "NDCPACKAGECODE": "02"},
    *[{"PRODUCTID": "p", "PRODUCTNDC": "0002-0802", "NDCPACKAGECODE": f"0002-0802-{n:02d}"} for n in range(1, 99)],
    *[{"PRODUCTID": "p", "PRODUCTNDC": "0002-0803", "NDCPACKAGECODE": f"0002-0803-{n:02d}"} for n in range(1, 99)],
]


def test_the_directory_s_text_and_lists_are_read_as_they_are(place: Place, tmp_path: Path) -> None:
    source = a_zip(
        tmp_path / "a.zip",
        **{"product.txt": a_text(PRODUCT, [SOUND, SHIFTED]), "package.txt": a_text(PACKAGE, PACKAGES)},
    )
    record = run(place, "cder", source)
    sound, shifted = sorted(table(place, "cder", "products"), key=lambda row: row["product_id"])
    assert (sound["labeler_name"], sound["proprietary_name_suffix"], sound["spl_id"]) == (
        "Schwäbisch “Dr. Reddy’s”",
        '"XR',
        "94c48759",
    )
    assert sound["substance_names"] == ["WATER", "SALT"]
    assert sound["active_ingred_units"] == ["mL/mL", "g/mL"]
    assert sound["pharm_class_names"] == ["Amino Acids, Aromatic [CS]", "Insulin [EPC]", "Insulin [CS]"]
    assert (shifted["substance_names"], shifted["active_ingred_units"]) == (None, None)
    assert shifted["substance_name"] == "POLY(METHYL METHACRYLATE; 450000 MW)"
    found = (
        {check.column: check.rows for check in record.quality.checks if check.name == "Readable"}
        if record.quality
        else {}
    )
    assert found["substance_names"] == 1


def test_a_malformed_package_code_is_published_with_null_and_counted(place: Place, tmp_path: Path) -> None:
    source = a_zip(
        tmp_path / "a.zip", **{"product.txt": a_text(PRODUCT, [SOUND]), "package.txt": a_text(PACKAGE, PACKAGES)}
    )
    run(place, "cder", source)
    codes = {row["ndc_package_code"]: (row["ndc11"], row["code_type"]) for row in table(place, "cder", "packages")}
    assert codes["0002-0800-01"] == ("00002080001", "NDC")
    assert codes["02"] == (None, "unknown")


def test_an_older_release_without_the_last_columns_publishes_nulls(place: Place, tmp_path: Path) -> None:
    source = a_zip(
        tmp_path / "a.zip",
        **{"product.txt": a_text(PRODUCT[:16], [SOUND]), "package.txt": a_text(PACKAGE[:4], PACKAGES)},
    )
    record = run(place, "cder", source)
    (product,) = table(place, "cder", "products")
    lacking = ("pharm_classes", "pharm_class_names", "dea_schedule", "ndc_exclude_flag")
    assert [product[name] for name in lacking] == [None] * 4
    assert record.tables[1].rows_published == 198


def test_the_unfinished_directory_is_read_once_beside_its_spreadsheets(place: Place, tmp_path: Path) -> None:
    header = [
        name
        for name in PRODUCT
        if name
        not in {
            "PROPRIETARYNAME",
            "PROPRIETARYNAMESUFFIX",
            "ROUTENAME",
            "APPLICATIONNUMBER",
            "PHARM_CLASSES",
            "NDC_EXCLUDE_FLAG",
        }
    ]
    text, packages = a_text(header, [SOUND, SHIFTED]), a_text(PACKAGE[:4], PACKAGES)
    members = {
        "unfinished_product.txt": text,
        "unfinished_product.xls": text,
        "unfinished_package.txt": packages,
        "unfinished_package.xls": packages,
    }
    record = run(place, "cder_unfinished", a_zip(tmp_path / "a.zip", **members))
    assert [result.rows_read for result in record.tables] == [2, 198]


def test_unfinished_packages_with_many_malformed_codes_are_published_and_counted(place: Place, tmp_path: Path) -> None:
    labeler = '<document xmlns="urn:hl7-org:v3"><title>"A"</title></document>'
    product = {**SOUND, "STARTMARKETINGDATE": "", "LABELERNAME": labeler}
    members = {
        "unfinished_product.txt": a_text([name for name in PRODUCT if name in product], [product]),
        "unfinished_package.txt": a_text(PACKAGE[:6], PACKAGES[:8]),
    }
    record = run(place, "cder_unfinished", a_zip(tmp_path / "a.zip", **members))
    assert [(result.rows_published, result.rows_quarantined) for result in record.tables] == [(1, 0), (8, 0)]
    assert [row["labeler_name"] for row in table(place, "cder_unfinished", "products")] == [labeler]
    assert record.quality is not None
    found = {(check.name, check.column): (check.outcome, check.rows) for check in record.quality.checks}
    assert found["Completeness", "ndc11"] == ("warn", 1)
    assert found["IsComplete", "start_marketing_date"] == ("warn", 1)


def an_rrf(columns: int, *lines: list[str]) -> bytes:
    return "".join("|".join([*line, *[""] * (columns - len(line))]) + "|\n" for line in lines).encode()


def test_rrf_members_are_taken_by_path_and_the_release_date_from_the_readme(place: Place, tmp_path: Path) -> None:
    conso = an_rrf(
        18,
        *[
            [f"{n}", "ENG", *[""] * 5, f"A{n}", *[""] * 3, "RXNORM", "IN", f"{n}", f'name "{n}', "", "N", "4096"]
            for n in range(1, 50)
        ],
    )
    rel = an_rrf(
        16,
        ["1", "", "CUI", "RO", "2", "", "CUI", "has_form", "R1", "", "RXNORM", "RXNORM", "group", "dir", "N", "4096"],
    )
    sat = an_rrf(
        13, ["1", "", "", "A1", "AUI", "1", "AT1", "", "NDC", "RXNORM", "00002080001", "N", "4096"], ["1"] * 12
    )
    decoy = an_rrf(18, ["9"] * 18)
    members = {
        "rrf/RXNCONSO.RRF": conso,
        "rrf/RXNREL.RRF": rel,
        "rrf/RXNSAT.RRF": sat,
        "prescribe/rrf/RXNCONSO.RRF": decoy,
    }
    members |= {"prescribe/Readme_Full_Prescribe_09022025.txt": b"x", "Readme_Full_10062025.txt": b"x"}
    members |= {"rrf/RXNSTY.RRF": an_rrf(6, ["1", "T1"]), "rrf/RXNATOMARCHIVE.RRF": an_rrf(16, ["8", "", "gone"])}
    record = run(place, "rxnorm", a_zip(tmp_path / "a.zip", **members))
    assert record.source.release_date == "2025-10-06"
    assert [(result.name, result.rows_published) for result in record.tables] == [
        ("rxnconso", 49),
        ("rxnrel", 1),
        ("rxnsat", 2),
        ("rxnsty", 1),
        ("rxnatomarchive", 1),
    ]
    (relation,) = table(place, "rxnorm", "rxnrel")
    assert (relation["rela"], relation["rg"], relation["dir"]) == ("has_form", "group", "dir")
    assert {row["str"] for row in table(place, "rxnorm", "rxnconso")} >= {'name "1', 'name "49'}


def test_an_rrf_row_without_its_trailing_pipe_is_quarantined(place: Place, tmp_path: Path) -> None:
    conso = an_rrf(18, *[[f"{n}", "ENG", *[""] * 12, "x", "", "N", "4096"] for n in range(1, 50)])
    members = {
        "rrf/RXNCONSO.RRF": conso + conso.split(b"\n")[0][:-1] + b"\n",
        "rrf/RXNREL.RRF": an_rrf(16, ["1"]),
        "rrf/RXNSAT.RRF": an_rrf(13, ["1"]),
    }
    record = run(place, "rxnorm", a_zip(tmp_path / "a.zip", **members))
    assert record.tables[0].rules == {"missing_trailing_delimiter": 1}


def test_a_release_without_a_required_member_is_refused(place: Place, tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match=r"rrf/RXNCONSO\.RRF"):
        run(place, "rxnorm", a_zip(tmp_path / "a.zip", **{"prescribe/rrf/RXNCONSO.RRF": an_rrf(18, ["1"])}))


def test_the_full_edition_wants_its_key_and_never_shows_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UMLS_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="UMLS_API_KEY is not set"):
        api.run(place, "rxnorm", RunOptions(edition="full"))
    monkeypatch.setenv("UMLS_API_KEY", "canary-5f2b")
    monkeypatch.setattr("socket.getaddrinfo", _no_such_host)
    with pytest.raises(UnavailableError) as caught:
        api.run(place, "rxnorm", RunOptions(edition="full"))
    assert "canary" not in str(caught.value)
    texts = [path.read_bytes() for path in Path(place.lake).rglob("*") if path.is_file()]
    assert texts
    assert not any(b"canary" in text for text in texts)


def _no_such_host(*_: object, **__: object) -> None:
    import socket

    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_of_several_datasets_a_failure_stops_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "datasets"
    for name in ("nsde", "cder"):
        shutil.copytree(DATASETS / "fda" / name, folder / "fda" / name)
        config = folder / "fda" / name / "config" / "dataset.json"
        text = config.read_text("utf-8")
        source = a_release(tmp_path / "nsde.zip", rows(20)) if name == "nsde" else tmp_path / "absent.zip"
        url = next(line for line in text.splitlines() if '"source_url"' in line)
        config.write_text(text.replace(url, f'  "source_url": "{source}",'), "utf-8")
    place = Place(str(tmp_path / "lake"), str(folder))
    attempts = list(api.run_each(place, ["cder", "nsde"], RunOptions()))
    assert [(attempt.dataset, attempt.record and attempt.record.outcome) for attempt in attempts] == [
        ("cder", "failed"),
        ("nsde", "published"),
    ]
    assert isinstance(attempts[0].error, UnavailableError)
    assert len(silver(place, "ndc11")) == 20
