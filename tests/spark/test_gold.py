"""The gold job: what a function is given, what it must give, and what is written and counted."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pharmaetl.config import jobspec
from pharmaetl.config.dataset_config import GoldTable, Table
from pharmaetl.errors import ConfigError
from pharmaetl.run_options import EngineName
from pharmaetl.spark import gold as spark_gold
from pharmaetl.spark.gold import GoldJob, Silver
from pharmaetl.spark.spec import TableSpec

pytestmark = pytest.mark.engine
AS_OF = date(2026, 11, 23)
SILVER_COLUMNS = [
    {"name": "code"},
    {"name": "label", "source": "label"},
    {"name": "sold", "type": "date"},
    {"name": "boxes", "type": "integer"},
    {"name": "price", "type": "decimal"},
    {"name": "is_open", "type": "boolean"},
    {"name": "labels", "derived": {"function": "list", "source": "label", "separator": "; "}},
]
ROWS = [
    ("a", "x; y", date(2020, 2, 29), 1, Decimal("0.5"), True, ["x", "y"]),
    ("b", None, None, None, None, None, None),
]


@pytest.fixture(autouse=True)
def pyspark_only(engine_name: EngineName) -> None:
    """Gold functions are written in PySpark, so that DuckDB is never asked to run them."""
    if engine_name == "duckdb":
        pytest.skip("runs on a Spark session")


def spec_of(table: Table) -> TableSpec:
    return TableSpec.from_json(jobspec.table_spec(table, AS_OF))


def silver_table(name: str = "goods") -> TableSpec:
    return spec_of(Table.model_validate_json(json.dumps({"name": name, "format": "rrf", "columns": SILVER_COLUMNS})))


def written_silver(folder: Path) -> str:
    """A silver table as the silver job writes it."""
    types = [pa.string(), pa.string(), pa.date32(), pa.int64(), pa.decimal128(28, 8), pa.bool_(), pa.list_(pa.string())]
    columns = [pa.array(values, kind) for values, kind in zip(zip(*ROWS, strict=True), types, strict=True)]
    names = [str(column["name"]) for column in SILVER_COLUMNS]
    lake = {"record_hash": pa.array(["h1", "h2"]), "meta_run_id": pa.array(["R1", "R1"])}
    (folder / "silver").mkdir(parents=True)
    pq.write_table(pa.table(dict(zip(names, columns, strict=True)) | lake), folder / "silver" / "part-00000.parquet")
    return str(folder / "silver")


class Gold:
    """A gold table in a folder, and the code that makes it."""

    def __init__(
        self, folder: Path, columns: list[dict[str, Any]], quality: list[dict[str, Any]] | None = None
    ) -> None:
        self.folder = folder
        self.table = GoldTable.model_validate_json(
            json.dumps({"name": "made", "columns": columns, "quality": quality or []})
        )

    def run(self, spark: SparkSession, code: str, **changes: Any) -> dict[str, Any]:
        """Run the job with this body of the function."""
        transforms = self.folder / "transforms.py"
        transforms.write_text(f"from pyspark.sql import functions as F\n{code}")
        if "silver" not in changes:
            changes["silver"] = (Silver(silver_table(), written_silver(self.folder)),)
        job = {
            "name": "made",
            "gold": (),
            "gold_path": str(self.folder / "gold"),
            "run_id": "R1",
            "as_of": "2026-11-23",
            "table": spec_of(self.table.as_table()),
            "transforms_path": str(transforms),
        } | changes
        return spark_gold.gold(spark, GoldJob(**job))

    def rows(self) -> list[dict[str, Any]]:
        found = pq.read_table(self.folder / "gold").to_pylist()
        return sorted(found, key=lambda row: str(row["code"]))


CODE = [{"name": "code"}]


def test_the_columns_of_the_config_are_written_in_its_order_with_hash_and_run(
    spark: SparkSession, tmp_path: Path
) -> None:
    columns = [{"name": "code"}, {"name": "boxes", "type": "integer"}, {"name": "day", "type": "date"},
               {"name": "price", "type": "decimal"}, {"name": "is_open", "type": "boolean"}]  # fmt: skip
    made = Gold(tmp_path, columns)
    counts = made.run(
        spark,
        "def gold_made(tables, as_of):\n"
        "    day, boxes = F.lit(as_of).alias('day'), F.size('labels').alias('boxes')\n"
        "    return tables['goods'].select('is_open', 'price', day, boxes, 'code')\n",
    )

    assert list(counts["schema"].items()) == [
        ("code", "string"), ("boxes", "bigint"), ("day", "date"), ("price", "decimal(28,8)"), ("is_open", "boolean"),
        ("record_hash", "string"), ("meta_run_id", "string"),
    ]  # fmt: skip
    assert [{key: row[key] for key in row if key != "record_hash"} for row in made.rows()] == [
        {"code": "a", "boxes": 2, "day": AS_OF, "price": Decimal("0.50000000"), "is_open": True, "meta_run_id": "R1"},
        {"code": "b", "boxes": -1, "day": AS_OF, "price": None, "is_open": None, "meta_run_id": "R1"},
    ]
    # MD5 of a, 2, 2026-11-23, 0.50000000 and true with 0x1F between them
    assert made.rows()[0]["record_hash"] == "20dad6dc28a2b6b44a665d664dba22fb"
    assert (counts["rows"], counts["columns"]["price"]["nulls"]) == (2, 1)


def test_rules_are_measured_on_what_was_written(spark: SparkSession, tmp_path: Path) -> None:
    quality = [{"rule": "IsUnique", "column": "code"}, {"rule": "ColumnValues", "column": "code", "values": ["a"]}]
    counts = Gold(tmp_path, CODE, quality).run(
        spark, "def gold_made(tables, as_of):\n    both = tables['goods'].select('code')\n    return both.union(both)\n"
    )

    assert counts["keys"]["0"] == {"scope": 4, "distinct": 2, "groups": 2, "rows": 4}
    assert counts["rules"]["1"] == {"scope": 4, "broken": 2}


def test_a_table_that_the_release_lacks_is_an_empty_frame_with_all_its_columns(
    spark: SparkSession, tmp_path: Path
) -> None:
    code = (
        "def gold_made(tables, as_of):\n"
        "    left = tables['goods'].join(tables['more'].select('code', F.lit(1).alias('n')), 'code', 'left')\n"
        "    kinds = [kind for _, kind in tables['more'].dtypes]\n"
        "    return left.select('code', F.lit(','.join(kinds)).alias('kinds'), F.col('n').isNull().alias('alone'))\n"
    )
    columns = [*CODE, {"name": "kinds"}, {"name": "alone", "type": "boolean"}]
    silver = (Silver(silver_table(), written_silver(tmp_path)), Silver(silver_table("more"), None))
    made = Gold(tmp_path, columns)
    made.run(spark, code, silver=silver)

    kinds = "string,string,date,bigint,decimal(28,8),boolean,array<string>,string,string"
    assert [(row["kinds"], row["alone"]) for row in made.rows()] == [(kinds, True), (kinds, True)]


def test_a_table_without_rows_is_counted_as_nothing_and_no_file_has_rows(spark: SparkSession, tmp_path: Path) -> None:
    made = Gold(tmp_path, [*CODE, {"name": "boxes", "type": "integer"}], [{"rule": "IsUnique", "column": "code"}])
    counts = made.run(
        spark, "def gold_made(tables, as_of):\n    return tables['goods'].where('false').select('code', 'boxes')\n"
    )

    assert counts == {
        "rows": 0,
        "columns": {"code": {"nulls": 0}, "boxes": {"nulls": 0}},
        "rules": {},
        "keys": {},
        "digest": "sum:0:0",
        "schema": {"code": "string", "boxes": "bigint", "record_hash": "string", "meta_run_id": "string"},
    }
    assert sum(pq.read_metadata(file).num_rows for file in (tmp_path / "gold").glob("*.parquet")) == 0


def test_all_silver_may_be_missing(spark: SparkSession, tmp_path: Path) -> None:
    code = "def gold_made(tables, as_of):\n    return tables['goods'].select('code')\n"

    assert Gold(tmp_path, CODE).run(spark, code, silver=(Silver(silver_table(), None),))["rows"] == 0


def test_a_gold_table_made_before_is_given_too(spark: SparkSession, tmp_path: Path) -> None:
    first = GoldTable.model_validate_json(json.dumps({"name": "first", "columns": CODE}))
    before = Silver(spec_of(first.as_table()), written_silver(tmp_path / "before"))
    made = Gold(tmp_path, CODE)
    made.run(spark, "def gold_made(tables, as_of):\n    return tables['first'].select('code')\n", gold=(before,))

    assert [row["code"] for row in made.rows()] == ["a", "b"]


@pytest.mark.parametrize(("released", "expected"), [("2026-11-02", date(2026, 11, 2)), (None, None)])
def test_a_function_that_asks_for_it_gets_the_release_s_own_date(
    spark: SparkSession, tmp_path: Path, released: str | None, expected: date | None
) -> None:
    made = Gold(tmp_path, [*CODE, {"name": "day", "type": "date"}])
    made.run(
        spark,
        "def gold_made(tables, as_of, released):\n"
        "    day = F.lit(released.isoformat() if released else None).cast('date')\n"
        "    return tables['goods'].select('code', day.alias('day'))\n",
        released=released,
    )

    assert {row["day"] for row in made.rows()} == {expected}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "return tables['goods'].select('code', 'label')",
            "gold_made gives other columns than gold table made has: boxes is missing; label is not in the config",
        ),
        (
            "return tables['goods'].select('code', F.col('boxes').cast('string').alias('boxes'))",
            "gold_made gives other columns than gold table made has: boxes is string, not bigint",
        ),
        (
            "return tables['goods'].select('price', 'price', 'labels')",
            "code is missing; boxes is missing; price is not in the config; labels is not in the config;"
            " price is there 2 times",
        ),
        ("return tables['godds']", "gold_made asks for a table 'godds'"),
        ("return tables['goods'].select('cod')", "gold_made: the engine refuses it: "),
        ("return None", "gold_made gives NoneType, not a DataFrame"),
        ("return ['code']", "gold_made gives list, not a DataFrame"),
    ],
)
def test_what_a_function_gives_wrong_is_told(spark: SparkSession, tmp_path: Path, body: str, said: str) -> None:
    made = Gold(tmp_path, [*CODE, {"name": "boxes", "type": "integer"}])
    with pytest.raises(ConfigError) as refused:
        made.run(spark, f"def gold_made(tables, as_of):\n    {body}\n")

    assert refused.value.reason.startswith(f"{tmp_path}/transforms.py: gold_made")
    assert said in refused.value.reason
    assert not (tmp_path / "gold").exists()


def test_a_table_that_is_not_there_is_told_with_those_that_are(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Gold(tmp_path, CODE).run(spark, "def gold_made(tables, as_of):\n    return tables['x']\n")

    assert refused.value.hint == "tables: goods"


def test_a_missing_function_is_told(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no function gold_made"):
        Gold(tmp_path, CODE).run(spark, "def gold_other(tables, as_of): ...\n")


def digest_of(rows: list[str]) -> str:
    """A table's digest by the sum of its rows' hashes, as the sum's definition says."""
    return f"sum:{len(rows)}:{sum(int(one[:15], 16) for one in rows):x}"


