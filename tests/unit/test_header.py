"""The header contract, on the real headers of FDA's files."""

from __future__ import annotations

from typing import Any

import pytest
from configs import table_of
from hypothesis import given
from hypothesis import strategies as st

from pharmaetl.config.dataset_config import Table
from pharmaetl.errors import SourceFormatError
from pharmaetl.text.header import HeaderMatch, match, snake_case

NSDE = [
    "Item Code", "NDC11", "Proprietary Name", "Dosage Form", "Marketing Category", "Application Number or Monograph ID",
    "Product Type", "Marketing Start Date", "Marketing End Date", "Billing Unit", "Inactivation Date",
    "Reactivation Date",
]  # fmt: skip
NSDE_NAMES = (
    "item_code", "ndc11", "proprietary_name", "dosage_form", "marketing_category", "application_number", "product_type",
    "marketing_start_date", "marketing_end_date", "billing_unit", "inactivation_date", "reactivation_date",
)  # fmt: skip
PACKAGE = [
    "PRODUCTID", "PRODUCTNDC", "NDCPACKAGECODE", "PACKAGEDESCRIPTION", "STARTMARKETINGDATE", "ENDMARKETINGDATE",
    "NDC_EXCLUDE_FLAG", "SAMPLE_PACKAGE",
]  # fmt: skip


def nsde() -> Table:
    aliases = {"application_number": ["Application Number or Citation"]}
    columns = [
        {"name": name, "source": source, "aliases": aliases.get(name, [])}
        for name, source in zip(NSDE_NAMES, NSDE, strict=True)
    ]
    kind = {"name": "code_type", "derived": {"function": "code_type", "source": "item_code"}}
    return table_of(columns=[*columns[:2], kind, *columns[2:]])


def packages() -> Table:
    newer = {"NDC_EXCLUDE_FLAG", "SAMPLE_PACKAGE"}
    columns = [{"name": text.lower(), "source": text, "optional": text in newer} for text in PACKAGE]
    return table_of(format="tsv", columns=columns)


def renamed(**changes: str) -> list[str]:
    return [changes.get(text.replace(" ", "_"), text) for text in NSDE]


def refused(header: list[str], table: Table | None = None) -> SourceFormatError:
    with pytest.raises(SourceFormatError) as raised:
        match(header, table or nsde(), "nsde.csv")
    assert raised.value.exit_code == 4
    return raised.value


def test_the_usual_header_gives_the_columns_in_file_order() -> None:
    assert match(NSDE, nsde(), "nsde.csv") == HeaderMatch(NSDE_NAMES)


def test_a_renamed_column_is_found_by_its_alias_and_noted() -> None:
    older = renamed(Application_Number_or_Monograph_ID="Application Number or Citation")

    assert match(older, nsde(), "nsde.csv") == HeaderMatch(NSDE_NAMES, aliased=("Application Number or Citation",))


def test_an_alias_works_the_other_way_round_too() -> None:
    table = table_of(columns=[{"name": "number", "source": "Citation", "aliases": ["Monograph ID"]}])

    assert match(["Citation"], table, "a.csv") == HeaderMatch(("number",))
    assert match(["Monograph ID"], table, "a.csv") == HeaderMatch(("number",), aliased=("Monograph ID",))


def test_columns_in_another_order_keep_their_names() -> None:
    swapped = [NSDE[1], NSDE[0], *NSDE[2:]]

    assert match(swapped, nsde(), "nsde.csv") == HeaderMatch(("ndc11", "item_code", *NSDE_NAMES[2:]), reordered=True)


def test_case_blanks_and_a_byte_order_mark_make_no_difference() -> None:
    sloppy = ["\ufeffITEM  code", " ndc11\u00a0", *NSDE[2:]]

    assert match(sloppy, nsde(), "nsde.csv") == HeaderMatch(NSDE_NAMES)


def test_a_column_that_only_newer_releases_have_may_be_absent() -> None:
    assert match(PACKAGE[:6], packages(), "package.txt") == HeaderMatch(
        ("productid", "productndc", "ndcpackagecode", "packagedescription", "startmarketingdate", "endmarketingdate"),
        absent=("ndc_exclude_flag", "sample_package"),
    )


def test_a_file_without_a_header_row_has_the_columns_of_the_config() -> None:
    table = table_of(format="rrf", columns=[{"name": "rxcui"}, {"name": "sab"}])

    assert match(None, table, "RXNSAT.RRF") == HeaderMatch(("rxcui", "sab"))


def test_an_unknown_column_is_kept_under_its_own_name() -> None:
    found = match([*NSDE[:3], "DEA Schedule", *NSDE[3:]], nsde(), "nsde.csv")

    assert found.names == (*NSDE_NAMES[:3], "dea_schedule", *NSDE_NAMES[3:])
    assert found.extras == ("DEA Schedule",)
    assert not found.reordered


