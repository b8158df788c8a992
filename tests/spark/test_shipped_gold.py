"""The shipped gold functions on rows that the release files at hand lack: suppressed, contradictory, incomplete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from pharmaetl.run_options import EngineName
from pharmaetl.spark.transforms import load_transform

pytestmark = pytest.mark.engine
DATASETS = Path(__file__).parents[2] / "datasets"
AS_OF, RELEASED = date(2026, 11, 23), date(2026, 11, 2)
CONSO = "rxcui string, rxaui string, sab string, tty string, str string, suppress string, cvf string"
REL = "rxcui1 string, rela string, rxcui2 string, sab string, suppress string"
SAT = "rxcui string, atn string, sab string, atv string, suppress string"


@pytest.fixture(autouse=True)
def pyspark_only(engine_name: EngineName) -> None:
    """Gold functions are written in PySpark, so that DuckDB is never asked to run them."""
    if engine_name == "duckdb":
        pytest.skip("runs on a Spark session")


def made(dataset: str, name: str, tables: Mapping[str, DataFrame], **more: Any) -> list[dict[str, Any]]:
    """What a shipped gold function gives, sorted."""
    function = load_transform(str(DATASETS / dataset / "transforms.py"), f"gold_{name}")
    assert function is not None
    rows = [row.asDict() for row in function(tables, AS_OF, **more).collect()]
    return sorted(rows, key=lambda row: str(list(row.values())))


def conso(spark: SparkSession, *rows: tuple[str, str, str], **changed: dict[str, str | None]) -> DataFrame:
    """Atoms by rxcui, type and name; active, prescribable and RxNorm's own, unless `changed` says otherwise."""
    usual: dict[str, str | None] = {"sab": "RXNORM", "suppress": "N", "cvf": "4096"}
    full = [usual | changed.get(f"c{rxcui}", {}) for rxcui, _, _ in rows]
    atoms = [
        (rxcui, f"a{number}", more["sab"], tty, name, more["suppress"], more["cvf"])
        for number, ((rxcui, tty, name), more) in enumerate(zip(rows, full, strict=True))
    ]
    return spark.createDataFrame(atoms, CONSO)


def rel(
    spark: SparkSession, *links: tuple[str, str, str], sab: str = "RXNORM", suppress: str | None = "N"
) -> DataFrame:
    """Relations as they are read: the first one, what it is to the last one."""
    rows = [(target, rela, source, sab, suppress) for source, rela, target in links]
    return spark.createDataFrame(rows, REL)


def products(spark: SparkSession, atoms: DataFrame, links: DataFrame) -> dict[str, dict[str, Any]]:
    found = made("nlm/rxnorm", "rxnorm_products", {"rxnconso": atoms, "rxnrel": links})
    assert len({row["rxcui"] for row in found}) == len(found)
    return {row["rxcui"]: row for row in found}


