"""Gold tables of the NDC directory: what products are made of, and to which pharmacologic classes they belong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

CLASS = r"(?s)^(.*[^ ]) *\[([^\[\]]+)\]\z"
"""`Corticosteroid [EPC]`. Without (?s) and \\z Java stops at line ends that other engines don't know as such."""


def gold_product_ingredient(tables: Mapping[str, DataFrame], _as_of: date) -> DataFrame:
    """One row for each active ingredient, in the order of the label.

    Where the lists of substances, strengths and units differ in length, nothing says which belong together: such a
    product has one row with ordinal 0, and the three texts as served.
    """
    products = tables["products"]
    split = products.select(
        "product_id",
        F.posexplode(F.arrays_zip("substance_names", "active_numerator_strengths", "active_ingred_units")).alias(
            "at", "one"
        ),
    ).select(
        "product_id",
        (F.col("at") + F.lit(1)).alias("ordinal"),
        _filled(F.col("one.substance_names")).alias("substance_name"),
        _filled(F.col("one.active_numerator_strengths")).alias("strength"),
        _filled(F.col("one.active_ingred_units")).alias("unit"),
    )
    served = ("substance_name", "active_numerator_strength", "active_ingred_unit")
    some = F.coalesce(*served).isNotNull()
    whole = products.where(F.col("substance_names").isNull() & some).select(
        "product_id",
        F.lit(0).alias("ordinal"),
        *[F.col(name).alias(to) for name, to in zip(served, ("substance_name", "strength", "unit"), strict=True)],
    )
    return split.unionByName(whole).distinct()


def gold_pharm_class(tables: Mapping[str, DataFrame], _as_of: date) -> DataFrame:
    """One row for each class of a product, its type (EPC, MoA, PE, CS …) beside it; null where none stands there."""
    each = tables["products"].select("product_id", F.explode("pharm_class_names").alias("served"))
    kind = _filled(F.regexp_extract("served", CLASS, 2))
    name = F.when(kind.isNotNull(), F.regexp_extract("served", CLASS, 1)).otherwise(F.col("served"))
    return (
        each.where("served != ''").select("product_id", name.alias("class_name"), kind.alias("class_type")).distinct()
    )


def _filled(text: Column) -> Column:
    return F.when(text != "", text)
