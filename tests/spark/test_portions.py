"""A table that is judged portion by portion comes out as one that is judged at once."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from test_jobs import a_row, run_jobs

from pharmaetl.engine.duck import frame
from pharmaetl.spark import columns, dialect, frames, silver, tables

pytestmark = pytest.mark.engine
PORTION, ROWS = 7, 60


@pytest.fixture(autouse=True)
def only_duckdb(spark: SparkSession) -> None:
    if not hasattr(spark, "portions"):
        pytest.skip("works on all rows at once")


def some_rows(seed: int) -> list[list[str]]:
    """Good ones, refused ones and doubtful ones, many of them more than once, near and far."""
    chance = random.Random(seed)
    good = [a_row(f"0037-{n:04d}-07", f"00037{n:04d}07", f"Name {n}") for n in range(1, 12)]
    same_when_read = [a_row("0037-0001-07", "00037000107", " Name 1 "), a_row("0037-0002-07", "", "Name 2")]
    odd = [a_row("0037-0022-07", "10037002207"), a_row("", ""), a_row("0037-0031-07", "00037003107", start="20230230")]
    return [chance.choice([*good, *good, *same_when_read, *odd, *odd]) for _ in range(ROWS)]


def in_several_files(bronze: Path, sizes: list[int]) -> None:
    (file,) = bronze.glob("*.parquet")
    table, at = pq.read_table(file), 0
    file.unlink()
    for number, size in enumerate(sizes):
        pq.write_table(table.slice(at, size), bronze / f"part-{number:05d}.parquet")
        at += size
    assert at == table.num_rows


def table_at(folder: Path) -> Counter[tuple[tuple[str, Any], ...]]:
    rows = pq.read_table(folder).to_pylist() if folder.exists() else []
    return Counter(tuple(sorted(row.items())) for row in rows)


@pytest.mark.parametrize("seed", range(7))
@pytest.mark.parametrize("held", [1, 5, 1000])
@pytest.mark.parametrize("sorted_from", [0, 1000])
def test_portions_publish_refuse_and_count_what_all_rows_at_once_do(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, held: int, sorted_from: int
) -> None:
    rows, rejects = some_rows(seed), [["900", "field_count", "a,b"], ["901", "bad_quote", 'a"b']]
    (tmp_path / "whole").mkdir()
    whole = run_jobs(spark, tmp_path / "whole", rows, rejects)
    monkeypatch.setattr(silver, "PORTION_ROWS", PORTION)
    monkeypatch.setattr(silver, "HELD_ROWS", held)
    monkeypatch.setattr(frame, "_FEWEST_SORTED", sorted_from)
    (tmp_path / "several").mkdir()
    several = run_jobs(
        spark, tmp_path / "several", rows, rejects, between=lambda bronze: in_several_files(bronze, SIZES)
    )

    assert several == whole
    assert whole["rows_duplicate"] > 10
    assert whole["rows_refused"] > 2
    assert len(list((tmp_path / "several" / "silver").iterdir())) > 3
    for layer in ("silver", "quarantine"):
        assert table_at(tmp_path / "several" / layer) == table_at(tmp_path / "whole" / layer)


@pytest.mark.parametrize("named", [["item_code", "ndc11", "marketing_start_date"], None])
def test_columns_that_the_files_name_are_not_trimmed_anew(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: list[str] | None
) -> None:
    """With the same outcome; where one of the files names none, all are trimmed."""

    def between(bronze: Path) -> None:
        (file,) = bronze.glob("*.parquet")
        table = pq.read_table(file)
        file.unlink()
        for number in range(2):
            metadata = {tables.TRIMMED: json.dumps(named or ["item_code"])} if named or number else None
            half = table.slice(number * ROWS // 2, ROWS // 2).replace_schema_metadata(metadata)
            pq.write_table(half, bronze / f"part-{number:05d}.parquet")

    tidied: list[str] = []
    monkeypatch.setattr(frames, "tidy", lambda name: tidied.append(name) or columns.tidy(name))
    rows = some_rows(2)
    (tmp_path / "whole").mkdir()
    whole = run_jobs(spark, tmp_path / "whole", rows)
    names = set(tidied)
    tidied.clear()
    (tmp_path / "several").mkdir()
    assert run_jobs(spark, tmp_path / "several", rows, between=between) == whole
    assert set(tidied) == names - set(named or [])
    assert table_at(tmp_path / "several" / "silver") == table_at(tmp_path / "whole" / "silver")


UNITS = ["EA", "GM", "ML"]


def with_units(bronze: Path, notes: list[dict[str, list[str]] | None]) -> None:
    """Bronze in as many files, whose metadata list these values."""
    (file,) = bronze.glob("*.parquet")
    table, rows = pq.read_table(file), ROWS // len(notes)
    file.unlink()
    for number, note in enumerate(notes):
        metadata = {tables.FEW: json.dumps(note)} if note is not None else None
        part = table.slice(number * rows, rows).replace_schema_metadata(metadata)
        pq.write_table(part, bronze / f"part-{number:05d}.parquet")


@pytest.mark.parametrize(
    ("notes", "known"),
    [
        ([{"billing_unit": ["EA", "GM"]}, {"billing_unit": ["ML", "EA"]}], True),
        ([{"billing_unit": UNITS, "dosage_form": ["SUSPENSION"]}, {"billing_unit": UNITS}], True),
        ([{"billing_unit": UNITS}, None], False),
        ([{"billing_unit": UNITS}, {}], False),
        ([{"billing_unit": UNITS}, {"billing_unit": ["IU"]}], False),
        ([{"billing_unit": []}, {"marketing_start_date": ["20160329"], "item_code": []}], False),
    ],
)
def test_columns_of_which_all_files_list_few_values_are_kept_as_numbers(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    notes: list[dict[str, list[str]] | None],
    known: bool,
) -> None:
    """With the same outcome, and texts in silver as ever."""
    rows = [[*row[:9], UNITS[index * 3 // ROWS], *row[10:]] for index, row in enumerate(some_rows(4))]
    rows = [[*row[:9], "", *row[10:]] if index % 7 == 0 else row for index, row in enumerate(rows)]
    (tmp_path / "whole").mkdir()
    whole = run_jobs(spark, tmp_path / "whole", rows)

    kept: list[dict[str, Any]] = []
    keep = tables.Kept.keep
    monkeypatch.setattr(
        tables.Kept, "keep", lambda self, name, rows, few=None: kept.append(few or {}) or keep(self, name, rows, few)
    )
    monkeypatch.setattr(tables, "FEW_VALUES", 3)
    monkeypatch.setattr(silver, "PORTION_ROWS", PORTION)
    (tmp_path / "several").mkdir()
    several = run_jobs(spark, tmp_path / "several", rows, between=lambda bronze: with_units(bronze, notes))

    judged = next(few for few in kept if few)
    assert judged == ({"billing_unit": UNITS} if known else {}) | {"code_type": columns.ndc.CODE_TYPES}
    assert several == whole
    assert set(whole["schema"].values()) == {"string", "date"}
    assert table_at(tmp_path / "several" / "silver") == table_at(tmp_path / "whole" / "silver")
    kinds = [
        [field.type for field in pq.read_schema(next((tmp_path / name / "silver").iterdir()))]
        for name in ("whole", "several")
    ]
    assert kinds[0] == kinds[1]


def test_a_value_that_its_file_does_not_list_fails_the_job_and_is_not_lost(spark: SparkSession, tmp_path: Path) -> None:
    rows = [a_row("0037-0022-07", "00037002207", unit=unit) for unit in (*UNITS, "ZZ")]
    with pytest.raises(Exception, match="Could not convert string 'ZZ'"):
        run_jobs(spark, tmp_path, rows, between=lambda bronze: with_units(bronze, [{"billing_unit": UNITS}]))
    assert not (tmp_path / "silver").exists()


def test_a_function_of_the_dataset_sees_texts(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, Any] | None] = []
    keep = tables.Kept.keep
    monkeypatch.setattr(
        tables.Kept, "keep", lambda self, name, rows, few=None: kept.append(few) or keep(self, name, rows, few)
    )
    (tmp_path / "transforms.py").write_text("def silver_nsde(rows):\n    return rows\n")
    rows = [a_row("0037-0022-07", "00037002207", unit=unit) for unit in UNITS]

    def between(bronze: Path) -> None:
        with_units(bronze, [{"billing_unit": UNITS}])

    counts = run_jobs(spark, tmp_path, rows, transforms=str(tmp_path / "transforms.py"), between=between)
    assert counts["rows"] == 3
    assert kept
    assert not any(kept)


SIZES = [3, 3, 3, 10, 1, 6, 7, 7, 20]
"""Rows of bronze's files: some go together, some are larger than a portion."""


