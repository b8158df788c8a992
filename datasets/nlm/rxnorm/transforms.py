"""Gold tables of RxNorm: the drugs and packs, and the concepts that an NDC stands for.

A row of RXNREL reads "rxcui2 rela rxcui1": with consists_of, rxcui1 is a component of rxcui2. SUPPRESS N is active,
O is obsolete, E and Y are suppressed by hand. CVF 4096 marks the prescribable edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pharmaetl.spark.ndc import ndc11

DRUGS, PACKS = ("SCD", "SBD"), ("GPCK", "BPCK")
MOST_SPECIFIC_FIRST = ("BPCK", "GPCK", "SBD", "SCD")
"""A pack before what is in it, a brand before what it is a brand of."""
INERT = "inert ingredients"
"""The ingredient of the tablets in a pack that hold none."""
BETWEEN = " / "
"""Between the components of a name. Each ends with its strength: `captopril 25 MG / hydrochlorothiazide 15 MG`."""
BRAND = r" \[([^\[\]]+)\]\z"
RELATIONS = ("tradename_of", "consists_of", "has_ingredient", "has_ingredients", "has_dose_form", "contains")


def gold_rxnorm_products(tables: Mapping[str, DataFrame], _as_of: date) -> DataFrame:
    """Active clinical and branded drugs and packs. What the release doesn't link whole is null, never half."""
    names = _active(tables["rxnconso"])
    links = _links(tables["rxnrel"], names)
    products = _described(names, links)
    rows = products.join(_in_packs(products, links), "rxcui", "left")
    rows = rows.withColumn("made_of", F.coalesce("in_pack", "in_drug"))
    rows = rows.withColumn("made_of_names", F.concat_ws(BETWEEN, F.transform("made_of", lambda one: one["name"])))
    combinations = names.where("tty = 'MIN'").groupBy(F.col("name").alias("made_of_names"))
    rows = rows.join(combinations.agg(F.min("rxcui").alias("several")), "made_of_names", "left")
    number = F.when(F.col("made_of").isNotNull(), F.size("made_of"))
    ingredient_rxcui = F.when(number == 1, F.col("made_of")[0]["rxcui"]).otherwise(F.col("several"))
    is_combination = F.when(F.col("combination").isNotNull(), F.lit(True))
    names_several = F.when(F.col("tty").isin(*DRUGS), F.col("bare_name").contains(BETWEEN))
    return rows.select(
        "rxcui",
        "name",
        "tty",
        F.coalesce("brand", _filled(F.regexp_extract("name", BRAND, 1))).alias("brand_name"),
        F.coalesce("combination_rxcui", ingredient_rxcui).alias("ingredient_rxcui"),
        F.coalesce("combination", _filled(F.col("made_of_names"))).alias("ingredient_name"),
        F.coalesce(is_combination, number > 1, names_several).alias("multi_ingredient"),
        F.coalesce("form", _form_in_name()).alias("dose_form"),
        _strength().alias("strength"),
        "is_prescribable",
    )


def _active(conso: DataFrame) -> DataFrame:
    """RxNorm's own names of its active concepts: rxcui, tty, name, is_prescribable."""
    kinds = (*DRUGS, *PACKS, "SCDC", "IN", "MIN", "BN", "DF")
    own = conso.where((F.col("sab") == "RXNORM") & F.col("tty").isin(*kinds) & (_flag() == "N"))
    first = F.row_number().over(Window.partitionBy("rxcui").orderBy("tty", "str", "rxaui"))
    one = own.withColumn("place", first).where("place = 1")
    return one.select("rxcui", "tty", F.col("str").alias("name"), _is_prescribable())


def _flag() -> Column:
    """Whether a row is suppressed; one that doesn't say so is active."""
    return F.coalesce("suppress", F.lit("N"))


def _is_prescribable() -> Column:
    return F.coalesce(F.col("cvf") == "4096", F.lit(False)).alias("is_prescribable")


def _links(relations: DataFrame, names: DataFrame) -> DataFrame:
    """RxNorm's active relations to active concepts: `source` rela `target`, with the target's type and name."""
    own = relations.where((F.col("sab") == "RXNORM") & F.col("rela").isin(*RELATIONS) & (_flag() == "N"))
    own = own.select(F.col("rxcui2").alias("source"), "rela", F.col("rxcui1").alias("target")).distinct()
    targets = names.select(
        F.col("rxcui").alias("target"), F.col("tty").alias("type"), F.col("name").alias("target_name")
    )
    return own.join(targets, "target")


