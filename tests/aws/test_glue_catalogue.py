"""The Glue catalogue against moto: it shows what the log says, whoever comes late, and however often it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from machine import environment
from moto import mock_aws

from pharmaetl.aws import glue_catalogue
from pharmaetl.aws.glue_tables import bronze_folder, hive_type
from pharmaetl.catalog import Dataset
from pharmaetl.errors import UnavailableError
from pharmaetl.lake import layout, manifest
from pharmaetl.lake.documents import LogEntry, Quality, Source, TableVersion
from pharmaetl.lake.local_storage import LocalStorage

NSDE = Dataset(Path(__file__).parents[2] / "datasets" / "fda" / "nsde")
SCHEMA = {"item_code": "string", "marketing_start_date": "date", "record_hash": "string"}
FORMS = {"dosage_form": "string", "drugs": "bigint"}


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    environment(monkeypatch)
    with mock_aws():
        client = boto3.client("glue")
        client.create_database(DatabaseInput={"Name": "nsde_db"})
        yield client


@pytest.fixture
def lake(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


def publish(
    lake: LocalStorage,
    day: int,
    *,
    tables: tuple[str, ...] = ("nsde",),
    bronze: tuple[str, ...] = ("item_code",),
    gold: tuple[str, ...] = (),
) -> LogEntry:
    """Publish a version of so many tables, each with a bronze file of these columns."""
    run_id = f"202611{day:02d}T031500Z-1f2e3d4c"
    versions = []
    for name in tables:
        level = f"nsde/{name}" if len(tables) > 1 else "nsde"
        file = Path(lake.root, "bronze", level, f"run={run_id}", "part-00000.parquet")
        file.parent.mkdir(parents=True)
        pq.write_table(pa.table({**{column: ["x"] for column in bronze}, "meta_line": [2]}), file)
        path = f"silver/{level}/version=2026-11-{day:02d}/run={run_id}"
        versions.append(TableVersion(name=name, path=path, rows=0, files=(), schema=SCHEMA))
    source, verdict = Source(url="https://x.test/", sha256=f"{day:064d}"), Quality(verdict="pass")
    made = tuple(
        TableVersion(
            name=name, path=layout.gold_dir(name, f"2026-11-{day:02d}", run_id), rows=0, files=(), schema=FORMS
        )
        for name in gold
    )
    candidate = manifest.Candidate("nsde", run_id, source, "c", "d", tuple(versions), verdict, gold=made)
    return manifest.commit(lake, candidate, manifest.current(lake, "nsde"))


def location(glue: Any, table: str) -> str:
    return str(glue.get_table(DatabaseName="nsde_db", Name=table)["Table"]["StorageDescriptor"]["Location"])


def partitions(glue: Any, table: str = "nsde_bronze") -> list[str]:
    found = glue.get_partitions(DatabaseName="nsde_db", TableName=table)["Partitions"]
    return sorted(one["Values"][0] for one in found)


def test_a_first_version_makes_a_silver_and_a_bronze_table(lake: LocalStorage, glue: Any) -> None:
    entry = publish(lake, 1)
    assert glue_catalogue.refresh(lake, NSDE.config, glue) == entry
    silver = glue.get_table(DatabaseName="nsde_db", Name="nsde")["Table"]
    assert silver["StorageDescriptor"]["Location"] == f"{lake.root}/{entry.tables[0].path}/"
    columns = [(column["Name"], column["Type"]) for column in silver["StorageDescriptor"]["Columns"]]
    assert columns == [("item_code", "string"), ("marketing_start_date", "date"), ("record_hash", "string")]
    assert silver["Parameters"]["pharmaetl.sequence"] == "1"
    bronze = glue.get_table(DatabaseName="nsde_db", Name="nsde_bronze")["Table"]
    assert [key["Name"] for key in bronze["PartitionKeys"]] == ["run"]
    columns = [(column["Name"], column["Type"]) for column in bronze["StorageDescriptor"]["Columns"]]
    assert columns == [("item_code", "string"), ("meta_line", "bigint")]
    (partition,) = glue.get_partitions(DatabaseName="nsde_db", TableName="nsde_bronze")["Partitions"]
    assert partition["Values"] == [entry.run_id]
    assert partition["StorageDescriptor"]["Location"] == f"{lake.root}/bronze/nsde/run={entry.run_id}/"


def test_refreshing_again_changes_nothing(lake: LocalStorage, glue: Any) -> None:
    publish(lake, 1)
    glue_catalogue.refresh(lake, NSDE.config, glue)
    before = glue.get_tables(DatabaseName="nsde_db")["TableList"]
    glue_catalogue.refresh(lake, NSDE.config, glue)
    assert glue.get_tables(DatabaseName="nsde_db")["TableList"] == before


def test_a_new_version_moves_silver_and_adds_a_partition(lake: LocalStorage, glue: Any) -> None:
    publish(lake, 1)
    glue_catalogue.refresh(lake, NSDE.config, glue)
    second = publish(lake, 2, bronze=("item_code", "new_column"))
    glue_catalogue.refresh(lake, NSDE.config, glue)
    assert location(glue, "nsde") == f"{lake.root}/{second.tables[0].path}/"
    assert partitions(glue) == ["20261101T031500Z-1f2e3d4c", "20261102T031500Z-1f2e3d4c"]


def test_a_gold_table_is_shown_beside_silver_and_goes_with_the_version(lake: LocalStorage, glue: Any) -> None:
    first = publish(lake, 1, gold=("drug_forms", "rare_forms"))
    glue_catalogue.refresh(lake, NSDE.config, glue)
    assert {table["Name"] for table in glue.get_tables(DatabaseName="nsde_db")["TableList"]} == {
        "nsde", "nsde_bronze", "drug_forms", "rare_forms",
    }  # fmt: skip
    assert location(glue, "drug_forms") == f"{lake.root}/{first.gold[0].path}/"
    columns = glue.get_table(DatabaseName="nsde_db", Name="drug_forms")["Table"]["StorageDescriptor"]["Columns"]
    assert [(column["Name"], column["Type"]) for column in columns] == [("dosage_form", "string"), ("drugs", "bigint")]
    second = publish(lake, 2, gold=("drug_forms",))
    glue_catalogue.refresh(lake, NSDE.config, glue)
    assert location(glue, "drug_forms") == f"{lake.root}/{second.gold[0].path}/"
    assert "rare_forms" not in {table["Name"] for table in glue.get_tables(DatabaseName="nsde_db")["TableList"]}


def test_a_column_that_only_older_bronze_has_stays_readable(lake: LocalStorage, glue: Any) -> None:
    publish(lake, 1, bronze=("item_code", "gone"))
    glue_catalogue.refresh(lake, NSDE.config, glue)
    publish(lake, 2)
    glue_catalogue.refresh(lake, NSDE.config, glue)
    columns = glue.get_table(DatabaseName="nsde_db", Name="nsde_bronze")["Table"]["StorageDescriptor"]["Columns"]
    assert [column["Name"] for column in columns] == ["item_code", "meta_line", "gone"]


def test_what_failed_before_is_made_up_for_by_the_next_refresh(lake: LocalStorage, glue: Any) -> None:
    for day in (1, 2, 3):
        publish(lake, day)
    glue_catalogue.refresh(lake, NSDE.config, glue)
    assert len(partitions(glue)) == 3
    glue.delete_table(DatabaseName="nsde_db", Name="nsde_bronze")
    glue_catalogue.refresh(lake, NSDE.config, glue)
    assert len(partitions(glue)) == 3


def test_a_rollback_moves_silver_back_and_keeps_bronze(lake: LocalStorage, glue: Any) -> None:
    first = publish(lake, 1)
    publish(lake, 2)
    glue_catalogue.refresh(lake, NSDE.config, glue)
    manifest.rollback(lake, "nsde", None, "wrong release")
    glue_catalogue.refresh(lake, NSDE.config, glue)
    assert location(glue, "nsde") == f"{lake.root}/{first.tables[0].path}/"
    assert len(partitions(glue)) == 2


def test_an_older_publisher_that_comes_late_changes_nothing(
    lake: LocalStorage, glue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(lake, 1)
    newest = publish(lake, 2)
    glue_catalogue.refresh(lake, NSDE.config, glue)
    monkeypatch.setattr(glue_catalogue.publishlog, "current", lambda *_: first)
    glue_catalogue.refresh(lake, NSDE.config, glue)
    assert location(glue, "nsde") == f"{lake.root}/{newest.tables[0].path}/"


class Crossing:
    """A Glue client before whose first update of a table somebody else's comes."""

    def __init__(self, glue: Any, before: Any) -> None:
        self._glue, self._before = glue, before
        self.versions: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._glue, name)

    def update_table(self, **given: Any) -> Any:
        self.versions.append(given["VersionId"])
        if self._before:
            before, self._before = self._before, None
            before()
            refusal = {"Error": {"Code": "ConcurrentModificationException", "Message": "version mismatch"}}
            raise self._glue.exceptions.ClientError(refusal, "UpdateTable")
        return self._glue.update_table(**given)


