"""Layouts that nobody has a config for: through `dataset new`, and from a config written by hand, to typed silver."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from releases import silver

from pharmaetl import api
from pharmaetl.lake.documents import RunRecord

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"
EXAMPLE = re.compile(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)

TILDE = [
    "Appl_No~Product_No~Trade (Name)~DF;Route~Approval_Date~RLD~NDC #~Price $",
    '021457~001~5" TUBE~FOAM;RECTAL~Oct 7, 2014~Yes~0002-3235-60~1.50',
    '021457~002~"Sultan Healthcare"~TABLET;ORAL~Approved Prior to Jan 1, 1982~No~12345-123-01~20',
    "000457~001~Crème’s~TABLET;ORAL~Jan 13, 2003~No~12345-1234-1~0.99",
    "000458~001~~TABLET;ORAL~Feb 1, 2003~No~~3",
]


@pytest.fixture
def place(tmp_path: Path) -> api.Place:
    return api.Place(str(tmp_path / "lake"), str(tmp_path / "datasets"))


def run_at_once(place: api.Place, source: Path, target: str = "fda/demo") -> RunRecord:
    """`dataset new`, then `run` without a word more."""
    api.new_dataset(place, target, str(source), False)
    return api.run(place, target.partition("/")[2], api.RunOptions())


def read(record: RunRecord) -> list[tuple[int, int]]:
    assert record.outcome == "published"
    return [(table.rows_read, table.rows_published) for table in record.tables]


@pytest.mark.engine
def test_tildes_quote_marks_as_data_and_month_names_in_windows_1252(tmp_path: Path, place: api.Place) -> None:
    with zipfile.ZipFile(tmp_path / "demo_2025_10.zip", "w") as archive:
        archive.writestr("products.txt", "\r\n".join([*TILDE, ""]).encode("cp1252"))

    assert read(run_at_once(place, tmp_path / "demo_2025_10.zip")) == [(4, 4)]

    columns = ("appl_no", "product_no", "trade_name", "df_route", "approval_date", "rld", "ndc11", "code_type", "price")
    assert silver(place, *columns, dataset="demo") == [
        ("000457", "001", "Crème’s", "TABLET;ORAL", date(2003, 1, 13), False, "12345123401", "NDC", Decimal("0.99")),
        ("000458", "001", None, "TABLET;ORAL", date(2003, 2, 1), False, None, "unknown", Decimal(3)),
        ("021457", "001", '5" TUBE', "FOAM;RECTAL", date(2014, 10, 7), True, "00002323560", "NDC", Decimal("1.5")),
        ("021457", "002", '"Sultan Healthcare"', "TABLET;ORAL", None, False, "12345012301", "NDC", Decimal(20)),
    ]  # fmt: skip

    tests = Path(str(place.datasets)) / "fda" / "demo" / "tests"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.engine
def test_semicolons_quotes_and_line_breaks_in_a_gzip_file(tmp_path: Path, place: api.Place) -> None:
    rows = [f'{number:05d};{number};"Größe; ""{number}""\nzwei Zeilen";{number}.10.2014' for number in range(10, 30)]
    source = tmp_path / "demo.txt.gz"
    source.write_bytes(gzip.compress("\n".join(["Code;Menge (Stück);Bemerkung;Am", *rows]).encode("utf-8-sig")))

    assert read(run_at_once(place, source)) == [(20, 20)]

    assert silver(place, "code", "menge_stuck", "bemerkung", "am", dataset="demo")[:2] == [
        ("00010", 10, 'Größe; "10"\nzwei Zeilen', date(2014, 10, 10)),
        ("00011", 11, 'Größe; "11"\nzwei Zeilen', date(2014, 10, 11)),
    ]


@pytest.mark.engine
def test_carets_without_a_header_and_with_a_trailing_delimiter_in_a_plain_file(
    tmp_path: Path, place: api.Place
) -> None:
    rows = [f"{number}^10/{number:02d}/2014^N{number:04d}^" for number in range(1, 30)]
    source = tmp_path / "demo.dat"
    source.write_text("\n".join([*rows, "30^short"]))

    record = run_at_once(place, source)

    assert (read(record), record.tables[0].rows_quarantined) == ([(30, 29)], 1)
    assert silver(place, "column_1", "column_2", "column_3", dataset="demo")[0] == (1, date(2014, 10, 1), "N0001")


@pytest.mark.engine
def test_the_documented_config_and_transforms_run_as_they_stand(tmp_path: Path, place: api.Place) -> None:
    for path, text in EXAMPLE.findall(PAGE.read_text(encoding="utf-8")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    lines = [
        "Appl_No~Brand (NAME)~DF;Route~Approval_Date",
        '021457~"LUXIQ"~AEROSOL, FOAM;RECTAL~Oct 7, 2014',
        '000457~5" TUBE~TABLET;ORAL~May 13, 2003',
    ]
    with zipfile.ZipFile(tmp_path / "approvals.zip", "w") as archive:
        archive.writestr("folder/products_2025.txt", "\n".join(lines))

    record = api.run(place, "approvals", api.RunOptions(source=str(tmp_path / "approvals.zip")))

    assert read(record) == [(2, 2)]
    assert silver(place, "appl_no", "trade_name", "form", "approved", "ndc11", dataset="approvals") == [
        ("000457", '5" TUBE', "TABLET", date(2003, 5, 13), None),
        ("021457", "LUXIQ", "AEROSOL, FOAM", date(2014, 10, 7), None),
    ]


@pytest.mark.real
@pytest.mark.parametrize(
    ("release", "tables"),
    [
        ("ndctext_2019-04-29.zip", {"product": ("tsv", 20, ("productid",)), "package": ("tsv", 8 + 2, ())}),
        ("nsde_2019-04-29.zip", {"demo": ("csv", 12 + 1, ("item_code",))}),
        (
            "RxNorm_full_prescribe_10062025.zip",
            {
                "rxnconso": ("rrf", 18, ("column_1",)),
                "rxnrel": ("rrf", 16, ("column_9",)),
                "rxnsat": ("rrf", 13 + 2, ("column_11",)),
            },
        ),
    ],
)
def test_real_releases_are_read_as_what_they_are(
    shared_data: Path, place: api.Place, release: str, tables: dict[str, tuple[str, int, tuple[str, ...]]]
) -> None:
    api.new_dataset(place, "fda/demo", str(shared_data / release), False)

    found = place.catalog.find("demo").config.tables

    assert {table.name: (table.format, len(table.columns), table.key) for table in found} == tables
    own = [(table.delimiter, table.quote, table.header, table.trailing_delimiter) for table in found]
    assert own == [(None,) * 4] * len(tables), "the formats' defaults say all there is to say"
    codes = {column.name: column.type for table in found for column in table.columns if "ndc" in column.name}
    assert set(codes.values()) <= {"string", "ndc11"}


@pytest.mark.real
@pytest.mark.engine
def test_a_real_release_runs_at_once(shared_data: Path, place: api.Place) -> None:
    assert read(run_at_once(place, shared_data / "ndctext_lilly_2025-07-11.zip")) == [(72, 72), (100, 100)]
    rows = silver(place, "productid", "startmarketingdate", dataset="demo")
    assert all(isinstance(row[1], date) for row in rows)
