"""A small dataset with gold tables, of two files that a test writes, and the lake that it is run into."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq

from pharmaetl import api
from pharmaetl.lake.documents import Check, LogEntry, RunRecord
from pharmaetl.local import runner
from pharmaetl.place import Place
from pharmaetl.run_options import EngineName, RunOptions

LABELS: dict[str, Any] = {
    "name": "labels",
    "columns": [{"name": "code"}, {"name": "label"}, {"name": "made_on", "type": "date"}],
    "key": ["code"],
}
TOTALS: dict[str, Any] = {"name": "totals", "columns": [{"name": "label"}, {"name": "codes", "type": "integer"}]}
CODE = """
from pyspark.sql import functions as F

def gold_labels(tables, as_of):
    packages, products = tables["packages"], tables["products"].withColumnRenamed("id", "product")
    joined = packages.join(products, "product")
    return joined.select("code", F.upper("title").alias("label"), F.lit(as_of).alias("made_on"))

def gold_totals(tables, as_of):
    return tables["labels"].groupBy("label").agg(F.count("code").alias("codes"))
"""
PACKAGES = ["a1,A", "a2,A", "b1,B", "c1,C"]
PRODUCTS = ["A,aspirin", "B,biotin"]


class Goods:
    """A dataset of two files and two gold tables, and its lake."""

    def __init__(self, folder: Path, engine: EngineName = "sail", lake: str | None = None) -> None:
        self.folder, self.engine = folder, engine
        self.home = folder / "datasets" / "org" / "goods"
        self.place = Place(lake or str(folder / "lake"), str(folder / "datasets"))
        (self.home / "config").mkdir(parents=True)
        self.describe()
        self.code(CODE)

    def describe(self, *gold: dict[str, Any], **more: Any) -> None:
        """Write the config, with these gold tables and what else it shall say."""
        config = {
            "dataset": "goods",
            "source_url": "https://example.org/goods.zip",
            "data_quality": {"min_rows_fraction": 0.5},
            "tables": [
                {"name": "packages", "member": "packages.csv", "key": ["code"],
                 "columns": [{"name": "code", "source": "Code"}, {"name": "product", "source": "Product"}]},
                {"name": "products", "member": "products.csv", "optional": True, "key": ["id"],
                 "columns": [{"name": "id", "source": "Id"}, {"name": "title", "source": "Title"}]},
            ],
            "gold": gold or [LABELS, TOTALS],
            **more,
        }  # fmt: skip
        (self.home / "config" / "dataset.json").write_text(json.dumps(config, indent=1))

    def code(self, text: str) -> None:
        """Write the transforms."""
        (self.home / "transforms.py").write_text(text)

    def run(self, packages: list[str] | None = None, products: list[str] | None = None, **more: Any) -> RunRecord:
        """Run it on a release; the products' file is left out where there are none."""
        source = self.folder / "goods.zip"
        with zipfile.ZipFile(source, "w") as archive:
            _add(archive, "packages.csv", ["Code,Product", *(packages or PACKAGES)])
            if products != []:
                _add(archive, "products.csv", ["Id,Title", *(products or PRODUCTS)])
        return api.run(self.place, "goods", RunOptions(source=str(source), engine=self.engine, **more))

    def resume(self, run_id: str) -> RunRecord:
        """Go on with a run, on the engine under test: a process can have one kind of them only."""
        with mock.patch.object(runner, "RunOptions", functools.partial(RunOptions, engine=self.engine)):
            return api.resume(self.place, run_id)

    @property
    def current(self) -> LogEntry:
        """What is published."""
        entry = api.manifest(self.place, "goods").current
        assert entry is not None
        return entry

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Rows of a published gold table, by the files that the manifest lists."""
        (found,) = [version for version in self.current.gold if version.name == table]
        read = self.place.storage.read
        rows = [row for file in found.files for row in pq.read_table(io.BytesIO(read(file.path))).to_pylist()]
        return sorted((tuple(row[column] for column in columns) for row in rows), key=str)

    def gold_files(self) -> list[str]:
        """All files below gold/, listed or not."""
        return sorted(file.path for file in self.place.storage.list("gold"))


def _add(archive: zipfile.ZipFile, name: str, lines: list[str]) -> None:
    """A member that is the same bytes whenever it is made."""
    archive.writestr(zipfile.ZipInfo(name, (2026, 11, 23, 0, 0, 0)), "\n".join([*lines, ""]))


def check_of(record: RunRecord | None, name: str, table: str) -> Check:
    assert record is not None
    assert record.quality is not None
    (found,) = [check for check in record.quality.checks if (check.name, check.table) == (name, table)]
    return found