def test_of_two_publishers_at_once_the_newer_location_stays(lake: LocalStorage, glue: Any) -> None:
    publish(lake, 1)
    glue_catalogue.refresh(lake, NSDE.config, glue)
    publish(lake, 2)
    older = lake.read("manifests/nsde/00000002.json")

    def newer_one() -> None:
        publish(lake, 3)
        glue_catalogue.refresh(lake, NSDE.config, glue)

    crossing = Crossing(glue, newer_one)
    entry = glue_catalogue.refresh(lake, NSDE.config, crossing)
    assert entry is not None
    assert entry.sequence == 2
    assert older == lake.read("manifests/nsde/00000002.json")
    assert "version=2026-11-03" in location(glue, "nsde")
    assert crossing.versions[0] == "1"


def test_a_table_that_is_gone_from_the_release_is_gone_from_the_catalogue(lake: LocalStorage, glue: Any) -> None:
    publish(lake, 1, tables=("one", "two"))
    glue_catalogue.refresh(lake, NSDE.config, glue)
    glue.create_table(DatabaseName="nsde_db", TableInput={"Name": "somebody_elses"})
    publish(lake, 2, tables=("one", "three"))
    glue_catalogue.refresh(lake, NSDE.config, glue)
    names = [table["Name"] for table in glue.get_tables(DatabaseName="nsde_db")["TableList"]]
    assert sorted(names) == ["one", "one_bronze", "somebody_elses", "three", "three_bronze", "two_bronze"]