def _described(names: DataFrame, links: DataFrame) -> DataFrame:
    """Drugs and packs, and what is said of them or of their generics: brand, form, combination with its rxcui.

    Of drugs also content, their components' names, where these are all that the product's own name says; and in_drug,
    their ingredients, where each of these components has one. bare_name is the name without the brand.
    """
    bare = F.regexp_replace("name", BRAND, "").alias("bare_name")
    products = names.where(F.col("tty").isin(*DRUGS, *PACKS)).select("*", bare)
    combination = _where("has_ingredients", "MIN", "target_name")
    found = (
        _said(products, links)
        .groupBy("rxcui", "bare_name")
        .agg(
            F.min(_where("has_ingredient", "BN", "target_name")).alias("brand"),
            F.min(_where("has_dose_form", "DF", "target_name")).alias("form"),
            F.min(combination).alias("combination"),
            F.min_by(_where("has_ingredients", "MIN", "target"), combination).alias("combination_rxcui"),
            _each(_where("consists_of", "SCDC", F.struct("place", "target_name"))).alias("components"),
            _each(_where("consists_of", "SCDC", F.struct("in_name", "in_rxcui"))).alias("made_of"),
        )
    )
    content = F.concat_ws(BETWEEN, F.transform("components", lambda one: one["target_name"]))
    said = found.select("*", _filled(content).alias("content"))
    is_whole = F.col("bare_name").contains(F.col("content")) & (_parts("bare_name") == _parts("content"))
    has_gaps = F.exists("made_of", lambda one: one["in_rxcui"].isNull())
    in_drug = F.transform("made_of", lambda one: F.struct(one["in_name"].alias("name"), one["in_rxcui"].alias("rxcui")))
    whole = said.select(
        "rxcui",
        "brand",
        "form",
        "combination",
        "combination_rxcui",
        F.when(is_whole, F.col("content")).alias("content"),
        F.when(is_whole & ~has_gaps, in_drug).alias("in_drug"),
    )
    return products.join(whole, "rxcui", "left")


def _said(products: DataFrame, links: DataFrame) -> DataFrame:
    """What is linked to products or their generics, the place of its name in the product's, and its ingredient."""
    own = products.select("rxcui", "bare_name", F.col("rxcui").alias("source"))
    generics = links.where("rela = 'tradename_of'").select(
        F.col("source").alias("rxcui"), F.col("target").alias("source")
    )
    holders = own.unionByName(own.drop("source").join(generics, "rxcui"))
    ingredients = links.where("rela = 'has_ingredient' and type = 'IN'").select(
        F.col("source").alias("target"), F.col("target").alias("in_rxcui"), F.col("target_name").alias("in_name")
    )
    place = F.expr("instr(bare_name, target_name)").alias("place")
    return holders.join(links, "source").select("*", place).join(ingredients, "target", "left")


def _where(rela: str, kind: str, value: Column | str) -> Column:
    """A value of the links of one kind, to be aggregated."""
    of_kind = (F.col("rela") == rela) & (F.col("type") == kind)
    return F.when(of_kind, F.col(value) if isinstance(value, str) else value)


def _each(values: Column) -> Column:
    """All different values, in order."""
    return F.sort_array(F.collect_set(values))


def _parts(name: str) -> Column:
    return F.size(F.split(name, BETWEEN))


def _in_packs(products: DataFrame, links: DataFrame) -> DataFrame:
    """The ingredients of packs, where the drugs of all groups in `{21 (drug) / 7 (drug) } Pack` are known."""
    groups = [F.size(F.split("name", r"[0-9] \(" + first)) for first in ("", "[Ii]nert ingredients ")]
    packs = products.where(F.col("tty").isin(*PACKS)).select("rxcui", (groups[0] - groups[1]).alias("active_groups"))
    contents = links.where("rela = 'contains'").select(F.col("source").alias("rxcui"), F.col("target").alias("item"))
    of_items = products.select(F.col("rxcui").alias("item"), F.explode("in_drug").alias("ingredient"))
    inside = packs.join(contents, "rxcui").join(of_items, "item").where(F.lower("ingredient.name") != INERT)
    found = inside.groupBy("rxcui", "active_groups").agg(
        F.countDistinct("item").alias("items"), _each(F.col("ingredient")).alias("in_pack")
    )
    return found.where("items = active_groups").select("rxcui", "in_pack")


