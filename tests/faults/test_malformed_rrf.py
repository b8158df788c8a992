"""Malformed input, M77 to M85: RxNorm's RRF files."""

from __future__ import annotations

import pytest
from faults.malformed import LakeUnderTest, attribute, concept, relation, rxnorm_release

from pharmaetl import api

pytestmark = pytest.mark.engine


def test_m77_to_m81_each_bad_row_is_refused_with_its_rule_and_line(lake: LakeUnderTest) -> None:
    rows = [
        concept(50)[:-1],
        concept(51) + "|",
        concept(52).replace("|ENG|", "|"),
        concept(53, name='"5-FU'),
        concept(54, name="ends in \\"),
        concept(55).replace("1055|", "|", 1),
        concept(56, name='"all" of it "'),
        concept(57),
    ]
    found = lake.publishes(
        rxnorm_release(lake.folder / "rxnorm.zip", concepts=rows), dataset="rxnorm", table="rxnconso"
    )
    assert found.refused == [
        (31, "missing_trailing_delimiter"),
        (32, "field_count"),
        (33, "field_count"),
        (36, "IsComplete"),
    ]
    names = {row["rxaui"]: row["str"] for row in found.rows}
    assert [names[number] for number in ("53", "54", "56", "57")] == [
        '"5-FU',
        "ends in \\",
        '"all" of it "',
        "Concept 57",
    ]


@pytest.mark.parametrize("member", ["RXNCONSO", "RXNREL", "RXNSAT"])
def test_m82_a_release_without_one_of_its_files_is_refused(member: str, lake: LakeUnderTest) -> None:
    source = rxnorm_release(lake.folder / "rxnorm.zip", leave_out=f"rrf/{member}.RRF")
    lake.refuses(
        source,
        dataset="rxnorm",
        says=rf"^rxnorm\.zip: no member rrf/{member}\.RRF for table {member.lower()}; there is ",
    )


def test_m83_the_release_date_is_read_from_the_release_and_not_from_what_the_file_is_called(
    lake: LakeUnderTest,
) -> None:
    source = rxnorm_release(
        lake.folder / "RxNorm_full_prescribe_01052026.zip",
        concepts=[concept(50)],
        readme="Readme_Full_Prescribe_11032025.txt",
    )
    lake.publishes(source, dataset="rxnorm", table="rxnconso")
    current = api.manifest(lake.place, "rxnorm").current
    assert current is not None
    assert current.source.release_date == "2025-11-03"


def test_m84_rows_about_unknown_concepts_are_published_and_counted(lake: LakeUnderTest) -> None:
    source = rxnorm_release(
        lake.folder / "rxnorm.zip",
        relations=[relation(50, "999999")],
        attributes=[attribute(51, "888888"), attribute(52, "888888")],
    )
    found = lake.publishes(source, dataset="rxnorm", table="rxnsat")
    assert [rows for rows, _ in found.counted("ReferentialIntegrity", "rxcui2")] == [1]
    assert [rows for rows, _ in found.counted("ReferentialIntegrity", "rxcui")] == [2]
    assert found.refused == []


def test_m85_a_subset_in_place_of_the_full_release_is_refused(lake: LakeUnderTest) -> None:
    source = rxnorm_release(lake.folder / "rxnorm.zip", first=10)
    lake.refuses(source, dataset="rxnorm", says=r"ShrinkGuard rxnconso: 0\.7 against 0\.8")
