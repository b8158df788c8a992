"""Malformed input, M86 to M95: configs, the log, published files, and the disk that all of it is on."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from faults.malformed import Answer, LakeUnderTest, a_row, packed, text_of

from pharmaetl import api
from pharmaetl.lake import local_storage
from pharmaetl.place import Place

pytestmark = pytest.mark.engine
LOG = "lake/manifests/nsde/00000001.json"


def released(lake: LakeUnderTest) -> Path:
    return packed(lake.folder / "release.zip", {"nsde.csv": text_of(a_row(50))})


def config_of(lake: LakeUnderTest) -> Path:
    """A config that the test may spoil."""
    lake.with_config("nsde")
    return lake.datasets / "fda/nsde/config/dataset.json"


def spoil(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=2))


def assert_config_refused(lake: LakeUnderTest, *says: str) -> None:
    """Exit code 3, one line a problem, each with file:line:column, and nothing of the lake touched."""
    before = lake.state()
    found = lake.run(released(lake))
    assert (found.code, lake.state()) == (3, before), found.err
    for line, expected in zip(found.errors, says, strict=True):
        assert re.search(rf"dataset\.json:{expected}", line), line
    validated = lake.answer("dataset", "validate", "nsde")
    assert validated.code == 3
    for expected in says:
        assert re.search(rf"dataset\.json:{expected}", validated.out), validated.out


def test_m86_a_config_that_is_no_json_is_refused_with_line_and_column(lake: LakeUnderTest) -> None:
    config = config_of(lake)
    config.write_text('{\n  "dataset": "nsde",\n  "tables": [,]\n}')
    assert_config_refused(lake, "3:14: not JSON: Expecting value")
    config.write_text('{\n  "dataset": "nsde"')
    assert_config_refused(lake, "2:20: not JSON: Expecting ',' delimiter")
    config.write_bytes(b'{\n  "dataset": "\xff"}')
    assert_config_refused(lake, "2:15: not UTF-8: byte 0xff")
    config.write_bytes(b"")
    assert_config_refused(lake, "1:1: not JSON")
    config.write_text("dataset: nsde\ntables: []\n")
    assert_config_refused(lake, "1:1: not JSON")


def test_m87_an_unknown_key_is_refused_with_the_nearest_one(lake: LakeUnderTest) -> None:
    config = config_of(lake)
    spoil(config, lambda data: data.update(databse_name="x"))
    line = config.read_text().splitlines().index('  "databse_name": "x"') + 1
    assert_config_refused(lake, rf"{line}:3: .*databse_name.*database_name")


def test_m88_impossible_values_are_refused_all_at_once(lake: LakeUnderTest) -> None:
    config = config_of(lake)

    def change(data: dict[str, Any]) -> None:
        data["data_quality"]["critical_null_threshold"] = 1.5
        data["number_of_workers"] = -1
        data["cadence"] = 7

    spoil(config, change)
    assert_config_refused(
        lake,
        r"\d+:\d+: cadence: expected .daily.",
        r"\d+:\d+: number_of_workers: ",
        r"\d+:\d+: data_quality\.critical_null_threshold: .*1\b",
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file:/etc/passwd", "two slashes"),
        ("ftp://download.nlm.nih.gov/x.zip", "ftp URLs are not supported"),
        ("https://user:word@example.org/x.zip", "a key, user name or password stands in the URL"),
        ("https://example.org/x.zip?apiKey=0123-canary", "a key, user name or password stands in the URL"),
        ("https:///x.zip", "names no host"),
        ("https://example.org/x\n.zip", "control characters"),
        ("https://example.org/${UNCLOSED", "placeholder"),
        ("", "expected a URL or a path"),
    ],
)
def test_m89_a_url_of_another_kind_or_with_a_secret_is_refused(url: str, says: str, lake: LakeUnderTest) -> None:
    spoil(config_of(lake), lambda data: data.update(source_url=url))
    assert_config_refused(lake, rf"\d+:\d+: .*{says}")
    refused = lake.answer("run", "nsde", "--json")
    assert "canary" not in refused.out + refused.err
    assert "word" not in json.loads(refused.err)["error"]["reason"].replace("password", "")


@pytest.mark.parametrize("name", ["../nsde", "NSDE", "n" * 300, "n s", "", ".", "nsde/x"])
def test_m90_a_dataset_name_that_is_none_is_refused(name: str, lake: LakeUnderTest) -> None:
    before = lake.state()
    found = lake.answer("run", name)
    assert (found.code, len(found.errors), lake.state()) == (2, 1, before)
    spoil(config_of(lake), lambda data: data.update(dataset=name))
    assert_config_refused(lake, r"\d+:\d+: dataset")


def test_m90_two_datasets_of_one_name_are_refused(lake: LakeUnderTest) -> None:
    config_of(lake)
    shutil.copytree(lake.datasets / "fda/nsde", lake.datasets / "other/nsde")
    before = lake.state()
    found = lake.answer("run", "nsde", "--source", str(released(lake)))
    assert (found.code, lake.state()) == (3, before)
    assert re.match("dataset nsde is there twice: .*fda/nsde and .*other/nsde", found.errors[0])


def test_m90_a_folder_of_another_name_than_its_dataset_is_refused(lake: LakeUnderTest) -> None:
    spoil(config_of(lake), lambda data: data.update(dataset="nsdf"))
    assert_config_refused(lake, r"2:\d+: .*'nsdf', but its folder is 'nsde'")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def not_json(path: Path) -> None:
    path.write_bytes(b"<html>")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_the_future(path: Path) -> None:
    spoil(path, lambda data: data.update(format=99))


def renumbered(path: Path) -> None:
    path.rename(path.with_name("00000002.json"))


def with_a_path_out(path: Path) -> None:
    spoil(path, lambda data: data["tables"][0]["files"][0].update(path="../../etc/passwd"))


DAMAGED_LOGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncated, r"manifests/nsde/00000001\.json: truncated \(line \d+, column \d+: "),
    "not JSON": (not_json, r"manifests/nsde/00000001\.json: not JSON \(line 1, column 1"),
    "empty": (emptied, r"manifests/nsde/00000001\.json: the file is empty"),
    "of a future format": (of_the_future, r"manifests/nsde/00000001\.json: written in format 99"),
    "with a gap": (renumbered, r"manifests/nsde/00000001\.json: gap in the log: entry 1 is missing"),
    "with a path out of it": (with_a_path_out, r"manifests/nsde/00000001\.json: it lists a file outside the lake"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED_LOGS)
def test_m91_a_damaged_log_is_refused_by_whoever_reads_it_and_left_as_it_is(damage: str, lake: LakeUnderTest) -> None:
    spoiled, says = DAMAGED_LOGS[damage]
    spoiled(lake.folder / LOG)
    folder = lake.folder / "lake/manifests/nsde"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    source = released(lake)
    for words in (("run", "nsde", "--source", str(source)), ("manifest", "show", "nsde"), ("path", "nsde")):
        found = lake.answer(*words)
        assert found.code == 7, (words, found.err)
        assert re.search(says, found.errors[0]), found.errors
        assert len(found.errors) == 1
        assert re.search(r"doctor --repair|newer pharmaetl", found.err)
    verified = lake.answer("manifest", "verify", "nsde", "--json")
    assert verified.code == 7
    assert "00000001.json" in verified.out
    lake.answer("doctor", "--repair")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_m91_the_state_that_is_derived_from_the_log_is_rebuilt(lake: LakeUnderTest) -> None:
    state = lake.folder / "lake/manifests/nsde.json"
    before = state.read_bytes()
    for damaged in (b"", before[:100], b"[]"):
        state.write_bytes(damaged)
        assert lake.answer("manifest", "show", "nsde").code == 0
        lake.answer("doctor", "--repair")
        assert state.read_bytes() == before


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGED_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (Path.unlink, "the file is missing"),
    "truncated": (half, "bytes instead of"),
    "empty": (emptied, "the file is empty"),
    "bit-flipped": (flip, "its content has changed"),
}


@pytest.mark.parametrize("damage", DAMAGED_FILES)
def test_m92_a_damaged_published_file_is_found_and_mended_by_a_forced_run(damage: str, lake: LakeUnderTest) -> None:
    spoiled, says = DAMAGED_FILES[damage]
    current = api.manifest(lake.place, "nsde").current
    assert current is not None
    listed = current.tables[0].files[0].path
    path = lake.folder / "lake" / listed
    path.chmod(0o644)
    spoiled(path)
    found = lake.answer("manifest", "verify", "nsde")
    assert found.code == 7
    assert re.search(rf"{listed}.*{says}", found.out + found.err)
    assert lake.answer("run", "nsde", "--source", str(released(lake)), "--force").code == 0
    assert [finding.path for finding in api.verify(lake.place, "nsde")] == [listed]


@contextmanager
def as_somebody_else(folder: Path) -> Iterator[None]:
    """Without the right to write there: root, who may write anywhere, works as another user meanwhile."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_m93_a_lake_that_can_not_be_written_is_named_and_stays_readable(
    lake: LakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = released(lake)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shutil.copytree(lake.folder / "lake", root / "lake")
        shutil.copytree(lake.datasets, root / "datasets")
        shutil.copyfile(source, root / "release.zip")
        root.chmod(0o755)
        lake.place, lake.datasets = Place(str(root / "lake"), str(root / "datasets")), root / "datasets"
        with as_somebody_else(root / "lake"):
            before = lake.state()
            refused = lake.run(root / "release.zip")
            assert lake.answer("manifest", "show", "nsde").code == 0
            assert lake.answer("status").code == 0
            assert api.verify(lake.place, "nsde") == ()
            assert lake.state() == before
    assert refused.code == 7
    assert len(refused.errors) == 1
    assert str(root / "lake") in refused.errors[0]
    assert "Permission denied" in refused.errors[0]


