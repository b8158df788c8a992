"""Bronze made while the source is still being split is the bronze that is made afterwards."""

from __future__ import annotations

import errno
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from releases import a_place, a_release, rows
from test_run import MALFORMED, ODD

from pharmaetl import api
from pharmaetl.engine import Engine
from pharmaetl.errors import EngineError, GateError, LocalIOError, SourceFormatError
from pharmaetl.lake.documents import RunRecord
from pharmaetl.local import ahead
from pharmaetl.local.bronze import Origin, write
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions
from pharmaetl.text import columns
from pharmaetl.text.columns import Piece

pytestmark = pytest.mark.engine
LINES = [*rows(50)[20:], *ODD, *rows(80)[50:], *MALFORMED, *rows(99)[80:]]


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "LEAST_BYTES", 0)
    monkeypatch.setattr(columns, "FIRST_BYTES", 500)
    monkeypatch.setattr(columns, "MOST_BYTES", 2000)
    monkeypatch.setattr(columns, "BLOCK_BYTES", 1024)


def publish(place: Place, source: Path) -> RunRecord:
    return api.run(place, "nsde", RunOptions(source=str(source), engine="duckdb"))


def bronze(place: Place) -> list[list[dict[str, object]]]:
    """The rows of each file, but for the run id."""
    files = sorted(Path(place.storage.root, "bronze").rglob("*.parquet"))
    return [pq.ParquetFile(file).read().drop(["meta_run_id"]).to_pylist() for file in files]


def nothing_left(place: Place) -> bool:
    """Is there no workspace, and no thread?"""
    left = [path.name for path in Path(place.storage.root, ".work").iterdir() if path.name != "downloads"]
    return not left and not [thread for thread in threading.enumerate() if thread.name.startswith("bronze")]


def test_bronze_of_several_files_holds_the_rows_of_one_in_the_order_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_release(tmp_path / "a.zip", LINES)
    whole, several = a_place(tmp_path / "whole"), a_place(tmp_path / "several")
    publish(several, source)
    monkeypatch.setattr(Engine, "works_ahead", False)
    publish(whole, source)
    (expected,) = bronze(whole)
    files = bronze(several)
    assert len(files) >= 4
    assert [row for rows_of_file in files for row in rows_of_file] == expected
    assert any("\r\n" in str(row["proprietary_name"]) for row in expected)
    digests = [api.manifest(place, "nsde").current.tables[0].digest for place in (whole, several)]  # type: ignore[union-attr]
    assert digests[0] == digests[1]
    assert nothing_left(several)


def test_a_piece_that_fails_fails_the_run_and_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = a_place(tmp_path)

    def failing(piece: Piece, names: tuple[str, ...], origin: Origin, path: Path) -> None:
        damaged = replace(piece, parts=(b"a value too few\n",)) if path.name == "part-00001.parquet" else piece
        write(damaged, names, origin, path)

    monkeypatch.setattr("pharmaetl.local.bronze.write", failing)
    with pytest.raises(EngineError, match=r"nsde\.csv: bronze of the records from line \d+ on: ") as failed:
        publish(place, a_release(tmp_path / "a.zip", LINES))
    assert api.run_record(place, str(failed.value.run_id)).outcome == "failed"
    assert not Path(place.storage.root, "manifests").exists()
    assert nothing_left(place)


def test_a_full_disk_fails_the_run_and_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = a_place(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    with pytest.raises(LocalIOError, match="No space left on device"):
        publish(place, a_release(tmp_path / "a.zip", LINES))
    assert not Path(place.storage.root, "manifests").exists()
    assert nothing_left(place)


def test_a_text_that_cannot_be_flushed_meanwhile_is_flushed_where_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def failing(path: Path) -> None:
        asked.append(path.read_bytes())
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(ahead, "_flushed", failing)
    place = a_place(tmp_path)
    assert publish(place, a_release(tmp_path / "a.zip", LINES)).outcome == "published"
    (stored,) = Path(place.storage.root, "raw").rglob("*.csv")
    assert asked == [stored.read_bytes()]


def test_a_source_without_rows_leaves_no_thread_behind(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    with pytest.raises(SourceFormatError, match="no data rows"):
        publish(place, a_release(tmp_path / "a.zip", []))
    assert nothing_left(place)


def test_the_same_members_in_another_zip_are_skipped_although_bronze_was_begun(tmp_path: Path) -> None:
    place, source, stored = a_place(tmp_path), a_release(tmp_path / "a.zip", LINES), tmp_path / "b.zip"
    first = publish(place, source)
    with zipfile.ZipFile(source) as packed, zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as plain:
        plain.writestr("nsde.csv", packed.read("nsde.csv"))
    again = publish(place, stored)
    assert again.outcome == "skipped"
    assert again.source.sha256 != first.source.sha256
    assert nothing_left(place)


def test_only_refused_records_make_no_bronze(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    with pytest.raises(GateError):
        publish(place, a_release(tmp_path / "a.zip", ["a,b", "c,d"]))
    assert not Path(place.storage.root, "bronze").exists()
    assert nothing_left(place)