def _strength() -> Column:
    """Of one component its strength; of several each with its name, so that none is read for another's."""
    alone = _filled(F.regexp_extract("content", r" ([0-9][0-9.]* [^ ]+)\z", 1))
    return F.when(_parts("content") == 1, F.coalesce(alone, F.col("content"))).otherwise(F.col("content"))


def _form_in_name() -> Column:
    """The dose form as the name ends with it, for releases that hold no dose forms."""
    after = F.expr("substring(bare_name, instr(bare_name, content) + length(content) + 1, length(bare_name))")
    after = F.when(F.col("content").isNotNull(), after)  # Sail takes a place that is null for the first
    in_pack = F.when(F.col("tty").isin(*PACKS), F.regexp_extract("bare_name", r"(?s)\} (.+)\z", 1))
    return _filled(F.coalesce(after, in_pack))


def _filled(text: Column) -> Column:
    return F.when(text != "", text)


def gold_ndc_rxcui(tables: Mapping[str, DataFrame], _as_of: date, released: date | None) -> DataFrame:
    """Every NDC with each concept that any vocabulary gives it; of each NDC, one concept is primary."""
    given = (
        tables["rxnsat"]
        .where(F.col("atn") == "NDC")
        .select(ndc11(F.col("atv")).alias("ndc11"), "rxcui", "sab", _flag().alias("flag"))
    )
    pairs = given.where(F.col("ndc11").isNotNull() & F.col("rxcui").isNotNull())
    best = Window.partitionBy("ndc11", "rxcui").orderBy(_first("flag", "N"), _first("sab", "RXNORM"), "sab", "flag")
    pairs = pairs.withColumn("place", F.row_number().over(best)).where("place = 1")
    rows = pairs.join(_concepts(tables["rxnconso"]), "rxcui", "left")
    rows = rows.withColumn(
        "suppress", F.when(F.col("flag") != "N", F.col("flag")).otherwise(F.coalesce("concept_flag", "flag"))
    )
    primary = Window.partitionBy("ndc11").orderBy(
        _first("suppress", "N"), _first("sab", "RXNORM"), F.col("is_prescribable").desc_nulls_last(), _rank(),
        F.length("rxcui"), "rxcui",
    )  # fmt: skip
    rows = rows.withColumn("is_primary", F.row_number().over(primary) == 1)
    # in this order all rows of an NDC are equal, so that each is counted with all. Sail keeps every row of the table in
    # memory for a window without an order
    all_of_it = Window.partitionBy("ndc11").orderBy("ndc11")
    return rows.select(
        "ndc11",
        "rxcui",
        "tty",
        "name",
        "sab",
        "suppress",
        "is_prescribable",
        F.lit(released.isoformat() if released else None).cast("date").alias("rxnorm_release"),
        F.count("rxcui").over(all_of_it).alias("candidate_count"),
        "is_primary",
    )


def _concepts(conso: DataFrame) -> DataFrame:
    """One name for each concept, RxNorm's own where it has one: rxcui, tty, name, concept_flag, is_prescribable."""
    order = Window.partitionBy("rxcui").orderBy(
        _first("sab", "RXNORM"), F.when(_flag() == "N", 0).otherwise(1), _rank(), "tty", "str", "rxaui"
    )
    one = conso.withColumn("place", F.row_number().over(order)).where("place = 1")
    return one.select("rxcui", "tty", F.col("str").alias("name"), _flag().alias("concept_flag"), _is_prescribable())


def _first(column: str, value: str) -> Column:
    """Sorts rows with a value before others."""
    return F.when(F.col(column) == value, 0).otherwise(1)


def _rank() -> Column:
    """Sorts the types of products by MOST_SPECIFIC_FIRST, other types behind."""
    rank = F.lit(len(MOST_SPECIFIC_FIRST))
    for place, tty in enumerate(MOST_SPECIFIC_FIRST):
        rank = F.when(F.col("tty") == tty, F.lit(place)).otherwise(rank)
    return rank