@pytest.mark.parametrize("after", [0, 3, 6])
def test_m94_a_disk_that_fills_up_costs_the_run_and_nothing_else(
    after: int, lake: LakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, before, calls = released(lake), lake.state(), 0
    genuine = local_storage._sync

    def full(path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        genuine(path)

    with monkeypatch.context() as patch:
        patch.setattr(local_storage, "_sync", full)
        found = lake.run(source)
    assert found.code == 7, found.err
    assert len(found.errors) == 1
    assert "No space left on device" in found.errors[0]
    assert "Traceback" not in found.err
    assert lake.state() == before
    assert [finding for finding in api.verify(lake.place, "nsde") if finding.severity == "error"] == []
    assert len(lake.publishes(source).rows) == 41


def test_m95_two_lakes_that_share_a_lock_do_not_wait_for_each_other(lake: LakeUnderTest) -> None:
    other = lake.folder / "other"
    shutil.copytree(lake.folder / "lake", other)
    locks = [root / ".work/downloads/nsde/lock" for root in (lake.folder / "lake", other)]
    for lock in locks:
        lock.parent.mkdir(parents=True, exist_ok=True)
    locks[0].touch()
    locks[1].unlink(missing_ok=True)
    os.link(locks[0], locks[1])
    import fcntl

    with locks[1].open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert len(lake.publishes(released(lake)).rows) == 41


def test_m95_one_lake_under_two_names_is_one_lake(lake: LakeUnderTest) -> None:
    source = released(lake)
    lake.publishes(source)
    link = lake.folder / "the same"
    link.symlink_to(lake.folder / "lake")
    again = lake.answer("run", "nsde", "--source", str(source), "--json")
    assert again.data["outcome"] == "skipped"
    by_link = Answer(*_answered(lake, link, source))
    assert by_link.data["outcome"] == "skipped"


def _answered(lake: LakeUnderTest, root: Path, source: Path) -> tuple[int, str, str]:
    lake.place = Place(str(root), str(lake.datasets))
    found = lake.answer("run", "nsde", "--source", str(source), "--json")
    return found.code, found.out, found.err
