"""The directory's gold functions on random products, against plain Python and against what must hold of any gold."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from pharmaetl.run_options import EngineName
from pharmaetl.spark.transforms import load_transform

pytestmark = pytest.mark.engine
TRANSFORMS = Path(__file__).parents[2] / "datasets" / "fda" / "cder" / "transforms.py"
TEXTS = ("substance_name", "active_numerator_strength", "active_ingred_unit")
LISTS = ("substance_names", "active_numerator_strengths", "active_ingred_units")
SCHEMA = ", ".join(
    ["product_id string", *(f"{name} string" for name in TEXTS)]
    + [f"{name} array<string>" for name in (*LISTS, "pharm_class_names")]
)
Product = dict[str, Any]

values = st.one_of(
    st.sampled_from(["", "A", "a", "É", "ZINC", ".5", "mg/1", "[hp_X]/mL"]),
    st.text("aB1 [];,é薬\u2028\u0085", max_size=6),
)
kinds = st.sampled_from(["EPC", "MoA", "CS", "", " ", "[", "x y", "Chemical/Ingredient", "É"])
names = st.text("aB [],é薬\u2028\u0085\r", max_size=5)
classes = st.one_of(
    st.builds("{} [{}]".format, names, kinds),
    st.builds("{}[{}]".format, names, kinds),
    st.builds("{} [{}".format, names, kinds),
    values,
)


@st.composite
def products(draw: st.DrawFn) -> Product:
    """A product as silver has it: three lists of one length, or none where their lengths differ or nothing is there."""
    key = draw(st.sampled_from(["P1", "é4", *(f"p{number}" for number in range(8))]))
    how = draw(st.sampled_from(["paired", "unpaired", "nothing"]))
    lists: list[list[str] | None] = [None] * 3
    served: list[str | None] = [None] * 3
    if how == "paired":
        count = draw(st.integers(1, 4))
        full = [draw(st.lists(values, min_size=count, max_size=count)) for _ in LISTS]
        lists, served = [*full], ["; ".join(one) or None for one in full]
    elif how == "unpaired":
        served = [draw(st.one_of(st.none(), values.filter(bool))) for _ in TEXTS]
    found = draw(st.one_of(st.none(), st.lists(classes, max_size=4).map(lambda once: [*once, *once[:2]])))
    return dict(zip(("product_id", *TEXTS, *LISTS, "pharm_class_names"), (key, *served, *lists, found), strict=True))


examples = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
some_products = st.lists(products(), max_size=25)


@pytest.fixture(autouse=True)
def pyspark_only(engine_name: EngineName) -> None:
    """Gold functions are written in PySpark, so that DuckDB is never asked to run them."""
    if engine_name == "duckdb":
        pytest.skip("runs on a Spark session")


def made(spark: SparkSession, name: str, silver: list[Product]) -> list[tuple[Any, ...]]:
    """The gold table's rows, in the order of the config's columns."""
    function = load_transform(str(TRANSFORMS), f"gold_{name}")
    assert function is not None
    frame: DataFrame = spark.createDataFrame([tuple(product.values()) for product in silver], SCHEMA)
    return [tuple(row) for row in function({"products": frame}, date(2026, 11, 23)).collect()]


def ingredients_of(product: Product) -> set[tuple[Any, ...]]:
    """What the label says: each place of the lists, else the three texts whole."""
    key, texts = product["product_id"], tuple(product[name] for name in TEXTS)
    if product["substance_names"] is None:
        return {(key, 0, *texts)} if any(text is not None for text in texts) else set()
    each = zip(*[product[name] for name in LISTS], strict=True)
    return {(key, place, *(value or None for value in one)) for place, one in enumerate(each, start=1)}


def class_of(served: str) -> tuple[str, str | None]:
    """Name and type, where the text ends with a type in brackets and has a name in front of it."""
    before, bracket, kind = served.removesuffix("]").rpartition("[")
    name = before.rstrip(" ")
    is_typed = served.endswith("]") and bracket and kind and "]" not in kind and name
    return (name, kind) if is_typed else (served, None)


@examples
@given(some_products)
def test_ingredients_are_those_of_the_lists_and_each_is_silver_s(spark: SparkSession, silver: list[Product]) -> None:
    found = made(spark, "product_ingredient", silver)

    assert Counter(found) == Counter({row for product in silver for row in ingredients_of(product)})
    keys = {product["product_id"] for product in silver}
    told = defaultdict(set)
    for product in silver:
        told[product["product_id"]] |= {product[name] for name in TEXTS}
        told[product["product_id"]] |= {value for name in LISTS for value in product[name] or ()}
    for key, ordinal, *rest in found:
        assert key in keys
        assert 0 <= ordinal <= max(len(product["substance_names"] or ()) for product in silver)
        assert {value for value in rest if value is not None} <= told[key]


@examples
@given(some_products)
def test_a_product_whose_lists_pair_has_as_many_ingredients_as_each_of_them(
    spark: SparkSession, silver: list[Product]
) -> None:
    once = list({product["product_id"]: product for product in silver}.values())
    counted = Counter(key for key, *_ in made(spark, "product_ingredient", once))

    for product in once:
        lengths = {len(product[name]) for name in LISTS if product[name] is not None}
        whole = int(any(product[name] is not None for name in TEXTS))
        assert {counted[product["product_id"]]} == (lengths or {whole})


@examples
@given(some_products)
def test_classes_are_silver_s_split_at_the_last_bracket(spark: SparkSession, silver: list[Product]) -> None:
    found = made(spark, "pharm_class", silver)

    served = {(product["product_id"], one) for product in silver for one in product["pharm_class_names"] or () if one}
    assert Counter(found) == Counter({(key, *class_of(one)) for key, one in served})
    for key, name, kind in found:
        assert name
        assert any(mine == key and name in one and (kind is None or one.endswith(f"[{kind}]")) for mine, one in served)
