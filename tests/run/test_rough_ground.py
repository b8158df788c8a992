"""Runs where the ground is rough: odd paths, a source that isn't what its name says, a disk short of room."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from releases import HEADER, a_place, a_release, a_row, rows, run, silver, tree

from pharmaetl import api, doctor
from pharmaetl.errors import RefusedError, SourceFormatError
from pharmaetl.lake import runs
from pharmaetl.lake.documents import RunRecord
from pharmaetl.lake.storage import Storage
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytestmark = pytest.mark.engine


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


@pytest.mark.parametrize("folder", ["lake [x]", "{a,b}", "50% *?"])
def test_a_lake_whose_path_holds_wildcards_is_a_lake_like_any_other(tmp_path: Path, folder: str) -> None:
    place = a_place(tmp_path / folder)
    run(place, a_release(tmp_path / "a.zip", [*rows(3), a_row(4, ndc11="00037002299"), a_row(0, ndc11="")]))
    assert silver(place, "item_code") == [("0037-0022-00",), ("0037-0022-01",), ("0037-0022-02",)]
    assert api.verify(place, "nsde") == ()
    assert {path.split("/")[0] for path in tree(place) if not path.endswith("/lock")} == {
        "bronze",
        "lineage",
        "manifests",
        "quarantine",
        "raw",
        "runs",
        "silver",
    }


def test_no_run_ends_before_it_started(place: Place, tmp_path: Path) -> None:
    source = a_release(tmp_path / "a.zip", rows(3))
    for _ in range(4):
        run(place, source, until="fetch")
    records = api.runs(place, "nsde", 9)
    assert len({record.run_id for record in records}) == 4
    assert all(record.ended_at and record.started_at <= record.ended_at for record in records)


@pytest.mark.parametrize("packed", [False, True])
def test_a_text_that_calls_itself_a_zip_is_refused_as_no_zip(place: Place, tmp_path: Path, packed: bool) -> None:
    text = "\r\n".join([HEADER, *rows(3), ""]).encode()
    source = tmp_path / "release.zip"
    source.write_bytes(gzip.compress(text) if packed else text)
    with pytest.raises(SourceFormatError, match=r"release\.zip: no zip, but a single file"):
        run(place, source)


def test_a_plan_names_the_source_as_a_run_does(place: Place, tmp_path: Path) -> None:
    source = a_release(tmp_path / "a b.zip", rows(3))
    planned = api.plan(place, "nsde", RunOptions(source=str(source)))
    assert planned.source.url == run(place, source).source.url


def test_a_failed_run_gives_its_room_back_before_it_is_recorded(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, left = runs.save, []

    def watched(storage: Storage, record: RunRecord) -> None:
        if record.outcome == "failed":
            left.extend(Path(place.lake).glob(".work/nsde-*"))
        save(storage, record)

    monkeypatch.setattr(runs, "save", watched)
    with pytest.raises(RefusedError):
        run(place, a_release(tmp_path / "a.zip", ["x"]))
    assert left == []


def test_doctor_leaves_no_lake_where_none_was(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_datasets", lambda place: iter(()))
    found = {diagnosis.name: diagnosis.outcome for diagnosis in doctor.doctor(place)}
    assert found["lake"] == "ok"
    assert not Path(place.lake).exists()
