"""What counts as drift: each kind, what is none, and what becomes of it when it was accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pharmaetl.config.dataset_config import Table
from pharmaetl.drift import comparison as drift
from pharmaetl.drift import profile
from pharmaetl.lake.documents import LogEntry, TableVersion
from pharmaetl.lake.schema import Drift, TableProfile
from pharmaetl.text.unpack import Text

HEADER = ("Item Code", "NDC11", "Name", "Marketing Start Date")
NAMES = ("item_code", "ndc11", "name", "start_date")


def a_profile(header: tuple[str, ...] | None = HEADER, **more: Any) -> TableProfile:
    known = dict(zip(HEADER, NAMES, strict=True))
    facts: dict[str, Any] = {
        "table": "drugs",
        "member": "drugs.csv",
        "header": header,
        "names": tuple(known.get(text) for text in header) if header else NAMES,
        "fields": len(header) if header else 4,
        "encoding": "utf-8",
        "delimiter": ",",
        "trailing_delimiter": False,
        "types": {"item_code": "string", "start_date": "date"},
        "lengths": {"item_code": 12, "name": 40},
    }
    return TableProfile.model_validate(facts | more)


def found(*, before: TableProfile | None = None, **after: Any) -> list[tuple[Any, ...]]:
    """What differs from the usual profile: kind, column, before, after, severity, score."""
    drifts = drift.compare([before or a_profile()], [a_profile(**after)])
    return [(d.kind, d.column, d.before, d.after, d.severity, d.score) for d in drifts]


ADDED = (*HEADER, "Color")
GONE = HEADER[:-1]
CASES: dict[str, tuple[dict[str, Any], list[tuple[Any, ...]]]] = {
    "added": (
        {"header": ADDED, "fields": 4},
        [("added", "Color", None, "Color", "warn", None)],
    ),
    "an optional column removed": (
        {"header": GONE, "fields": 4},
        [("removed", "Marketing Start Date", "Marketing Start Date", None, "warn", None)],
    ),
    "a required column removed": (
        {"header": GONE, "fields": 4, "missing": ("start_date",)},
        [("removed", "Marketing Start Date", "Marketing Start Date", None, "fail", None)],
    ),
    "renamed": (
        {"header": ("Item Code", "NDC 11 Digits", "Name", "Marketing Start Date")},
        [("renamed", "NDC11", "NDC11", "NDC 11 Digits", "warn", 0.62)],
    ),
    "a required column renamed": (
        {"header": ("Item Code", "NDC-11", "Name", "Marketing Start Date"), "missing": ("ndc11",)},
        [("renamed", "NDC11", "NDC11", "NDC-11", "fail", 1.0)],
    ),
    "renamed to an alias": (
        {"header": ("Item Code", "Eleven", "Name", "Marketing Start Date"), "names": NAMES},
        [("renamed", "NDC11", "NDC11", "Eleven", "info", 1.0)],
    ),
    "too different for a rename": (
        {"header": ("Item Code", "Zz", "Name", "Marketing Start Date")},
        [("removed", "NDC11", "NDC11", None, "warn", None), ("added", "Zz", None, "Zz", "warn", None)],
    ),
    "reordered": (
        {"header": ("NDC11", "Item Code", "Name", "Marketing Start Date")},
        [("reordered", None, ", ".join(HEADER), "NDC11, Item Code, Name, Marketing Start Date", "warn", None)],
    ),
    "duplicated": (
        {"header": (*HEADER, "name"), "fields": 4},
        [("duplicated", "Name", 1, 2, "fail", None)],
    ),
    "case_changed": (
        {"header": ("ITEM  CODE", "NDC11", "Name", "Marketing Start Date")},
        [("case_changed", "Item Code", "Item Code", "ITEM  CODE", "warn", None)],
    ),
    "type_changed": (
        {"types": {"item_code": "bigint", "start_date": "date", "new": "string"}},
        [("type_changed", "item_code", "string", "bigint", "warn", None)],
    ),
    "length_grown": (
        {"lengths": {"item_code": 24, "name": 81, "new": 900}},
        [("length_grown", "name", 40, 81, "warn", None)],
    ),
    "encoding_changed": ({"encoding": "cp1252"}, [("encoding_changed", None, "utf-8", "cp1252", "warn", None)]),
    "only ASCII this time": ({"encoding": "ascii"}, []),
    "field_count_changed": ({"fields": 5}, [("field_count_changed", None, 4, 5, "warn", None)]),
    "delimiter_changed": ({"delimiter": ";"}, [("delimiter_changed", None, ",", ";", "warn", None)]),
    "a trailing delimiter": (
        {"trailing_delimiter": True},
        [("delimiter_changed", None, False, True, "warn", None)],
    ),
    "member_renamed": ({"member": "d.csv"}, [("member_renamed", None, "drugs.csv", "d.csv", "info", None)]),
    "unknown facts": (
        {"header": None, "names": (), "fields": None, "encoding": "", "delimiter": "", "trailing_delimiter": None,
         "member": "", "types": {}, "lengths": {}},
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_drift_is_found_and_nothing_else(case: str) -> None:
    after, expected = CASES[case]

    assert found(**after) == expected


def test_tables_come_and_go() -> None:
    packages = a_profile(table="packages")

    assert [(d.kind, d.table) for d in drift.compare([a_profile()], [packages])] == [
        ("table_removed", "drugs"),
        ("table_added", "packages"),
    ]


def test_a_renamed_column_that_stays_in_its_place_is_not_reordered_and_one_that_moves_is() -> None:
    moved = ("Item Code", "Name", "NDC-11", "Marketing Start Date")

    assert [kind for kind, *_ in found(header=moved)] == ["renamed", "reordered"]


def test_each_header_is_in_one_rename_at_most_and_the_likest_pair_wins() -> None:
    before = a_profile(("Start Date", "End Date"))
    after = {"header": ("Start Date 1", "Date"), "fields": 2}

    assert [(d[2], d[3]) for d in found(before=before, **after)] == [
        ("Start Date", "Start Date 1"),
        ("End Date", "Date"),
    ]


def test_a_file_without_a_header_row_has_no_header_drift() -> None:
    assert found(before=a_profile(None), header=None, names=("other",)) == []


headers = st.lists(st.text(min_size=1, max_size=12), max_size=8).map(tuple)
profiles = st.builds(
    a_profile,
    header=headers,
    names=st.just(()),
    fields=st.none() | st.integers(0, 30),
    types=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["string", "date"])),
    lengths=st.dictionaries(st.sampled_from(NAMES), st.integers(0, 400)),
)


@given(profiles)
def test_nothing_drifts_from_itself(some: TableProfile) -> None:
    assert drift.compare([some], [some]) == ()


@given(st.permutations(HEADER))
def test_a_permutation_of_the_header_is_reordered_and_nothing_else(order: list[str]) -> None:
    assert {kind for kind, *_ in found(header=tuple(order))} == ({"reordered"} if tuple(order) != HEADER else set())


@given(profiles, profiles)
def test_any_two_profiles_can_be_compared(before: TableProfile, after: TableProfile) -> None:
    for each in drift.compare([before], [after]):
        assert each.detail


def test_accepted_changes_are_info_and_pass_while_the_rest_still_warns() -> None:
    served = ("NDC11", "item code", "Color", "Marketing Start Date")
    drifts = drift.compare([a_profile()], [a_profile(served, fields=4, encoding="cp1252")])
    settled = drift.settle(drifts, {"drugs": served})

    assert [(d.kind, d.severity) for d in settled] == [
        ("removed", "info"),
        ("added", "info"),
        ("case_changed", "info"),
        ("reordered", "info"),
        ("encoding_changed", "warn"),
    ]
    assert [(c.name, c.outcome, c.value) for c in drift.checks(settled)][-2:] == [
        ("Drift", "pass", "reordered"),
        ("Drift", "warn", "encoding_changed"),
    ]
    assert drift.settle(drifts, {"packages": served}) == drifts
    assert settled[0].detail == "column 'Name' is gone; accepted"


def test_a_missing_required_column_stays_a_failure_whatever_was_accepted() -> None:
    drifts = drift.compare([a_profile()], [a_profile(GONE, missing=("start_date",))])

    assert drift.settle(drifts, {"drugs": GONE})[0].severity == "fail"


def test_a_log_entry_from_before_there_were_profiles_is_read_and_compared_by_its_types() -> None:
    version = TableVersion.model_validate(
        {"name": "drugs", "path": "p", "rows": 1, "files": [], "schema": {"a": "date", "record_hash": "string"}}
    )
    entry = LogEntry.model_construct(tables=(version,))
    (before,) = profile.published(entry)

    assert (version.profile, before.types, before.header) == (None, {"a": "date"}, None)
    assert [d.kind for d in drift.compare([before], [a_profile(types={"a": "string"})])] == ["type_changed"]


def test_the_message_of_a_refusal_names_what_a_header_was_called() -> None:
    drifts = [Drift(kind="renamed", table="drugs", before="NDC11", after="NDC 11", score=1.0)]

    assert drift.renamed_from(drifts, "drugs", "NDC 11") == " (renamed from 'NDC11'? score 1.0)"
    assert drift.renamed_from(drifts, "drugs", "Color") == ""


TEXTS: list[tuple[dict[str, Any], bytes, str, dict[str, Any]]] = [
    ({}, b"Item Code,color\n1,2\n", "utf-8", {"header": ("Item Code", "color"), "names": ("item_code", None),
                                            "missing": ("ndc11",), "fields": 2, "encoding": "ascii", "delimiter": ","}),
    ({}, "Item Code;NDC11\nCrème;2\n".encode(), "cp1252", {"header": ("Item Code", "NDC11"), "missing": (),
                                                           "delimiter": ";", "encoding": "cp1252"}),
    ({"format": "rrf"}, b"1|2|\n", "utf-8", {"header": None, "names": ("item_code", "ndc11"), "fields": 2,
                                             "trailing_delimiter": True}),
    ({"format": "rrf"}, b"1|2\n", "utf-8", {"fields": 2, "trailing_delimiter": False}),
    ({"format": "tsv"}, b"Item Code\tNDC11\t\n", "utf-8", {"header": ("Item Code", "NDC11"),
                                                           "trailing_delimiter": True}),
    ({}, b"no header at all\n", "utf-8", {"header": ("no header at all",), "missing": ("item_code", "ndc11")}),
    ({}, b"x," * 1000 + b"x\n", "utf-8", {"header": None, "names": (), "fields": 1001}),
    ({}, b"x" * 900 + b",NDC11\n", "utf-8", {"header": ("x" * 200, "NDC11"), "names": (None, "ndc11")}),
    ({}, b"\n", "utf-8", {"header": None, "names": (), "fields": None}),
]  # fmt: skip


@pytest.mark.parametrize(("config", "data", "encoding", "expected"), TEXTS)
def test_a_file_s_profile_is_what_its_first_line_and_its_bytes_say(
    config: dict[str, Any], data: bytes, encoding: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    columns = [{"name": "item_code", "source": "Item Code"}, {"name": "ndc11", "source": "NDC11"}]
    columns += [{"name": "note", "source": "Note", "optional": True}] if config.get("format") != "rrf" else []
    table = Table.model_validate_json(json.dumps({"name": "drugs", "columns": columns, **config}))
    (tmp_path / "drugs.txt").write_bytes(data)
    text = Text("drugs.txt", tmp_path / "drugs.txt", len(data), 0, "", encoding, 0)

    seen = profile.of_text(table, text)

    assert {name: getattr(seen, name) for name in expected} == expected