def some(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


CAPTOZIDE = (
    ("1", "SCD", "captopril 25 MG / hydrochlorothiazide 15 MG Oral Tablet"),
    ("2", "SBD", "captopril 25 MG / hydrochlorothiazide 15 MG Oral Tablet [Capozide]"),
    ("11", "SCDC", "captopril 25 MG"), ("12", "SCDC", "hydrochlorothiazide 15 MG"),
    ("21", "IN", "captopril"), ("22", "IN", "hydrochlorothiazide"), ("23", "MIN", "captopril / hydrochlorothiazide"),
    ("24", "MIN", "fexofenadine / hydrochlorothiazide"), ("31", "BN", "Capozide"),
    ("41", "DF", "Oral Tablet (from DF)"),
)  # fmt: skip
LINKS = (
    ("1", "consists_of", "11"), ("1", "consists_of", "12"), ("11", "has_ingredient", "21"),
    ("12", "has_ingredient", "22"), ("12", "has_ingredient", "24"), ("2", "tradename_of", "1"),
    ("2", "has_ingredient", "31"), ("1", "has_dose_form", "41"),
)  # fmt: skip
COLUMNS = ("brand_name", "ingredient_rxcui", "ingredient_name", "multi_ingredient", "dose_form", "strength")
BOTH = "captopril 25 MG / hydrochlorothiazide 15 MG"


def test_a_brand_is_described_by_what_is_linked_to_its_generic(spark: SparkSession) -> None:
    found = products(spark, conso(spark, *CAPTOZIDE), rel(spark, *LINKS))

    expected = ("23", "captopril / hydrochlorothiazide", True, "Oral Tablet (from DF)", BOTH)
    assert some(found["1"], *COLUMNS) == (None, *expected)
    assert some(found["2"], *COLUMNS) == ("Capozide", *expected)
    assert set(found) == {"1", "2"}


def test_the_combination_that_the_release_links_itself_is_taken(spark: SparkSession) -> None:
    atoms = conso(spark, *CAPTOZIDE, ("25", "MIN", "captopril / HCTZ"))
    found = products(spark, atoms, rel(spark, *LINKS, ("1", "has_ingredients", "25")))

    assert some(found["2"], "ingredient_rxcui", "ingredient_name") == ("25", "captopril / HCTZ")


def test_of_a_drug_whose_components_are_not_all_linked_nothing_is_said_by_halves(spark: SparkSession) -> None:
    links = [link for link in LINKS if link[2] not in {"11", "41"}]
    found = products(spark, conso(spark, *CAPTOZIDE), rel(spark, *links))

    assert some(found["1"], *COLUMNS) == (None, None, None, True, None, None)


def test_a_suppressed_link_component_or_product_is_none(spark: SparkSession) -> None:
    suppressed = {"suppress": "O"}
    for rxcui in ("11", "1"):
        found = products(spark, conso(spark, *CAPTOZIDE, **{f"c{rxcui}": suppressed}), rel(spark, *LINKS))
        assert some(found["2"], "ingredient_name", "strength") == (None, None)
        assert ("1" in found) == (rxcui == "11")
    links = rel(spark, *LINKS[1:]).union(rel(spark, LINKS[0], suppress="O")).union(rel(spark, LINKS[0], sab="VANDF"))
    assert products(spark, conso(spark, *CAPTOZIDE), links)["1"]["strength"] is None


def test_a_component_without_an_ingredient_leaves_the_ingredients_open_and_the_strength_not(
    spark: SparkSession,
) -> None:
    links = [link for link in LINKS if link != ("11", "has_ingredient", "21")]
    found = products(spark, conso(spark, *CAPTOZIDE), rel(spark, *links))

    assert some(found["1"], "ingredient_rxcui", "ingredient_name", "multi_ingredient", "strength") == (
        None, None, True, BOTH,
    )  # fmt: skip


def test_a_drug_of_one_component_has_the_bare_strength_and_the_form_of_its_name(spark: SparkSession) -> None:
    atoms = conso(
        spark, ("1", "SCD", "12 HR hydrogen peroxide 0.5 MG/ML Topical Solution"),
        ("2", "SCDC", "hydrogen peroxide 0.5 MG/ML"), ("3", "IN", "hydrogen peroxide"), c1={"cvf": None},
    )  # fmt: skip
    links = rel(spark, ("1", "consists_of", "2"), ("2", "has_ingredient", "3"), suppress=None)

    (found,) = products(spark, atoms, links).values()

    assert some(found, *COLUMNS) == (None, "3", "hydrogen peroxide", False, "Topical Solution", "0.5 MG/ML")
    assert found["is_prescribable"] is False


PACK = "{21 (captopril 25 MG / hydrochlorothiazide 15 MG Oral Tablet) / 7 (inert ingredients 1 MG Oral Tablet) } Pack"


def test_a_pack_has_the_active_ingredients_of_its_drugs(spark: SparkSession) -> None:
    atoms = conso(
        spark, *CAPTOZIDE, ("5", "GPCK", PACK), ("6", "BPCK", f"{PACK} [Cap 28]"),
        ("7", "SCD", "inert ingredients 1 MG Oral Tablet"), ("17", "SCDC", "inert ingredients 1 MG"),
        ("27", "IN", "Inert Ingredients"),
    )  # fmt: skip
    inert = (("7", "consists_of", "17"), ("17", "has_ingredient", "27"), ("6", "contains", "7"), ("6", "contains", "2"))
    found = products(spark, atoms, rel(spark, *LINKS, *inert, ("5", "contains", "1")))

    expected = ("23", "captopril / hydrochlorothiazide", True, "Pack", None)
    assert some(found["5"], *COLUMNS) == (None, *expected)
    assert some(found["6"], *COLUMNS) == ("Cap 28", *expected)
    assert some(found["7"], "ingredient_name", "strength") == ("Inert Ingredients", "1 MG")


def test_of_a_pack_whose_contents_are_not_all_known_no_ingredient_is_said(spark: SparkSession) -> None:
    name = "{4 (captopril 25 MG / hydrochlorothiazide 15 MG Oral Tablet) / 4 (biotin 5 MG Oral Tablet) } Pack"
    atoms = conso(spark, *CAPTOZIDE, ("5", "GPCK", name))
    found = products(spark, atoms, rel(spark, *LINKS, ("5", "contains", "1")))

    assert some(found["5"], *COLUMNS) == (None, None, None, None, "Pack", None)


def mapping(spark: SparkSession, atoms: DataFrame, codes: Sequence[tuple[str, str, str, str]]) -> list[dict[str, Any]]:
    """The NDC mapping of codes: rxcui, vocabulary, code, flag."""
    rows = [(rxcui, "NDC", sab, code, flag) for rxcui, sab, code, flag in codes]
    other = ("1", "RXN_STRENGTH", "RXNORM", "00002143601", "N")
    tables = {"rxnconso": atoms, "rxnsat": spark.createDataFrame([*rows, other], SAT)}
    return made("nlm/rxnorm", "ndc_rxcui", tables, released=RELEASED)


DRUGS = (("1", "SCD", "a 1 MG Oral Tablet"), ("2", "SBD", "a 1 MG Oral Tablet [A]"), ("10", "GPCK", "{7 (a) } Pack"))
CODE = "00002143601"


def test_a_code_in_any_form_is_one_row_for_each_concept(spark: SparkSession) -> None:
    codes = [
        ("1", "MTHSPL", "0002-1436-01", "N"), ("1", "VANDF", "000002143601", "N"), ("1", "RXNORM", CODE, "N"),
        ("1", "MTHSPL", "0002143601", "N"), ("1", "MTHSPL", "si-lly-te-st", "N"), ("1", "VANDF", "500002143601", "N"),
    ]  # fmt: skip
    (row,) = mapping(spark, conso(spark, *DRUGS), codes)

    assert row == {
        "ndc11": CODE, "rxcui": "1", "tty": "SCD", "name": "a 1 MG Oral Tablet", "sab": "RXNORM", "suppress": "N",
        "is_prescribable": True, "rxnorm_release": RELEASED, "candidate_count": 1, "is_primary": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("codes", "changed", "primary"),
    [
        ([("1", "RXNORM", "N"), ("2", "RXNORM", "N")], {}, "2"),
        ([("1", "RXNORM", "N"), ("2", "RXNORM", "N"), ("10", "RXNORM", "N")], {}, "10"),
        ([("1", "RXNORM", "N"), ("2", "RXNORM", "O")], {}, "1"),
        ([("1", "RXNORM", "N"), ("2", "RXNORM", "N")], {"c2": {"suppress": "O"}}, "1"),
        ([("1", "RXNORM", "N"), ("2", "MTHSPL", "N")], {}, "1"),
        ([("1", "MTHSPL", "N"), ("2", "RXNORM", "E")], {}, "1"),
        ([("1", "RXNORM", "N"), ("2", "RXNORM", "N")], {"c2": {"cvf": None}}, "1"),
        ([("99", "RXNORM", "N"), ("1", "RXNORM", "N")], {}, "1"),
        ([("9", "RXNORM", "N"), ("10000", "RXNORM", "N")], {}, "9"),
    ],
)
def test_of_several_concepts_the_most_certain_and_most_specific_one_is_primary(
    spark: SparkSession, codes: list[tuple[str, str, str]], changed: dict[str, dict[str, str | None]], primary: str
) -> None:
    given = [(rxcui, sab, CODE, flag) for rxcui, sab, flag in codes]
    found = mapping(spark, conso(spark, *DRUGS, **changed), given)

    assert [row["rxcui"] for row in found if row["is_primary"]] == [primary]
    assert {row["candidate_count"] for row in found} == {len(codes)}


def test_a_mapping_is_active_only_where_code_and_concept_are(spark: SparkSession) -> None:
    codes = [
        ("1", "RXNORM", CODE, "N"),
        ("2", "RXNORM", CODE, "N"),
        ("10", "RXNORM", CODE, "E"),
        ("99", "RXNORM", CODE, "N"),
    ]
    found = mapping(spark, conso(spark, *DRUGS, c2={"suppress": "O"}), codes)

    assert [some(row, "rxcui", "suppress", "name") for row in found] == [
        ("1", "N", "a 1 MG Oral Tablet"), ("10", "E", "{7 (a) } Pack"), ("2", "O", "a 1 MG Oral Tablet [A]"),
        ("99", "N", None),
    ]  # fmt: skip


def test_an_active_statement_hides_a_suppressed_one_of_the_same_pair(spark: SparkSession) -> None:
    (row,) = mapping(spark, conso(spark, *DRUGS), [("1", "RXNORM", CODE, "O"), ("1", "MTHSPL", CODE, "N")])

    assert some(row, "sab", "suppress", "is_primary") == ("MTHSPL", "N", True)


def test_a_concept_is_called_as_rxnorm_calls_it_and_not_by_a_synonym(spark: SparkSession) -> None:
    atoms = conso(spark, ("1", "PSN", "A tablet"), ("1", "SY", "a tab"), ("1", "SCD", "a 1 MG Oral Tablet"))
    sources = conso(spark, ("1", "SBD", "of a source"), c1={"sab": "MTHSPL"})
    (row,) = mapping(spark, atoms.union(sources), [("1", "RXNORM", CODE, "N")])

    assert some(row, "tty", "name") == ("SCD", "a 1 MG Oral Tablet")


PRODUCTS = (
    "product_id string, substance_name string, active_numerator_strength string, active_ingred_unit string,"
    " substance_names array<string>, active_numerator_strengths array<string>, active_ingred_units array<string>,"
    " pharm_class_names array<string>"
)


def directory(spark: SparkSession, *rows: tuple[Any, ...]) -> Mapping[str, DataFrame]:
    return {"products": spark.createDataFrame(list(rows), PRODUCTS)}


def test_the_ingredients_of_a_label_keep_their_order_and_their_strengths(spark: SparkSession) -> None:
    tables = directory(
        spark,
        ("p1", "B; A", "2; 1", "mg/1; g/1", ["B", "A"], ["2", "1"], ["mg/1", "g/1"], None),
        ("p2", None, None, None, None, None, None, None),
        ("p3", "ZINC; ZINC", "1; .5", "g/1; ", ["ZINC", "ZINC"], ["1", ".5"], ["g/1", ""], None),
    )
    assert [tuple(row.values()) for row in made("fda/cder", "product_ingredient", tables)] == [
        ("p1", 1, "B", "2", "mg/1"), ("p1", 2, "A", "1", "g/1"), ("p3", 1, "ZINC", "1", "g/1"),
        ("p3", 2, "ZINC", ".5", None),
    ]  # fmt: skip


def test_lists_that_differ_in_length_are_never_paired(spark: SparkSession) -> None:
    bead = "POLY(METHYL METHACRYLATE; 450000 MW)"
    tables = directory(
        spark,
        ("p1", bead, "1", "g/1", None, None, None, None),
        ("p2", "A; B", None, None, None, None, None, None),
        ("p2", "A; B", None, None, None, None, None, None),
    )
    assert [tuple(row.values()) for row in made("fda/cder", "product_ingredient", tables)] == [
        ("p1", 0, bead, "1", "g/1"), ("p2", 0, "A; B", None, None),
    ]  # fmt: skip


def test_classes_are_split_into_name_and_type_and_repeated_once(spark: SparkSession) -> None:
    classes = ["Insulin [CS]", "Insulin [EPC]", "Insulin [CS]", "Cut off [EP", "Cell Wall [PE]", "A [x] B [MoA]", ""]
    tables = directory(spark, ("p1", *[None] * 6, classes), ("p2", *[None] * 6, None), ("p3", *[None] * 6, []))

    assert [tuple(row.values()) for row in made("fda/cder", "pharm_class", tables)] == [
        ("p1", "A [x] B", "MoA"), ("p1", "Cell Wall", "PE"), ("p1", "Cut off [EP", None), ("p1", "Insulin", "CS"),
        ("p1", "Insulin", "EPC"),
    ]  # fmt: skip
