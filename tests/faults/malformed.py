"""What the catalogue of malformed input is run against: a good lake, releases to spoil, and the four criteria.

Refused: the exit code, one line that names file, place and rule, and the last version intact. Published: rows that are
refused are in the quarantine with rule and line, and the accounts add up.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pharmaetl import api
from pharmaetl.catalog import Dataset
from pharmaetl.cli.app import answer
from pharmaetl.engine import Engine, Shared
from pharmaetl.lake import publishlog
from pharmaetl.place import Place
from pharmaetl.run_options import EngineName, RunOptions

SHIPPED = Path(__file__).parents[2] / "datasets"
COLUMNS = (
    "Item Code", "NDC11", "Proprietary Name", "Dosage Form", "Marketing Category", "Application Number or Monograph ID",
    "Product Type", "Marketing Start Date", "Marketing End Date", "Billing Unit", "Inactivation Date",
    "Reactivation Date",
)  # fmt: skip
HEADER = ",".join(COLUMNS)
GOOD_ROWS = 40
PRICES = {
    "dataset": "prices",
    "source_url": "prices.txt",
    "tables": [
        {
            "name": "prices",
            "format": "tsv",
            "columns": [
                {"name": "code", "source": "CODE"},
                {"name": "label", "source": "LABEL"},
                {"name": "price", "source": "PRICE", "type": "decimal"},
                {"name": "packs", "source": "PACKS", "type": "integer"},
            ],
        }
    ],
}
"""A tab-separated file with numbers, which the shipped datasets don't have."""


def a_row(number: int, **changed: str) -> str:
    """A well-formed NSDE row whose package code ends in this number, 0 to 99."""
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


def good_rows() -> list[str]:
    """What stands in the good version, numbers 0 to 39."""
    return [a_row(number) for number in range(GOOD_ROWS)]


def text_of(*more: str, header: str = HEADER, end: str = "\r\n") -> bytes:
    """The good rows as a file, some rows behind them."""
    return end.join([header, *good_rows(), *more, ""]).encode()


GOOD_TEXT = text_of()


def packed(path: Path, members: Mapping[str, bytes | str]) -> Path:
    """A zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def concept(number: int, rxcui: str = "", name: str = "") -> str:
    """A row of RXNCONSO, its trailing bar included."""
    rxcui, name = rxcui or str(1000 + number), name or f"Concept {number}"
    return f"{rxcui}|ENG||||||{number}||{number}||RXNORM|IN|{number}|{name}||N|4096|"


def relation(number: int, other: str) -> str:
    """A row of RXNREL between concept 1 and another."""
    return f"1001||CUI|RO|{other}||CUI|has_form|{number}||RXNORM|||||4096|"


def attribute(number: int, rxcui: str = "1001", value: str = "") -> str:
    """A row of RXNSAT."""
    return f"{rxcui}||||CUI|{number}|AT{number}||RXN_STRENGTH|RXNORM|{value or f'{number} MG'}|N|4096|"


def rxnorm_release(
    path: Path, *, concepts: Sequence[str] = (), relations: Sequence[str] = (), attributes: Sequence[str] = (),
    leave_out: str = "", first: int = 1, readme: str = "Readme_Full_Prescribe_10062025.txt",
) -> Path:  # fmt: skip
    """A prescribable release of thirty good rows a table, others behind them."""
    texts = {
        "rrf/RXNCONSO.RRF": [*(concept(n) for n in range(first, 31)), *concepts],
        "rrf/RXNREL.RRF": [*(relation(n, "1002") for n in range(first, 31)), *relations],
        "rrf/RXNSAT.RRF": [*(attribute(n) for n in range(first, 31)), *attributes],
    }
    members = {name: "".join(line + "\n" for line in lines) for name, lines in texts.items() if name != leave_out}
    return packed(path, {readme: "About this release\n", **members})


def prices(path: Path, *more: str) -> Path:
    """A plain tab-separated file of five good rows, others behind them."""
    rows = ["CODE\tLABEL\tPRICE\tPACKS", *(f"A{n}\tLabel {n}\t{n}.50\t{n}" for n in range(1, 6)), *more, ""]
    path.write_text("\n".join(rows), "utf-8")
    return path


def publish_good_versions(folder: Path) -> None:
    """A lake, and the catalog for it, in which three datasets have a good version."""
    for dataset in ("fda/nsde", "nlm/rxnorm"):
        shutil.copytree(SHIPPED / dataset, folder / "datasets" / dataset)
    config = folder / "datasets/own/prices/config/dataset.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps(PRICES))
    place = Place(str(folder / "lake"), str(folder / "datasets"))
    sources = {
        "nsde": packed(folder / "nsde.zip", {"nsde.csv": GOOD_TEXT}),
        "rxnorm": rxnorm_release(folder / "rxnorm.zip"),
        "prices": prices(folder / "prices.txt"),
    }
    for dataset, source in sources.items():
        assert api.run(place, dataset, RunOptions(source=str(source))).outcome == "published"


class LentEngine(Shared):
    """An engine that somebody else stops."""

    def __init__(self, lender: Shared) -> None:
        self._lender = lender

    def get(self, asked: EngineName, master: str | None, source_bytes: int, dataset: Dataset | None = None) -> Engine:
        """The lender's."""
        return self._lender.get(asked, master, source_bytes, dataset)

    @property
    def name(self) -> str | None:
        """The lender's."""
        return self._lender.name

    def close(self) -> None:
        """Leave it running."""


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The reason, line by line."""
        return re.findall(r"^(?:error: |       )(.*)", self.err, re.MULTILINE)

    @cached_property
    def data(self) -> Any:
        """What --json printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Published:
    """What a run made of one table of a spoilt release."""

    record: dict[str, Any]
    rows: list[dict[str, Any]]
    """Silver, by the files that the manifest lists."""
    refused: list[tuple[int, str]]
    """Line and rule of each row in the quarantine."""
    rules: dict[str, int]
    """Refused rows by rule, as the run's record counts them."""

    def by(self, column: str) -> dict[Any, dict[str, Any]]:
        """The silver rows by their value in a column."""
        return {row[column]: row for row in self.rows}

    def counted(self, name: str, column: str | None = None) -> list[tuple[Any, str]]:
        """Rows and reason of each check of a name that found something."""
        checks = self.record["quality"]["checks"]
        return [
            (check["rows"], check["reason"])
            for check in checks
            if check["name"] == name and check["outcome"] != "pass" and column in {None, check["column"]}
        ]


