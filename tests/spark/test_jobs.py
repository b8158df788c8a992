"""Bronze and silver as jobs, on records as the splitter writes them: what is published, refused and repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pharmaetl.config import configfile, jobspec
from pharmaetl.spark import dialect, frames, jobs, tables
from pharmaetl.spark.spec import ColumnSpec, TableSpec

pytestmark = pytest.mark.engine
US = "\x1f"
CONFIG = Path(__file__).parents[2] / "datasets" / "fda" / "nsde" / "config" / "dataset.json"
FILLER = ["SUSPENSION", "NDA", "NDA019618", "HUMAN PRESCRIPTION DRUG"]


def a_row(
    code: str, ndc11: str, name: str = "Rowasa", start: str = "20160329", end: str = "", unit: str = ""
) -> list[str]:
    return [code, ndc11, name, *FILLER, start, end, unit, "", ""]


def run_jobs(
    spark: SparkSession,
    folder: Path,
    rows: list[list[str]],
    rejects: list[list[str]] | None = None,
    transforms: str | None = None,
    between: Callable[[Path], None] = lambda bronze: None,
) -> dict[str, Any]:
    table = configfile.read(CONFIG).tables[0]
    spec = TableSpec.from_json(jobspec.table_spec(table, date(2026, 11, 23)))
    (folder / "records").write_text(
        "".join(f"{line}{US}{US.join(row)}\n" for line, row in enumerate(rows, start=2)), "utf-8"
    )
    if rejects:
        (folder / "rejects").write_text("".join(US.join(reject) + "\n" for reject in rejects), "utf-8")
    names = tuple(column.name for column in table.source_columns)
    bronze = jobs.BronzeJob(
        str(folder / "records"), str(folder / "bronze"), "R1", names, len(rows), "f00", "nsde.csv", True
    )
    jobs.bronze(spark, bronze)
    between(folder / "bronze")
    paths = [str(folder / name) for name in ("bronze", "silver", "kept", "quarantine")]
    silver = jobs.SilverJob(
        *paths, "R1", len(rows), "f00", "nsde.csv", spec, str(folder / "rejects") if rejects else None, transforms
    )
    return jobs.silver(spark, silver)


def rows_of(folder: Path, layer: str, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in pq.read_table(folder / layer).to_pylist()]


@pytest.fixture(scope="module")
def mixed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("mixed")
    rows = [
        a_row("0037-0022-07", "00037002207", " Rowasa\u00a0"),
        a_row("0037-0022-07", "00037002207", "Rowasa"),
        a_row("0037-0022-14", "", "two\x1elines", start="20250230", end="30310101"),
        a_row("0037-0022-15", "00037002299", "other digits"),
        a_row("1234-567890", "12345678900", "NHRIC code", start="18920101", end="18910101"),
        a_row("", "", "no code", start="00000000"),
        a_row("0037-0022-16", "0037-0022-16", "unit", unit="ZZ"),
        a_row("0037-0022-16", "00037002216", "unit", unit="EA"),
        a_row("ABC", "", "no code known"),
        a_row("0054478962", "00054478962", "ten digits, but eleven are given"),
    ]
    return folder, run_jobs(spark, folder, rows, [["44", "field_count", "a,b,c"]])


def test_every_row_is_published_refused_or_a_repetition(mixed: tuple[Path, dict[str, Any]]) -> None:
    _, counts = mixed
    assert (counts["rows"], counts["rows_refused"], counts["rows_duplicate"]) == (6, 3, 1)


def test_silver_has_typed_and_tidied_values(mixed: tuple[Path, dict[str, Any]]) -> None:
    names = (
        "item_code",
        "ndc11",
        "code_type",
        "proprietary_name",
        "marketing_start_date",
        "marketing_end_date",
        "billing_unit",
    )
    assert sorted(rows_of(mixed[0], "silver", *names), key=str) == [
        ("0037-0022-07", "00037002207", "NDC", "Rowasa", date(2016, 3, 29), None, None),
        ("0037-0022-14", "00037002214", "NDC", "two\nlines", None, date(3031, 1, 1), None),
        ("0037-0022-16", "00037002216", "NDC", "unit", date(2016, 3, 29), None, "EA"),
        ("0037-0022-16", "00037002216", "NDC", "unit", date(2016, 3, 29), None, "ZZ"),
        ("0054478962", "00054478962", "unknown", "ten digits, but eleven are given", date(2016, 3, 29), None, None),
        ("1234-567890", "12345678900", "NHRIC", "NHRIC code", date(1892, 1, 1), date(1891, 1, 1), None),
    ]


def test_quarantine_names_rule_column_value_and_line(mixed: tuple[Path, dict[str, Any]]) -> None:
    assert sorted(
        rows_of(mixed[0], "quarantine", "meta_line", "rule", "column", "value", "raw", "proprietary_name")
    ) == [
        (5, "ndc11_mismatch", "ndc11", "00037002299", None, "other digits"),
        (7, "IsComplete", "item_code", "", None, "no code"),
        (10, "ndc_letters", "ndc11", "", None, "no code known"),
        (44, "field_count", None, None, "a,b,c", None),
    ]


def test_digits_beside_a_damaged_code_are_not_believed(spark: SparkSession, tmp_path: Path) -> None:
    served = [
        ("0037\u20130022\u201316", "00037002216"),
        ("0037-0022-1\uff16", "00037002216"),
        ("0037-0022-16-", "00037002216"),
        ("2-Jan", "00037002216"),
        ("0037002216", "00037002299"),
        ("00037002216", "0037-0022-16"),
        ("0037002216", "00037002216"),
        ("0037002217", "00370002217"),
        ("0037002218", "00370022108"),
        ("00037002219", "00037002219"),
        ("GLOVE7", "00037002220"),
    ]
    run_jobs(spark, tmp_path, [a_row(*pair) for pair in served])
    assert sorted(rows_of(tmp_path, "quarantine", "meta_line", "rule")) == [
        (2, "ndc_bad_characters"),
        (3, "ndc_bad_characters"),
        (4, "ndc_bad_segments"),
        (5, "ndc_letters"),
        (6, "ndc11_mismatch"),
        (7, "ndc11_swapped"),
    ]
    assert sorted(rows_of(tmp_path, "silver", "item_code", "ndc11")) == sorted(served[6:])


def test_bronze_keeps_every_value_as_served(mixed: tuple[Path, dict[str, Any]]) -> None:
    served = rows_of(mixed[0], "bronze", "meta_line", "proprietary_name", "marketing_start_date", "ndc11")
    assert sorted(served)[0] == (2, " Rowasa\u00a0", "20160329", "00037002207")
    assert sorted(served)[2] == (4, "two\nlines", "20250230", None)
    assert rows_of(mixed[0], "bronze", "meta_source_file", "meta_source_sha256", "meta_run_id")[0] == (
        "nsde.csv",
        "f00",
        "R1",
    )


def test_what_the_gate_asks_is_counted_on_the_written_rows(mixed: tuple[Path, dict[str, Any]]) -> None:
    _, counts = mixed
    assert counts["columns"]["billing_unit"]["nulls"] == 4
    assert counts["keys"] == {key: {"scope": 6, "distinct": 5, "groups": 1, "rows": 2} for key in ("2", "3")}
    assert {i: rule["broken"] for i, rule in counts["rules"].items()} == {
        "0": 0,
        "1": 0,
        "4": 1,
        "5": 1,
        "6": 1,
        "7": 0,
        "8": 1,
    }
    assert counts["findings"] == [
        {"rule": "IsComplete", "column": "item_code", "refused": True, "rows": 1, "line": 7},
        {"rule": "ndc11_mismatch", "column": "ndc11", "refused": True, "rows": 1, "line": 5},
        {"rule": "ndc_letters", "column": "ndc11", "refused": True, "rows": 1, "line": 10},
        {"rule": "unreadable_date", "column": "marketing_start_date", "refused": False, "rows": 1, "line": 4},
    ]


def test_the_content_digest_is_free_of_order_engine_and_run(mixed: tuple[Path, dict[str, Any]]) -> None:
    assert mixed[1]["digest"] == DIGEST


DIGEST = "sum:6:34e61a6dea0c01a7"


def test_a_code_of_no_known_shape_without_digits_is_refused_with_its_reason(
    spark: SparkSession, tmp_path: Path
) -> None:
    codes = ["0037-0022-07", "0054478962", "547668531244", "si-lly-te-st", "12345-1234-123"]
    counts = run_jobs(
        spark, tmp_path, [a_row(code, "00037002207" if line == 2 else "") for line, code in enumerate(codes, start=2)]
    )
    assert {(found["line"], found["rule"], found["rows"]) for found in counts["findings"]} == {
        (3, "ndc_ambiguous_10_digit", 1),
        (4, "ndc_ambiguous_12_digit", 1),
        (5, "ndc_letters", 1),
        (6, "ndc_bad_segments", 1),
    }


def test_equal_rows_leave_one_and_near_equal_ones_stay(spark: SparkSession, tmp_path: Path) -> None:
    rows = [a_row("0037-0022-07", "00037002207", name) for name in ("A", "A ", "a", "A", "B", "B")]
    counts = run_jobs(spark, tmp_path, rows)
    assert (counts["rows"], counts["rows_duplicate"]) == (3, 3)
    assert sorted(rows_of(tmp_path, "silver", "proprietary_name")) == [("A",), ("B",), ("a",)]


@pytest.mark.parametrize("hashed", ["twins", "record_hash"])
def test_rows_with_the_hash_of_another_one_stay(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: str
) -> None:
    """What is left out is equal by value, whatever the hashes say."""

    def hashed_alike(rows: Any, *_: object) -> Any:
        if hashed == "twins":
            return rows.withColumn(frames.TWIN, dialect.F.lit(1).cast("bigint"))
        return rows.withColumn(frames.RECORD_HASH, dialect.F.lit("0" * 32))

    monkeypatch.setattr(frames, "with_twins" if hashed == "twins" else "with_record_hash", hashed_alike)
    rows = [a_row("0037-0022-07", "00037002207", name) for name in ("A", "B", "A", "", "", "C")]
    counts = run_jobs(spark, tmp_path, rows)
    assert (counts["rows"], counts["rows_duplicate"]) == (4, 2)
    assert sorted(rows_of(tmp_path, "silver", "proprietary_name"), key=str) == [("A",), ("B",), ("C",), (None,)]


def test_texts_are_plain_strings_to_who_reads_the_files(mixed: tuple[Path, dict[str, Any]]) -> None:
    kinds = {str(field.type) for layer in ("bronze", "silver", "quarantine") for field in schema_of(mixed[0] / layer)}
    assert kinds == {"string", "date32[day]", "int64"}


def schema_of(folder: Path) -> Any:
    return pq.read_schema(next(folder.glob("*.parquet")))


def test_a_table_without_problems_has_no_quarantine(spark: SparkSession, tmp_path: Path) -> None:
    counts = run_jobs(spark, tmp_path, [a_row("0037-0022-07", "00037002207")])
    assert (counts["rows"], counts["rows_refused"], counts["findings"]) == (1, 0, [])
    assert not (tmp_path / "quarantine").exists()


def test_a_table_of_refused_rows_only_publishes_none(spark: SparkSession, tmp_path: Path) -> None:
    counts = run_jobs(spark, tmp_path, [a_row("", ""), a_row("0037-0022-07", "10037002207")])
    assert (counts["rows"], counts["rows_refused"], counts["rows_duplicate"]) == (0, 2, 0)


@pytest.mark.parametrize(
    ("code", "hashed_early"),
    [("def silver_nsde(rows):\n    return rows\n", False), ("def gold_nsde_more(tables, as_of): ...\n", True)],
)
def test_the_typed_rows_get_their_hash_at_once_where_no_function_may_change_them(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, hashed_early: bool
) -> None:
    kept: dict[str, list[str]] = {}
    keep = tables.Kept.keep

    def looked_at(self: tables.Kept, name: str, frame: Any, *few: Any) -> Any:
        kept[name] = frame.columns
        return keep(self, name, frame, *few)

    monkeypatch.setattr(tables.Kept, "keep", looked_at)
    (tmp_path / "transforms.py").write_text(code)
    rows = [a_row("0037-0022-07", "00037002207"), a_row("0037-0022-08", "00037002208")]
    for name, transforms in (("plain", None), ("own", str(tmp_path / "transforms.py"))):
        (tmp_path / name).mkdir()
        run_jobs(spark, tmp_path / name, rows, transforms=transforms)

    assert ("record_hash" in kept["judged"]) is hashed_early
    assert sorted(rows_of(tmp_path / "own", "silver", "record_hash")) == sorted(
        rows_of(tmp_path / "plain", "silver", "record_hash")
    )


@pytest.mark.parametrize(
    ("separator", "ends_with", "text", "values"),
    [
        (";", "", "a;b ; c;", ["a", "b", "c", ""]),
        ("; ", "", "a;b; c", ["a;b", "c"]),
        (", ", "]", "A [X], B, C [Y],D [Z]", ["A [X]", "B, C [Y]", "D [Z]"]),
    ],
)
def test_a_list_is_cut_at_its_separator(
    spark: SparkSession, tmp_path: Path, separator: str, ends_with: str, text: str, values: list[str]
) -> None:
    spec = TableSpec(
        "lists",
        (
            ColumnSpec("text"),
            ColumnSpec("parts", derived="list", source="text", separator=separator, ends_with=ends_with),
        ),
    )
    (tmp_path / "records").write_text(f"2{US}{text}\n", "utf-8")
    jobs.bronze(
        spark, jobs.BronzeJob(str(tmp_path / "records"), str(tmp_path / "bronze"), "R1", ("text",), 1, "f00", "l.csv")
    )
    paths = [str(tmp_path / name) for name in ("bronze", "silver", "kept", "quarantine")]
    jobs.silver(spark, jobs.SilverJob(*paths, "R1", 1, "f00", "l.csv", spec))
    assert rows_of(tmp_path, "silver", "parts") == [(values,)]
