"""Small release files of our own making, in the packaging of the real ones, and the lakes that they are run into."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pharmaetl import api
from pharmaetl.lake.documents import RunRecord
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

DATASETS = Path(__file__).parents[2] / "datasets"
HEADER = (
    "Item Code,NDC11,Proprietary Name,Dosage Form,Marketing Category,Application Number or Monograph ID,Product Type,"
    "Marketing Start Date,Marketing End Date,Billing Unit,Inactivation Date,Reactivation Date"
)
OLD_HEADER = HEADER.replace("Monograph ID", "Citation")


def a_row(number: int, **changed: str) -> str:
    """A well-formed row whose package code ends in this number, 0 to 99."""
    cells = {
        "code": f"0037-0022-{number:02d}",
        "ndc11": f"000370022{number:02d}",
        "name": f"Drug {number}",
        "form": '"INJECTION, SOLUTION"',
        "category": "NDA",
        "application": "NDA019618",
        "type": "HUMAN PRESCRIPTION DRUG",
        "start": "20160329",
        "end": "",
        "unit": "EA",
        "inactivated": "",
        "reactivated": "",
    }
    return ",".join({**cells, **changed}.values())


def rows(count: int) -> list[str]:
    """So many well-formed rows, up to 100."""
    return [a_row(number) for number in range(count)]


def a_release(
    path: Path, lines: Sequence[str], header: str = HEADER, member: str = "nsde.csv", encoding: str = "utf-8-sig"
) -> Path:
    """A zip with one CSV member, CRLF line ends, BOM."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, "\r\n".join([header, *lines, ""]).encode(encoding))
    return path


def a_place(folder: Path) -> Place:
    """A lake in a folder, with the shipped datasets."""
    return Place(str(folder / "lake"), str(DATASETS))


def run(place: Place, source: Path, **options: Any) -> RunRecord:
    """Run the shipped NSDE dataset on a file."""
    return api.run(place, "nsde", RunOptions(source=str(source), **options))


def silver(place: Place, *columns: str, dataset: str = "nsde") -> list[tuple[Any, ...]]:
    """Rows of the current silver table, by the files that the manifest lists, sorted."""
    current = api.manifest(place, dataset).current
    assert current is not None
    found = [
        tuple(row[column] for column in columns)
        for file in current.tables[0].files
        for row in pq.read_table(place.storage.url(file.path)).to_pylist()
    ]
    return sorted(found, key=str)


def tree(place: Place) -> dict[str, int]:
    """Every file of a lake with its size."""
    root = Path(place.lake)
    return {str(path.relative_to(root)): path.stat().st_size for path in sorted(root.rglob("*")) if path.is_file()}