class LakeUnderTest:
    """A lake with good versions, worked on by the command line."""

    def __init__(self, folder: Path, datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.datasets = folder, datasets
        self.place = Place(str(folder / "lake"), str(datasets))
        self._capsys = capsys

    def answer(self, *words: str) -> Answer:
        """What `pharmaetl WORDS` says, in this lake."""
        self._capsys.readouterr()
        code = answer([*words, "--lake", self.place.lake, "--datasets", str(self.datasets)])
        return Answer(code, *self._capsys.readouterr())

    def run(self, source: Path | str, *words: str, dataset: str = "nsde") -> Answer:
        """What a run of a dataset on a source says."""
        return self.answer("run", dataset, "--source", str(source), *words)

    def with_config(self, dataset: str, **settings: Any) -> None:
        """Give the test a catalog of its own, in which a dataset's config says something else."""
        shutil.copytree(self.datasets, self.folder / "own datasets")
        self.datasets = self.folder / "own datasets"
        (config,) = self.datasets.glob(f"*/{dataset}/config/dataset.json")
        config.write_text(json.dumps({**json.loads(config.read_text()), **settings}, indent=2))
        self.place = Place(self.place.lake, str(self.datasets))

    def state(self, dataset: str = "nsde") -> dict[str, str]:
        """Every byte that a reader of the published versions sees, as hashes."""
        storage, files = self.place.storage, []
        for entry in publishlog.entries(storage, dataset):
            files += [file.path for table in entry.tables for file in table.files]
        files += [stored.path for stored in storage.list(f"manifests/{dataset}")]
        return {path: storage.sha256(path) for path in files}

    def refuses(self, source: Path | str, *words: str, says: str, exit_code: int = 4, dataset: str = "nsde") -> Answer:
        """The first three criteria, for a source that can't be published."""
        before = self.state(dataset)
        found = self.run(source, *words, dataset=dataset)
        assert found.code == exit_code, found.err
        assert "Traceback" not in found.err
        (line,) = found.errors
        assert re.search(says, line), line
        assert self.state(dataset) == before
        assert api.verify(self.place, dataset) == ()
        (last, *_) = api.runs(self.place, dataset, 1)
        assert (last.outcome, last.error and last.error.exit_code) == ("failed", exit_code)
        return found

    def publishes(self, source: Path | str, *words: str, dataset: str = "nsde", table: str = "") -> Published:
        """What came of a table of a source that is published, its accounts checked on the way."""
        found = self.run(source, "--json", *words, dataset=dataset)
        assert found.code == 0, found.err
        assert found.data["outcome"] == "published"
        counts = next(each for each in found.data["tables"] if each["name"] == (table or dataset))
        quarantined = self._quarantined(dataset, found.data["run_id"], table)
        rows = self._silver(dataset, table or dataset)
        assert counts["rows_read"] == len(rows) + len(quarantined) + counts["rows_duplicate"]
        assert (counts["rows_published"], counts["rows_quarantined"]) == (len(rows), len(quarantined))
        assert sum(counts["rules"].values()) == sum(len(rule.split(", ")) for _, rule in quarantined)
        assert api.verify(self.place, dataset) == ()
        return Published(found.data, rows, quarantined, counts["rules"])

    def _silver(self, dataset: str, table: str) -> list[dict[str, Any]]:
        current = api.manifest(self.place, dataset).current
        assert current is not None
        files = next(version.files for version in current.tables if version.name == table)
        return [row for file in files for row in pq.read_table(self.place.storage.url(file.path)).to_pylist()]

    def _quarantined(self, dataset: str, run_id: str, table: str) -> list[tuple[int, str]]:
        folder = Path(self.place.lake, "quarantine", dataset, table, f"run={run_id}")
        rows = [row for file in folder.glob("*.parquet") for row in pq.read_table(file).to_pylist()]
        return sorted((row["meta_line"], row["rule"]) for row in rows)
