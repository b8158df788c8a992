"""Gold of the real release files against plain Python over the same bytes, and counts made with other tools."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pharmaetl import api
from pharmaetl.lake.documents import LogEntry
from pharmaetl.place import Place
from pharmaetl.run_options import EngineName, RunOptions

pytestmark = [pytest.mark.real, pytest.mark.engine]
DIRECTORY = ["ndctext_2019-04-29.zip", "ndctext_2020-06-17_removals.zip", "ndctext_lilly_2025-07-11.zip"]
RXNORM = "RxNorm_full_prescribe_10062025.zip"
ROWS = {
    DIRECTORY[0]: {"product_ingredient": 21451, "pharm_class": 12297},
    DIRECTORY[1]: {"product_ingredient": 14023, "pharm_class": 8460},
    DIRECTORY[2]: {"product_ingredient": 74, "pharm_class": 187},
    RXNORM: {"rxnorm_products": 9606, "ndc_rxcui": 107733},
}
PRODUCT = (
    "name",
    "tty",
    "brand_name",
    "ingredient_rxcui",
    "ingredient_name",
    "multi_ingredient",
    "dose_form",
    "strength",
)


class Gold:
    """What is published of one release file, and the file."""

    def __init__(self, source: Path, place: Place, entry: LogEntry) -> None:
        self.source, self.place, self.entry = source, place, entry

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        files = next(version.files for version in self.entry.gold if version.name == table)
        rows = [row for file in files for row in pq.read_table(self.place.storage.url(file.path)).to_pylist()]
        return [tuple(row[column] for column in columns) for row in rows]

    def lines(self, member: str, encoding: str, separator: str) -> Iterator[list[str]]:
        """The member's lines, cut at the separator."""
        text = zipfile.ZipFile(self.source).read(member).decode(encoding)
        return (line.split(separator) for line in text.replace("\r\n", "\n").split("\n") if line)


def made(source: str, folder: Path, shared_data: Path, engine: EngineName) -> Gold:
    """One release file, run into a lake of its own."""
    place = Place(str(folder), str(Path(__file__).parents[2] / "datasets"))
    dataset = "rxnorm" if source == RXNORM else "cder"
    # their functions are PySpark's
    usable: EngineName = "sail" if engine == "duckdb" else engine
    record = api.run(place, dataset, RunOptions(source=str(shared_data / source), engine=usable))
    entry = api.manifest(place, dataset).current
    assert entry is not None
    assert {table.name: table.rows for table in record.gold} == ROWS[source]
    return Gold(shared_data / source, place, entry)


@pytest.fixture(scope="module", params=DIRECTORY)
def directory(
    request: pytest.FixtureRequest, shared_data: Path, engine_name: EngineName, tmp_path_factory: pytest.TempPathFactory
) -> Gold:
    return made(request.param, tmp_path_factory.mktemp("lake"), shared_data, engine_name)


@pytest.fixture(scope="module")
def rxnorm(shared_data: Path, engine_name: EngineName, tmp_path_factory: pytest.TempPathFactory) -> Gold:
    return made(RXNORM, tmp_path_factory.mktemp("lake"), shared_data, engine_name)


def listed(directory: Gold) -> Iterator[dict[str, str]]:
    header, *lines = directory.lines("product.txt", "cp1252", "\t")
    return (dict(zip(header, line, strict=True)) for line in lines)


def test_every_ingredient_is_the_label_s_with_its_own_strength(directory: Gold) -> None:
    expected = set()
    for row in listed(directory):
        lists = [row[name] for name in ("SUBSTANCENAME", "ACTIVE_NUMERATOR_STRENGTH", "ACTIVE_INGRED_UNIT")]
        each = zip(*[text.split("; ") if text else [] for text in lists], strict=True)
        expected |= {(row["PRODUCTID"], place, *one) for place, one in enumerate(each, start=1)}
    names = ("product_id", "ordinal", "substance_name", "strength", "unit")
    found = directory.rows("product_ingredient", *names)
    assert (len(found), set(found)) == (len(expected), expected)


def test_every_class_is_the_label_s(directory: Gold) -> None:
    expected = {
        (row["PRODUCTID"], name.lstrip(", ").strip(), kind)
        for row in listed(directory)
        for name, kind in re.findall(r"([^\[\]]+?) ?\[([^\]]+)\]", row["PHARM_CLASSES"])
    }
    found = directory.rows("pharm_class", "product_id", "class_name", "class_type")
    assert (len(found), set(found)) == (len(expected), expected)


