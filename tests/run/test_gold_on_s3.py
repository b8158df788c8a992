"""Gold in a lake on S3: published with its silver, looked at, rolled back to, given up and cleared away with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from goods import CODE, LABELS, PACKAGES, TOTALS, Goods
from s3_servers import S3Server

from pharmaetl import api
from pharmaetl.aws.s3 import S3Storage
from pharmaetl.errors import ConfigError, GateError, RefusedError, UnavailableError
from pharmaetl.lake.documents import LogEntry
from pharmaetl.local import runner
from pharmaetl.run_options import EngineName

pytest_plugins = ["s3_fixtures"]
pytestmark = pytest.mark.engine
ONLY_THE_CURRENT = {"versions": 1, "days": 0}


def goods_on(server: S3Server, folder: Path, patch: pytest.MonkeyPatch, engine: EngineName) -> Goods:
    if engine == "duckdb":
        pytest.skip("gold functions are written in PySpark")
    made = Goods(folder, engine, server.new_lake(patch))
    made.describe(retention=ONLY_THE_CURRENT)
    return made


@pytest.fixture
def goods(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_name: EngineName) -> Goods:
    """The goods in a lake on each server in turn."""
    return goods_on(s3_server, tmp_path, monkeypatch, engine_name)


@pytest.fixture
def moto_goods(moto_s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine_name: EngineName) -> Goods:
    return goods_on(moto_s3, tmp_path, monkeypatch, engine_name)


def gold_of(*entries: LogEntry) -> list[str]:
    """The gold files that these entries list."""
    return sorted(file.path for entry in entries for table in entry.gold for file in table.files)


def silver_runs(goods: Goods) -> set[str]:
    """The runs that have silver files."""
    return {file.path.split("run=")[1].split("/")[0] for file in goods.place.storage.list("silver")}


def test_what_is_published_is_what_a_local_lake_has(goods: Goods, tmp_path: Path) -> None:
    here = Goods(tmp_path / "here", goods.engine)
    here.describe(retention=ONLY_THE_CURRENT)
    for packages in (None, [*PACKAGES, "b2,B"], ["a1,X", "a2,X", "b1,B", "c1,X"]):
        for each in (goods, here):
            each.run(packages, accept_shrink="a test")
        assert [(one.name, one.rows, one.schema_, one.digest) for one in goods.current.gold] == [
            (one.name, one.rows, one.schema_, one.digest) for one in here.current.gold
        ]
        assert goods.rows("labels", "code", "label") == here.rows("labels", "code", "label")
        assert goods.rows("totals", "label", "codes") == here.rows("totals", "label", "codes")
    assert goods.gold_files() == gold_of(*api.history(goods.place, "goods"))
    assert api.verify(goods.place, "goods") == ()


def test_a_rollback_brings_gold_back_and_prune_takes_the_gold_of_what_was_given_up_alone(goods: Goods) -> None:
    goods.run()
    first = goods.current
    goods.run([*PACKAGES, "b2,B"])
    second = goods.current
    back = api.rollback(goods.place, "goods", None, "the second one was wrong")
    assert (back.tables, back.gold) == (first.tables, first.gold)
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 1)]
    assert api.verify(goods.place, "goods") == ()

    would = api.prune(goods.place, "goods", 0, True)
    assert goods.gold_files() == gold_of(first, second)
    done = api.prune(goods.place, "goods", 0, False)

    assert [version.run_id for version in done.versions] == [second.run_id]
    assert [one.path for one in done.removed] == [one.path for one in would.removed]
    assert set(gold_of(second)) <= {one.path for one in done.removed}
    assert goods.gold_files() == gold_of(first)
    assert silver_runs(goods) == {first.run_id}
    assert [one for one in api.verify(goods.place, "goods") if one.severity == "error"] == []
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 1)]
    with pytest.raises(RefusedError):
        api.rollback(goods.place, "goods", second.run_id, "gone")
    # the same release again: what was given up is made anew
    assert goods.run([*PACKAGES, "b2,B"]).outcome == "published"
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 2)]
    assert api.verify(goods.place, "goods") == ()


def test_without_a_retention_the_gold_of_every_version_stays(moto_goods: Goods) -> None:
    moto_goods.describe()
    moto_goods.run()
    moto_goods.run([*PACKAGES, "b2,B"])

    removed = api.prune(moto_goods.place, "goods", 0, False).removed
    assert [one.path for one in removed if one.path.startswith(("gold/", "silver/"))] == []
    assert moto_goods.gold_files() == gold_of(*api.history(moto_goods.place, "goods"))
    assert api.rollback(moto_goods.place, "goods", None, "a test").gold


def test_gold_of_a_refused_run_is_no_version_and_goes_once_it_is_old_enough(moto_goods: Goods) -> None:
    moto_goods.run()
    before = moto_goods.current
    rule = {"rule": "IsUnique", "column": "label", "severity": "fail"}
    moto_goods.describe({**LABELS, "quality": [rule]}, TOTALS, retention=ONLY_THE_CURRENT)
    with pytest.raises(GateError) as refused:
        moto_goods.run()
    left = [path for path in moto_goods.gold_files() if str(refused.value.run_id) in path]
    assert {path.split("/")[1] for path in left} == {"labels", "totals"}
    assert moto_goods.current == before

    young = api.prune(moto_goods.place, "goods", None, False)
    assert set(left) <= {one.path for one in young.young}
    assert set(left) <= set(moto_goods.gold_files())
    api.prune(moto_goods.place, None, 0, False)

    assert moto_goods.gold_files() == gold_of(before)
    assert api.verify(moto_goods.place, "goods") == ()


def test_gold_that_no_record_and_no_log_knows_goes_when_all_is_pruned(moto_goods: Goods) -> None:
    moto_goods.run()
    stray = "gold/labels/version=2026-11-01/run=20261101T000000Z-abcdabcd/part-00000.parquet"
    moto_goods.place.storage.create(stray, b"of a lost run")

    api.prune(moto_goods.place, "goods", 0, False)
    assert moto_goods.place.storage.exists(stray)
    api.prune(moto_goods.place, None, 0, False)
    assert moto_goods.gold_files() == gold_of(moto_goods.current)


@pytest.mark.parametrize("table", ["labels", "totals"])
def test_damaged_and_missing_gold_is_found_and_nobody_can_go_back_to_it(
    goods: Goods, s3_server: S3Server, table: str
) -> None:
    goods.run()
    first = goods.current
    path = next(path for path in gold_of(first) if path.startswith(f"gold/{table}/"))
    goods.run([*PACKAGES, "b2,B"])
    bucket, _, prefix = goods.place.lake.removeprefix("s3://").partition("/")
    data = bytearray(goods.place.storage.read(path))
    data[len(data) // 2] ^= 1
    s3_server.client().put_object(Bucket=bucket, Key=f"{prefix}/{path}", Body=bytes(data))

    (finding,) = api.verify(goods.place, "goods")
    assert (finding.path, finding.severity) == (path, "error")
    with pytest.raises(RefusedError, match=f"can't go back to {first.run_id}: {path}: its content has changed"):
        api.rollback(goods.place, "goods", None, "a test")
    goods.place.storage.delete(path)
    assert [(one.path, one.problem) for one in api.verify(goods.place, "goods")] == [(path, "the file is missing")]
    assert goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 2)]


def test_a_function_that_fails_leaves_the_last_version_with_its_gold(moto_goods: Goods) -> None:
    moto_goods.run()
    before, files = moto_goods.current, moto_goods.gold_files()
    moto_goods.code(CODE.replace('alias("codes")', 'alias("number")'))
    with pytest.raises(ConfigError, match="codes is missing; number is not in the config"):
        moto_goods.run(PACKAGES[:3])

    assert moto_goods.current == before
    assert set(moto_goods.gold_files()) >= set(files)
    assert moto_goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 1)]
    assert [one for one in api.verify(moto_goods.place, "goods") if one.severity == "error"] == []


def test_an_upload_of_gold_that_fails_publishes_nothing_and_the_run_can_be_resumed(
    moto_goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_goods.run()
    before = moto_goods.current
    put = S3Storage.put

    def no_totals(storage: S3Storage, path: str, local: Path) -> None:
        if path.startswith("gold/totals/"):
            raise UnavailableError("s3: the server went away", hint="try again")
        put(storage, path, local)

    with monkeypatch.context() as patch:
        patch.setattr(S3Storage, "put", no_totals)
        with pytest.raises(UnavailableError) as failed:
            moto_goods.run([*PACKAGES, "b2,B"])
    assert moto_goods.current == before
    run_id = str(failed.value.run_id)
    assert {path.split("/")[1] for path in moto_goods.gold_files() if run_id in path} == {"labels"}

    resumed = moto_goods.resume(run_id)

    assert (resumed.outcome, resumed.run_id) == ("published", run_id)
    assert moto_goods.rows("totals", "label", "codes") == [("ASPIRIN", 2), ("BIOTIN", 2)]
    assert api.verify(moto_goods.place, "goods") == ()


def test_a_run_that_died_between_gold_and_the_entry_is_resumed_with_gold_of_its_own(
    moto_goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(runner.local_steps, "publish", _interrupted)
        with pytest.raises(GateError) as failed:
            moto_goods.run()
    run_id = str(failed.value.run_id)
    stray = moto_goods.gold_files()[0].replace("part-00000", "part-00077")
    moto_goods.place.storage.create(stray, b"of an earlier try")

    assert moto_goods.resume(run_id).outcome == "published"
    assert moto_goods.gold_files() == gold_of(moto_goods.current)
    assert api.verify(moto_goods.place, "goods") == ()


def _interrupted(_: object) -> None:
    raise GateError("stopped by the test")
