"""A lake on S3 from end to end: the same answers as a lake on this machine's disk, and few requests for them."""

from __future__ import annotations

import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from releases import DATASETS, a_place, a_release, a_row, rows, run
from s3_servers import S3Server

from pharmaetl import api, runid
from pharmaetl.aws.s3 import S3Storage
from pharmaetl.catalog import Dataset
from pharmaetl.errors import GateError
from pharmaetl.lake.documents import LogEntry
from pharmaetl.local.exchange import InLake
from pharmaetl.local.state import Run
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

pytest_plugins = ["s3_fixtures"]
pytestmark = pytest.mark.engine

COLUMNS = ("item_code", "ndc11", "proprietary_name", "marketing_start_date")


@pytest.fixture
def place(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A lake on each server in turn."""
    return place_on(s3_server, monkeypatch)


@pytest.fixture
def moto_place(moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    return place_on(moto_s3, monkeypatch)


def place_on(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(server.new_lake(monkeypatch), str(DATASETS))


def current(place: Place) -> LogEntry:
    entry = api.manifest(place, "nsde").current
    assert entry is not None
    return entry


def published_rows(place: Place, folder: Path) -> list[tuple[Any, ...]]:
    """Rows of the current version, by the files that the manifest lists, sorted."""
    found = []
    for number, file in enumerate(current(place).tables[0].files):
        place.storage.fetch(file.path, folder / f"{number}.parquet")
        found += [tuple(row[c] for c in COLUMNS) for row in pq.read_table(folder / f"{number}.parquet").to_pylist()]
    return sorted(found, key=str)


def comparable(entry: LogEntry) -> Any:
    """An entry without what differs from run to run: times, ids, and Parquet bytes that hold the run's id."""
    shown = entry.model_dump(
        mode="json", exclude={"commit_id", "parent", "parent_sha256", "published_at", "run_id", "version", "reason"}
    )
    shown["source"].pop("fetched_at")
    for table in shown["tables"]:
        table.pop("path")
        table["files"] = [(file["path"].rpartition("/")[2], file["rows"]) for file in table["files"]]
    return shown


def test_a_lake_on_s3_publishes_what_a_local_one_does(place: Place, tmp_path: Path) -> None:
    here = a_place(tmp_path)
    first, second = a_release(tmp_path / "a.zip", rows(30)), a_release(tmp_path / "b.zip", [*rows(30), a_row(40)])
    for release, options in [(first, {}), (first, {}), (first, {"force": True}), (second, {})]:
        there, local = run(place, release, **options), run(here, release, **options)
        assert (there.outcome, there.tables[0].rows_published if there.tables else None) == (
            local.outcome,
            local.tables[0].rows_published if local.tables else None,
        )
        assert comparable(current(place)) == comparable(current(here))
    assert [entry.action for entry in api.history(place, "nsde")] == ["publish"] * 3
    assert published_rows(place, tmp_path) == published_rows(here, tmp_path)
    assert api.verify(place, "nsde") == ()
    assert {path.partition("/")[0] for path in paths(place)} == {
        "bronze",
        "lineage",
        "manifests",
        "raw",
        "runs",
        "silver",
    }


def paths(place: Place) -> list[str]:
    return [stored.path for stored in place.storage.list("")]


def test_a_refused_release_leaves_the_published_one_current(moto_place: Place, tmp_path: Path) -> None:
    run(moto_place, a_release(tmp_path / "a.zip", rows(40)))
    before = current(moto_place)
    with pytest.raises(GateError, match="ShrinkGuard") as refused:
        run(moto_place, a_release(tmp_path / "b.zip", rows(3)))
    assert current(moto_place) == before
    record = api.run_record(moto_place, str(refused.value.run_id))
    assert (record.outcome, record.error.code if record.error else "") == ("failed", "gate")
    assert api.lineage(moto_place, record.run_id).root


def test_a_rollback_and_a_resumed_run_work_on_s3(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(place, a_release(tmp_path / "a.zip", rows(30)))
    first = current(place)
    run(place, a_release(tmp_path / "b.zip", rows(31)))
    back = api.rollback(place, "nsde", None, "the second one was wrong")
    assert (back.action, back.tables) == ("rollback", first.tables)
    with monkeypatch.context() as patch:
        patch.setattr("pharmaetl.local.runner.local_steps.publish", _interrupted)
        with pytest.raises(GateError) as failed:
            run(place, a_release(tmp_path / "c.zip", rows(32)))
    resumed = api.resume(place, str(failed.value.run_id))
    assert (resumed.outcome, resumed.run_id) == ("published", failed.value.run_id)
    assert [entry.action for entry in api.history(place, "nsde")] == ["publish", "publish", "rollback", "publish"]
    assert api.verify(place, "nsde") == ()


def _interrupted(_: object) -> None:
    raise GateError("stopped by the test")


def test_quarantined_rows_and_several_tables_are_on_s3(moto_place: Place, tmp_path: Path) -> None:
    record = run(moto_place, a_release(tmp_path / "a.zip", [*rows(60), a_row(7, ndc11="not an NDC")]))
    assert record.tables[0].rows_quarantined == 1
    (refused,) = moto_place.storage.list("quarantine/nsde")
    moto_place.storage.fetch(refused.path, tmp_path / "refused.parquet")
    assert pq.read_metadata(tmp_path / "refused.parquet").num_rows == 1


@contextmanager
def counted(place: Place) -> Iterator[Counter[str]]:
    """The requests that are sent, by operation."""
    seen: Counter[str] = Counter()

    def note(model: Any, **_: Any) -> None:
        seen[model.name] += 1

    assert isinstance(place.storage, S3Storage)
    events = place.storage.client.meta.events
    events.register("before-call.s3", note)
    yield seen
    events.unregister("before-call.s3", note)


def test_looking_at_a_lake_takes_a_listing_and_a_read_however_long_the_log_is(
    moto_place: Place, tmp_path: Path
) -> None:
    release = a_release(tmp_path / "a.zip", rows(30))
    for _ in range(3):
        run(moto_place, release, force=True)
    for look in [
        lambda: api.manifest(moto_place, "nsde"),
        lambda: api.paths(moto_place, "nsde"),
        lambda: api.quality(moto_place, "nsde"),
    ]:
        with counted(moto_place) as seen:
            look()
        assert seen == {"ListObjectsV2": 1, "GetObject": 1}


def test_a_run_with_nothing_new_takes_few_requests(moto_place: Place, tmp_path: Path) -> None:
    release = a_release(tmp_path / "a.zip", rows(30))
    runs = [run(moto_place, release, force=True) for _ in range(3)]
    # runs of one second look for an id that none of the others has, a request each
    while datetime.now(UTC) < runid.started_at(runs[-1].run_id) + timedelta(seconds=1):
        time.sleep(0.05)
    with counted(moto_place) as seen:
        assert run(moto_place, release).outcome == "skipped"
    assert sum(seen.values()) <= 20
    assert seen["PutObject"] <= 4


def test_a_published_file_is_downloaded_once_for_the_audit(moto_place: Place, tmp_path: Path) -> None:
    asked: list[str] = []
    assert isinstance(moto_place.storage, S3Storage)
    moto_place.storage.client.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: asked.append(params["url_path"])
    )
    run(moto_place, a_release(tmp_path / "a.zip", rows(30)))
    assert [url.rpartition("/")[2] for url in asked if url.endswith(".parquet")] == ["part-00000.parquet"]


def test_no_secret_of_aws_is_in_anything_that_a_run_writes(moto_place: Place, tmp_path: Path) -> None:
    run(moto_place, a_release(tmp_path / "a.zip", rows(30)))
    for path in paths(moto_place):
        assert b"canary-secret-of-tests" not in moto_place.storage.read(path)


def test_an_engine_elsewhere_reads_and_writes_s3_by_itself(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a cluster does it, with the embedded engine in its place, which knows s3a:// too."""

    def in_lake(state: Run) -> InLake:
        assert isinstance(state.storage, S3Storage)
        return InLake(state, state.storage)

    for module in ["layers", "quality"]:
        monkeypatch.setattr(f"pharmaetl.local.{module}.exchange_of", in_lake)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    release = a_release(tmp_path / "a.zip", [*rows(60), a_row(7, ndc11="not an NDC")])
    record = run(place, release, engine="sail")
    assert (record.tables[0].rows_published, record.tables[0].rows_quarantined) == (60, 1)
    assert len(published_rows(place, tmp_path)) == 60
    assert api.verify(place, "nsde") == ()
    assert not list(place.storage.list(".work"))


def test_gold_on_s3_is_made_of_the_run_s_own_silver_and_published_with_it(moto_place: Place, tmp_path: Path) -> None:
    tables = Dataset(DATASETS / "fda" / "cder").config.tables
    cells = {"PRODUCTID": "0002-1436_f0", "PRODUCTNDC": "0002-1436", "NDCPACKAGECODE": "0002-1436-11",
             "STARTMARKETINGDATE": "20180927", "SUBSTANCENAME": "A; B", "ACTIVE_NUMERATOR_STRENGTH": "1; 2",
             "ACTIVE_INGRED_UNIT": "mg/1; g/1"}  # fmt: skip
    source = tmp_path / "ndctext.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for table in tables:
            header = [column.source or "" for column in table.source_columns]
            lines = ["\t".join(header), "\t".join(cells.get(name, "") for name in header), ""]
            archive.writestr(str(table.member), "\r\n".join(lines))

    record = api.run(moto_place, "cder", RunOptions(source=str(source)))

    assert [(table.name, table.rows) for table in record.gold] == [("product_ingredient", 2), ("pharm_class", 0)]
    entry = api.manifest(moto_place, "cder").current
    assert entry is not None
    assert [(table.name, table.rows, len(table.files)) for table in entry.gold][1] == ("pharm_class", 0, 0)
    found = []
    for file in entry.gold[0].files:
        moto_place.storage.fetch(file.path, tmp_path / "gold.parquet")
        found += pq.read_table(tmp_path / "gold.parquet").to_pylist()
    assert sorted((row["ordinal"], row["substance_name"], row["strength"], row["unit"]) for row in found) == [
        (1, "A", "1", "mg/1"), (2, "B", "2", "g/1"),
    ]  # fmt: skip
    assert api.verify(moto_place, "cder") == ()