def hash_of(*values: str) -> str:
    return hashlib.md5("\x1f".join(values).encode()).hexdigest()


def test_columns_without_a_single_value_are_published_with_their_types(spark: SparkSession, tmp_path: Path) -> None:
    kinds = {"text": "string", "whole": "integer", "amount": "decimal", "day": "date", "flag": "boolean"}
    columns = [*CODE, *({"name": name, "type": kind} for name, kind in kinds.items())]
    made = Gold(tmp_path, columns, [{"rule": "IsComplete", "column": name} for name in kinds])
    counts = made.run(
        spark,
        "def gold_made(tables, as_of):\n"
        "    kinds = {'text': 'string', 'whole': 'int', 'amount': 'decimal(28,8)', 'day': 'date', 'flag': 'boolean'}\n"
        "    nothing = [F.lit(None).cast(kind).alias(name) for name, kind in kinds.items()]\n"
        "    return tables['goods'].select('code', *nothing)\n",
    )

    assert list(counts["schema"].values())[1:6] == ["string", "bigint", "decimal(28,8)", "date", "boolean"]
    assert {name: counts["columns"][name]["nulls"] for name in kinds} == dict.fromkeys(kinds, 2)
    assert [counts["rules"][str(index)] for index in range(5)] == [{"scope": 2, "broken": 2}] * 5
    assert [[row[name] for name in kinds] for row in made.rows()] == [[None] * 5] * 2
    assert len({row["record_hash"] for row in made.rows()}) == 2