class Concepts:
    """RxNorm's concepts and relations, looked up one by one."""

    def __init__(self, rxnorm: Gold) -> None:
        self.all = {row[0]: (row[12], row[14]) for row in rxnorm.lines("rrf/RXNCONSO.RRF", "utf-8", "|")}
        self.related: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in rxnorm.lines("rrf/RXNREL.RRF", "utf-8", "|"):
            self.related[row[7], row[4]].add(row[0])
        self.combinations = {name: rxcui for rxcui, (tty, name) in self.all.items() if tty == "MIN"}

    def name(self, rxcui: str) -> str:
        return self.all[rxcui][1]

    def in_order(self, bare_name: str, drug: str) -> list[str]:
        """The components' names as they stand in the product's, or none where they are not all that it says."""
        generic = next(iter(self.related["tradename_of", drug]), drug)
        names = sorted(map(self.name, self.related["consists_of", generic]), key=bare_name.find)
        pieces = bare_name.split(" / ")
        fits = len(names) == len(pieces) and " / ".join(names) in bare_name
        return names if fits else []

    def ingredients(self, drug: str) -> set[str]:
        """The drug's ingredients, or none where one isn't known."""
        generic = next(iter(self.related["tradename_of", drug]), drug)
        found: set[str] = set()
        for component in self.related["consists_of", generic]:
            own = {rxcui for rxcui in self.related["has_ingredient", component] if self.all[rxcui][0] == "IN"}
            if not own:
                return set()
            found |= own
        return found if self.in_order(re.sub(r" \[[^\]]+\]$", "", self.name(drug)), drug) else set()

    def drug(self, rxcui: str) -> tuple[Any, ...]:
        tty, name = self.all[rxcui]
        bare = re.sub(r" \[[^\]]+\]$", "", name)
        brand = name[len(bare) + 2 : -1] or None
        components, made_of = self.in_order(bare, rxcui), self.ingredients(rxcui)
        joined = " / ".join(components)
        form = bare.partition(joined)[2].strip() or None if components else None
        strength = " ".join(joined.split(" ")[-2:]) if len(components) == 1 else joined or None
        return (name, tty, brand, *self.said(made_of), len(made_of) > 1 if made_of else " / " in bare, form, strength)

    def pack(self, rxcui: str) -> tuple[Any, ...]:
        tty, name = self.all[rxcui]
        found = re.fullmatch(r"\{(.*)\} (.*?)(?: \[([^\]]+)\])?", name)
        assert found is not None
        groups = [group for group in re.findall(r"[0-9] \((\w+)", found[1]) if group != "inert"]
        inside = [self.ingredients(drug) for drug in self.related["contains", rxcui]]
        made_of = set().union(*inside) if all(inside) and len(inside) == len(groups) else set()
        return (name, tty, found[3], *self.said(made_of), len(made_of) > 1 if made_of else None, found[2], None)

    def said(self, ingredients: set[str]) -> tuple[str | None, str | None]:
        """The concept for these ingredients, and its name."""
        name = " / ".join(sorted(map(self.name, ingredients))) or None
        return next(iter(ingredients)) if len(ingredients) == 1 else self.combinations.get(name or ""), name


def test_every_rxnorm_product_is_what_its_relations_say(rxnorm: Gold) -> None:
    known = Concepts(rxnorm)
    expected = {}
    for rxcui, (tty, _) in known.all.items():
        if tty in {"SCD", "SBD"}:
            expected[rxcui] = known.drug(rxcui)
        elif tty in {"GPCK", "BPCK"}:
            expected[rxcui] = known.pack(rxcui)
    found = {rxcui: tuple(row) for rxcui, *row in rxnorm.rows("rxnorm_products", "rxcui", *PRODUCT)}
    assert len(found) == len(expected) == 9606
    assert {rxcui: row for rxcui, row in found.items() if row != expected[rxcui]} == {}


def test_how_much_is_known_of_rxnorm_products_was_counted_with_sql_over_the_raw_text(rxnorm: Gold) -> None:
    rows = rxnorm.rows("rxnorm_products", *PRODUCT)
    filled = {name: sum(row[place] is not None for row in rows) for place, name in enumerate(PRODUCT)}
    assert filled == {
        "name": 9606, "tty": 9606, "brand_name": 3808, "ingredient_rxcui": 6534, "ingredient_name": 6608,
        "multi_ingredient": 9451, "dose_form": 8336, "strength": 7808,
    }  # fmt: skip


def test_every_ndc_stands_for_its_concept(rxnorm: Gold) -> None:
    known = Concepts(rxnorm)
    expected = {
        (row[10], row[0], *known.all[row[0]], "RXNORM", "N", True, date(2025, 10, 6), 1, True)
        for row in rxnorm.lines("rrf/RXNSAT.RRF", "utf-8", "|")
    }
    names = ("ndc11", "rxcui", "tty", "name", "sab", "suppress", "is_prescribable", "rxnorm_release", "candidate_count",
             "is_primary")  # fmt: skip
    found = rxnorm.rows("ndc_rxcui", *names)
    assert (len(found), set(found)) == (107733, expected)
