"""Accepting changes of a source's header: what is recorded, what it changes, and what can't be accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.drift import contracts
from pharmaetl.errors import ConflictError, CorruptLogError, RefusedError, UsageError
from pharmaetl.lake import manifest
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.schema import Acceptance
from pharmaetl.text import header

COLUMNS = [
    {"name": "item_code", "source": "Item Code"},
    {"name": "ndc11", "source": "NDC11", "aliases": ["NDC 11"]},
    {"name": "unit", "source": "Unit", "optional": True},
]
CONFIG = DatasetConfig.model_validate_json(
    json.dumps({"dataset": "drugs", "source_url": "drugs.csv", "tables": [{"name": "drugs", "columns": COLUMNS}]})
)
TABLE = CONFIG.tables[0]
NAMES = {"Item Code": "item_code", "NDC11": "ndc11", "NDC 11": "ndc11", "Unit": "unit"}
RUN = "20261123T030000Z-dddddddd"


@pytest.fixture
def lake(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


def a_run(*texts: str, missing: tuple[str, ...] = ()) -> RunRecord:
    """The record of a run that met a header."""
    profile = {"table": "drugs", "header": texts, "names": [NAMES.get(text) for text in texts], "missing": missing}
    known = {"dataset": "drugs", "run_id": RUN, "outcome": "failed", "source": {"url": "u"}, "started_at": "now"}
    return RunRecord.model_validate({**known, "profiles": [profile]})


def accept(lake: LocalStorage, record: RunRecord, *columns: str) -> Acceptance:
    return contracts.accept(lake, CONFIG, record, columns=columns, reason="FDA said so")


def test_an_acceptance_says_who_when_why_and_the_whole_header(lake: LocalStorage) -> None:
    accept(lake, a_run("Item Code", "NDC11", "Color"))

    written = json.loads(lake.read("contracts/drugs/00000001.json"))
    assert (written["reason"], written["run_id"], written["columns"]) == ("FDA said so", RUN, [])
    assert written["tables"] == [{"table": "drugs", "header": ["Item Code", "NDC11", "Color"]}]
    assert "@" in written["accepted_by"]
    assert written["accepted_at"].endswith("Z")


def test_what_was_accepted_is_no_longer_remarked_upon(lake: LocalStorage) -> None:
    served = ("Color", "NDC11", "Item Code")
    accept(lake, a_run(*served))
    found = header.match(served, TABLE, "drugs.csv")

    agreed = contracts.agreed(found, TABLE, contracts.accepted_headers(lake, "drugs")["drugs"])

    assert (found.extras, found.absent, found.reordered, found.accepted) == (("Color",), ("unit",), True, ())
    assert (agreed.extras, agreed.absent, agreed.reordered, agreed.accepted) == (("Color",), (), False, ("Color",))


def test_another_header_than_the_accepted_one_is_remarked_upon(lake: LocalStorage) -> None:
    accept(lake, a_run("Item Code", "NDC11", "Unit", "Color"))
    found = header.match(("NDC11", "Item Code", "Size", "Color"), TABLE, "drugs.csv")

    agreed = contracts.agreed(found, TABLE, contracts.accepted_headers(lake, "drugs")["drugs"])

    assert (agreed.accepted, agreed.absent, agreed.reordered) == (("Color",), ("unit",), True)


def test_nothing_is_accepted_in_a_lake_without_acceptances(lake: LocalStorage) -> None:
    found = header.match(("Item Code", "NDC11", "Color"), TABLE, "drugs.csv")

    assert contracts.accepted_headers(lake, "drugs") == {}
    assert contracts.agreed(found, TABLE, None) == found


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (("Color",), ("Item Code", "NDC11", "Unit", "Color")),
        (("pack_size",), ("Item Code", "NDC11", "Unit", "Pack Size")),
        (("unit",), ("Item Code", "NDC11")),
        (("Unit", "Color"), ("Item Code", "NDC11", "Color")),
    ],
)
def test_single_columns_are_accepted_by_header_or_by_name(
    columns: tuple[str, ...], expected: tuple[str, ...], lake: LocalStorage
) -> None:
    assert accept(lake, a_run("Item Code", "NDC11", "Color", "Pack Size"), *columns).tables[0].header == expected


def test_a_second_acceptance_adds_to_the_first(lake: LocalStorage) -> None:
    accept(lake, a_run("Item Code", "NDC11", "Unit", "Color"), "Color")
    second = accept(lake, a_run("Item Code", "NDC11", "Unit", "Color", "Size"), "Size")

    assert (second.sequence, second.tables[0].header) == (2, ("Item Code", "NDC11", "Unit", "Color", "Size"))
    assert contracts.newest(lake, "drugs") == second
    assert lake.exists("contracts/drugs/00000001.json")


REFUSED: list[tuple[RunRecord, tuple[str, ...], type[Exception], str]] = [
    (a_run("Item Code", "Color", missing=("ndc11",)), (), RefusedError, "ndc11 of drugs is required"),
    (a_run("Item Code", "Color", missing=("ndc11",)), ("ndc11",), RefusedError, "ndc11 of drugs is required"),
    (a_run("Item Code", "NDC11", "A", "a"), (), RefusedError, "can't be accepted: a cell is empty, or a header is"),
    (a_run("Item Code", "NDC11", "Color"), ("Colour",), UsageError, "'Colour' is neither new nor gone"),
    (a_run("Item Code", "NDC11", "Unit"), (), UsageError, "nothing to accept"),
    (a_run("Item Code", "NDC 11", "Unit"), (), UsageError, "nothing to accept"),
]


@pytest.mark.parametrize(("record", "columns", "error", "reason"), REFUSED)
def test_what_can_t_be_accepted_is_said_and_not_recorded(
    record: RunRecord, columns: tuple[str, ...], error: type[Exception], reason: str, lake: LocalStorage
) -> None:
    with pytest.raises(error, match=reason):
        accept(lake, record, *columns)
    assert contracts.newest(lake, "drugs") is None


def test_the_nearest_acceptable_headers_are_named(lake: LocalStorage) -> None:
    with pytest.raises(UsageError) as caught:
        accept(lake, a_run("Item Code", "NDC11", "Color"), "Colour")

    assert caught.value.hint == "to accept: Color"


def test_what_is_accepted_already_can_t_be_accepted_again(lake: LocalStorage) -> None:
    accept(lake, a_run("Item Code", "NDC11", "Color"))

    with pytest.raises(UsageError, match="nothing to accept"):
        accept(lake, a_run("Item Code", "NDC11", "Color"))


def test_of_two_acceptances_at_once_the_second_is_told(lake: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    accept(lake, a_run("Item Code", "NDC11", "Color"))
    monkeypatch.setattr(contracts, "newest", lambda *_: None)

    with pytest.raises(ConflictError):
        accept(lake, a_run("Item Code", "NDC11", "Size"))


def test_a_damaged_acceptance_is_named(lake: LocalStorage) -> None:
    lake.create("contracts/drugs/00000001.json", b"{")

    with pytest.raises(CorruptLogError, match=r"contracts/drugs/00000001\.json: truncated"):
        contracts.newest(lake, "drugs")


def test_other_files_beside_acceptances_are_left_alone_and_the_publish_log_is_sound(lake: LocalStorage) -> None:
    accept(lake, a_run("Item Code", "NDC11", "Color"))
    lake.create("contracts/drugs/notes.json", b"{}")

    newest: Any = contracts.newest(lake, "drugs")
    assert newest.sequence == 1
    assert manifest.verify(lake, "drugs") == ()


def test_an_unknown_header_never_takes_a_name_that_the_lake_uses_itself() -> None:
    served = ("Item Code", "NDC11", "Rule", "record_hash", "meta line", "Unit", "unit 2", "UNIT  2!")

    assert header.match(served, TABLE, "drugs.csv").names == (
        "item_code", "ndc11", "rule", "source_record_hash", "source_meta_line", "unit", "unit_2", "unit_2_2",
    )  # fmt: skip