@pytest.mark.parametrize("order", ["F.desc('number')", "F.rand(7)", "F.rand(8)", "F.col('code')"])
def test_the_digest_is_of_the_rows_and_of_no_order_or_number_of_files(
    spark: SparkSession, tmp_path: Path, order: str
) -> None:
    made = Gold(tmp_path, [*CODE, {"name": "number", "type": "integer"}])
    counts = made.run(
        spark,
        "def gold_made(tables, as_of):\n"
        "    numbers = tables['goods'].select(F.explode(F.sequence(F.lit(1), F.lit(40))).alias('number'), 'code')\n"
        f"    return numbers.repartition(3).orderBy({order})\n",
    )

    assert counts["digest"] == digest_of([hash_of(code, str(n)) for code in "ab" for n in range(1, 41)])


def test_a_function_that_asks_for_chance_publishes_hashes_of_the_values_that_it_publishes(
    spark: SparkSession, tmp_path: Path
) -> None:
    made = Gold(tmp_path, CODE, [{"rule": "IsUnique", "column": "code"}])
    counts = made.run(
        spark, "def gold_made(tables, as_of):\n    return tables['goods'].select(F.expr('uuid()').alias('code'))\n"
    )

    rows = made.rows()
    assert len({row["code"] for row in rows}) == counts["rows"] == 2
    assert [row["record_hash"] for row in rows] == [hash_of(row["code"]) for row in rows]
    assert counts["digest"] == digest_of([row["record_hash"] for row in rows])