def test_nothing_is_made_before_something_is_published(lake: LocalStorage, glue: Any) -> None:
    assert glue_catalogue.refresh(lake, NSDE.config, glue) is None
    assert glue.get_tables(DatabaseName="nsde_db")["TableList"] == []


def test_a_database_that_is_not_there_is_an_error_with_a_reason(lake: LocalStorage, glue: Any) -> None:
    publish(lake, 1)
    glue.delete_database(Name="nsde_db")
    with pytest.raises(UnavailableError, match="glue:UpdateTable"):
        glue_catalogue.refresh(lake, NSDE.config, glue)


@pytest.mark.parametrize(
    ("spark", "hive"),
    [("string", "string"), ("decimal(28,8)", "decimal(28,8)"), ("array<string>", "array<string>"),
     ("timestamp_ntz", "timestamp")],
)  # fmt: skip
def test_spark_types_have_names_that_athena_knows(spark: str, hive: str) -> None:
    assert hive_type(spark) == hive


@pytest.mark.parametrize(
    ("silver", "bronze"),
    [
        ("silver/nsde/version=2026-11-01/run=r", "bronze/nsde"),
        ("silver/cder/products/version=2026-11-01/run=r", "bronze/cder/products"),
    ],
)
def test_bronze_lies_beside_silver(silver: str, bronze: str) -> None:
    assert bronze_folder(silver) == bronze