@pytest.mark.parametrize(
    ("extras", "names"),
    [
        (["Code Type"], ("code_type_2",)),
        (["DEA-Schedule", "DEA Schedule"], ("dea_schedule", "dea_schedule_2")),
        (["meta_run_id", "Meta Run Id"], ("source_meta_run_id", "source_meta_run_id_2")),
        (["1st %", "1st №"], ("column_1st", "column_1st_2")),
        (["x" * 5000], ("x" * 60,)),
    ],
)
def test_an_unknown_column_never_takes_the_name_of_another(extras: list[str], names: tuple[str, ...]) -> None:
    assert match([*NSDE, *extras], nsde(), "nsde.csv").names == (*NSDE_NAMES, *names)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (NSDE[:11], "nsde.csv:1: the header lacks 'Reactivation Date'; it has "),
        (
            renamed(NDC11="NDC 11"),
            "nsde.csv:1: the header lacks 'NDC11' (renamed to 'NDC 11'?); it has 'Item Code', 'NDC 11', ",
        ),
        (
            renamed(Item_Code="ITEM_CODE", Billing_Unit="Unit of billing"),
            "nsde.csv:1: the header lacks 'Item Code' (renamed to 'ITEM_CODE'?); 'Billing Unit'; it has 'ITEM_CODE', ",
        ),
        (
            renamed(Application_Number_or_Monograph_ID="Application Number or Citations"),
            "nsde.csv:1: the header lacks 'Application Number or Monograph ID' (renamed to 'Application Number or "
            "Citations'?); it has ",
        ),
    ],
)
def test_a_missing_column_is_named_with_what_it_was_perhaps_renamed_to(header: list[str], reason: str) -> None:
    error = refused(header)

    assert error.reason.startswith(reason)
    assert error.hint == (
        "where the source renamed a column, add its new header to that column's `aliases` in the config"
    )


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ([*NSDE, "NDC11"], "nsde.csv:1: header 'NDC11' is there 2 times, in columns 2, 13"),
        ([*NSDE, "x", "x", "x"], "nsde.csv:1: header 'x' is there 3 times, in columns 13, 14, 15"),
        (
            [*NSDE, "ndc11"],
            "nsde.csv:1: headers 'NDC11' and 'ndc11' differ in case or blanks only, in columns 2, 13",
        ),
        (
            [*NSDE, "Foo", "FOO "],
            "nsde.csv:1: headers 'Foo' and 'FOO ' differ in case or blanks only, in columns 13, 14",
        ),
        ([*NSDE[:4], "", *NSDE[4:]], "nsde.csv:1: header cell 5 of 13 is empty"),
        ([*NSDE, " \t"], "nsde.csv:1: header cell 13 of 13 is empty"),
        ([*NSDE, *(f"c{number}" for number in range(9988))], "nsde.csv:1: the header has 10000 cells"),
    ],
)
def test_a_header_that_names_a_column_twice_or_not_at_all_is_refused(header: list[str], reason: str) -> None:
    error = refused(header)

    assert error.reason == reason
    assert error.hint == "the source's header is damaged: run again later, or tell the publisher"


def test_two_headers_of_one_column_are_refused() -> None:
    error = refused([*NSDE, "Application Number or Citation"])

    assert error.reason == (
        "nsde.csv:1: headers 'Application Number or Monograph ID' and 'Application Number or Citation' both mean "
        "column application_number"
    )
    assert error.hint == "take one of them out of the `aliases` of application_number in the config"


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (
            ["0002-0152-01", "00002015201", "", "INJECTION, SOLUTION", "NDA", "NDA1", "", "20190101", "", "", "", ""],
            "'0002-0152-01', '00002015201', '', 'INJECTION, SOLUTION', ",
        ),
        (["Item Code;NDC11;Proprietary Name"], "'Item Code;NDC11;Proprietary Name' is"),
        (["<!DOCTYPE html>"], "'<!DOCTYPE html>' is"),
        (["x" * 100_000], "'" + "x" * 57 + "...' is"),
    ],
)
def test_a_first_line_without_any_known_header_is_taken_for_data(header: list[str], shown: str) -> None:
    error = refused(header)

    assert error.reason.startswith(f"nsde.csv:1: there is no header row: none of {shown}")
    assert error.hint == (
        "the first line looks like data, or the delimiter is another: check `format`, `delimiter` and `header` in the "
        "config"
    )
    assert len(error.reason) < 600


def test_a_line_of_data_is_no_header_even_where_every_column_is_optional() -> None:
    table = table_of(columns=[{"name": "a", "source": "A", "optional": True}])

    assert "there is no header row" in refused(["1"], table).reason


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Application Number or Monograph ID", "application_number_or_monograph_id"),
        ("PRODUCTID", "productid"),
        ("NDC_EXCLUDE_FLAG", "ndc_exclude_flag"),
        ("startMarketingDate", "start_marketing_date"),
        ("NDC11 Code", "ndc11_code"),
        ("  % of  rows (all) ", "of_rows_all"),
        ("2nd name", "column_2nd_name"),
        ("", "column"),
    ],
)
def test_a_header_becomes_a_snake_case_name(text: str, name: str) -> None:
    assert snake_case(text) == name


@given(st.lists(st.text(min_size=1, max_size=8), max_size=6), st.permutations(range(4)))
def test_whatever_a_header_holds_the_names_are_unique_and_fit_a_column(texts: list[str], order: list[int]) -> None:
    columns: list[dict[str, Any]] = [{"name": name, "source": name.upper()} for name in ("aa", "bb", "cc", "dd")]
    header = [columns[index]["source"] for index in order] + texts
    try:
        found = match(header, table_of(columns=columns), "a.csv")
    except SourceFormatError:
        return
    assert len(set(found.names)) == len(header)
    assert found.names[:4] == tuple(columns[index]["name"] for index in order)
    assert all(name == snake_case(name) or name[-1].isdigit() for name in found.names)
    assert not any(name.startswith("meta_") for name in found.names)