HUGE = {
    "whole": ("integer", "bigint", ["9223372036854775807", "-9223372036854775808"]),
    "amount": ("decimal", "decimal(28,8)", ["99999999999999999999.99999999", "-0.00000001"]),
    "day": ("date", "date", ["9999-12-31", "0001-01-01"]),
}


def test_the_largest_values_of_each_type_are_kept_to_the_last_digit(spark: SparkSession, tmp_path: Path) -> None:
    made = Gold(tmp_path, [*CODE, *({"name": name, "type": kind} for name, (kind, _, _) in HUGE.items())])
    values = ", ".join(
        f"F.when(F.col('code') == 'a', F.lit('{most}')).otherwise(F.lit('{least}')).cast('{kind}').alias('{name}')"
        for name, (_, kind, (most, least)) in HUGE.items()
    )
    counts = made.run(spark, f"def gold_made(tables, as_of):\n    return tables['goods'].select('code', {values})\n")

    first, last = made.rows()
    assert (first["whole"], last["whole"]) == (2**63 - 1, -(2**63))
    assert (first["amount"], last["amount"]) == (Decimal("99999999999999999999.99999999"), Decimal("-0.00000001"))
    assert (first["day"], last["day"]) == (date(9999, 12, 31), date(1, 1, 1))
    assert counts["columns"]["whole"] == {"nulls": 0, "min": "-9223372036854775808", "max": "9223372036854775807"}
    assert first["record_hash"] == hash_of("a", *(most for _, _, (most, _) in HUGE.values()))
    assert last["record_hash"] == hash_of("b", *(least for _, _, (_, least) in HUGE.values()))


def test_a_text_of_a_million_letters_in_any_script_is_one_value(spark: SparkSession, tmp_path: Path) -> None:
    made = Gold(tmp_path, [*CODE, {"name": "text"}])
    counts = made.run(
        spark,
        "def gold_made(tables, as_of):\n"
        "    return tables['goods'].where(\"code = 'a'\").select('code', F.expr(\"repeat('é\U0001f48a', 500000)\")"
        ".alias('text'))\n",
    )

    (row,) = made.rows()
    assert row["text"] == "é\U0001f48a" * 500_000
    assert row["record_hash"] == hash_of("a", row["text"])
    assert counts["columns"]["text"] == {"nulls": 0, "longest": 1_000_000}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("F.lit(None).alias('code')", "code is void, not string"),
        ("F.col('code').alias('Code')", "code is missing; Code is not in the config"),
        ("F.col('code').alias('codé')", "code is missing; codé is not in the config"),
        ("'labels', F.col('labels').alias('code')", "labels is not in the config; code is array<string>, not string"),
        ("'code', 'record_hash', 'meta_run_id'", "record_hash is not in the config; meta_run_id is not in the config"),
        ("", "code is missing"),
    ],
)
def test_columns_that_look_nearly_right_are_wrong(spark: SparkSession, tmp_path: Path, columns: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Gold(tmp_path, CODE).run(
            spark, f"def gold_made(tables, as_of):\n    return tables['goods'].select({columns})\n"
        )

    assert refused.value.reason.endswith(f"gives other columns than gold table made has: {said}")


@pytest.mark.parametrize("kind", ["decimal(28,9)", "decimal(38,8)", "double", "bigint", "string"])
def test_an_amount_of_another_precision_is_refused_and_never_rounded(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    price = f"F.col('price').cast('{kind}').alias('price')"
    code = f"def gold_made(tables, as_of):\n    return tables['goods'].select({price})\n"
    with pytest.raises(ConfigError) as refused:
        Gold(tmp_path, [{"name": "price", "type": "decimal"}]).run(spark, code)

    assert refused.value.reason.endswith(f"price is {kind}, not decimal(28,8)")