def test_nothing_of_one_table_is_known_to_the_next_one(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silver, "PORTION_ROWS", PORTION)
    counts = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        counts.append(
            run_jobs(spark, tmp_path / name, some_rows(1), between=lambda bronze: in_several_files(bronze, SIZES))
        )
    assert counts[0] == counts[1]


@pytest.mark.parametrize("hashed", ["twins", "record_hash"])
@pytest.mark.parametrize("held", [1, 5, 1000])
def test_rows_with_the_hash_of_a_published_one_stay(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: str, held: int
) -> None:
    """What is left out is equal by value to a row of another portion, whatever the hashes say."""
    rows = some_rows(3)
    (tmp_path / "whole").mkdir()
    whole = run_jobs(spark, tmp_path / "whole", rows)

    def hashed_alike(rows: Any, *_: object) -> Any:
        if hashed == "twins":
            return rows.withColumn(frames.TWIN, dialect.F.lit(1).cast("bigint"))
        return rows.withColumn(frames.RECORD_HASH, dialect.F.lit("0" * 32))

    monkeypatch.setattr(frames, "with_twins" if hashed == "twins" else "with_record_hash", hashed_alike)
    monkeypatch.setattr(silver, "PORTION_ROWS", PORTION)
    monkeypatch.setattr(silver, "HELD_ROWS", held)
    (tmp_path / "several").mkdir()
    several = run_jobs(spark, tmp_path / "several", rows, between=lambda bronze: in_several_files(bronze, SIZES))
    different = {"digest"} if hashed == "record_hash" else set()
    assert {name: value for name, value in several.items() if name not in different} == {
        name: value for name, value in whole.items() if name not in different
    }
    names = ("item_code", "ndc11", "proprietary_name", "marketing_start_date")
    assert values_at(tmp_path / "several" / "silver", names) == values_at(tmp_path / "whole" / "silver", names)


def values_at(folder: Path, names: tuple[str, ...]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[name] for name in names) for row in pq.read_table(folder).to_pylist())
