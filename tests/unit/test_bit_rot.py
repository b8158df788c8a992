"""What a disk may do to published data and its sources, all of it found; what is derived is made anew."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from configs import a_config
from publishing import RUN_A, RUN_B, RUN_C, candidate, edit, no_flush, record

from pharmaetl import api, lineage
from pharmaetl.errors import CorruptLogError
from pharmaetl.lake import layout, manifest, pruned, runs
from pharmaetl.lake.documents import LogEntry, Member, Source
from pharmaetl.lake.finding import Finding
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.pruned import Pruned

TEXT = b"Item Code,Caf\xe9\n1,2\n"  # Windows-1252, so that what is unpacked has other bytes than the source
UTF8 = "Item Code,Café\n1,2\n".encode()
SHA256 = hashlib.sha256(TEXT).hexdigest()
RAW, SOURCE, UNPACKED = (
    f"raw/nsde/sha256={SHA256}/{name}" for name in ("nsde.csv", "source.json", "unpacked/nsde.csv")
)
RECORD = f"runs/nsde/{RUN_A}.json"
ORIGIN = Source(
    url="https://example.org/nsde.csv",
    sha256=SHA256,
    bytes=len(TEXT),
    fetched_at="2026-11-20T03:00:00Z",
    members=(Member(name="nsde.csv", bytes=len(TEXT), sha256=SHA256),),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> api.Place:
    """A lake with one version of a source that is all there."""
    monkeypatch.setattr(os, "fsync", no_flush)
    config = tmp_path / "datasets" / "fda" / "nsde" / "config" / "dataset.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps(a_config(dataset="nsde")))
    storage = LocalStorage(tmp_path / "lake")
    storage.create(RAW, TEXT)
    storage.create(UNPACKED, UTF8)
    origin = {"url": ORIGIN.url, "etag": None, "last_modified": None, "bytes": len(TEXT), "sha256": SHA256}
    storage.create(SOURCE, json.dumps(origin | {"fetched_at": ORIGIN.fetched_at}).encode())
    publish(storage, RUN_A)
    ended = record(RUN_A, outcome="published", source=ORIGIN.model_dump(), ended_at="2026-11-20T03:01:00Z")
    runs.save(storage, ended)
    lineage.write(storage, ended)
    return api.Place(str(tmp_path / "lake"), str(tmp_path / "datasets"))


def publish(storage: LocalStorage, run_id: str) -> LogEntry:
    version = candidate(storage, run_id, source=SHA256, code=run_id)
    sourced = type(version)(**{**vars(version), "source": ORIGIN})
    return manifest.commit(storage, sourced, manifest.current(storage, "nsde"))


def found(place: api.Place) -> list[tuple[str, str, str]]:
    return [(finding.path, finding.problem, finding.severity) for finding in api.verify(place, "nsde")]


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)


def test_a_sound_lake_has_no_findings(place: api.Place) -> None:
    assert found(place) == []


def test_every_flip_in_an_entry_of_the_log_is_found_though_it_may_stay_valid_json(place: api.Place) -> None:
    publish(LocalStorage(Path(place.lake)), RUN_B)
    entry = Path(place.lake, layout.log_entry("nsde", 1))
    bits = random.Random(17).sample(range(8 * entry.stat().st_size), 200)

    unseen = []
    for bit in bits:
        flip(entry, bit)
        if not any(path == layout.log_entry("nsde", 1) for path, _, severity in found(place) if severity == "error"):
            unseen.append(bit)
        flip(entry, bit)

    assert unseen == []
    assert found(place) == []


def test_forty_flips_of_single_bits_are_forty_findings(place: api.Place) -> None:
    publish(LocalStorage(Path(place.lake)), RUN_B)
    listed = [file.path for entry in api.history(place, "nsde") for table in entry.tables for file in table.files]
    chance = random.Random(40)
    seen = 0
    for path in [*chance.choices([*listed, RAW, UNPACKED, SOURCE], k=40)]:
        file = Path(place.lake, path)
        bit = chance.randrange(file.stat().st_size * 8)
        flip(file, bit)
        seen += path in {finding.path for finding in api.verify(place, "nsde")}
        flip(file, bit)
    assert seen == 40
    assert found(place) == []


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (
            lambda file: flip(file(RAW), 3),
            (RAW, "its content has changed: its sha256 is not the one in its path", "error"),
        ),
        (
            lambda file: file(RAW).unlink(),
            (f"raw/nsde/sha256={SHA256}", "0 files instead of the one that was served", "error"),
        ),
        (
            lambda file: file(RAW).with_name("second.csv").write_bytes(TEXT),
            (f"raw/nsde/sha256={SHA256}", "2 files instead of the one that was served", "error"),
        ),
        (lambda file: file(SOURCE).unlink(), (SOURCE, "the file is missing", "warning")),
        (
            lambda file: file(SOURCE).write_text("[]"),
            (SOURCE, "it is not about the file beside it: another sha256", "warning"),
        ),
        (
            lambda file: file(SOURCE).write_text(file(SOURCE).read_text().replace("example", "exbmple")),
            (SOURCE, "it says of the file what no run and no log entry does", "warning"),
        ),
        (lambda file: file(UNPACKED).unlink(), (UNPACKED, "the file is missing", "warning")),
        (lambda file: flip(file(UNPACKED), 9), (UNPACKED, "it is not what the raw file unpacks to", "warning")),
        (
            lambda file: file(f"lineage/nsde/{RUN_A}.ndjson").write_bytes(b""),
            (f"lineage/nsde/{RUN_A}.ndjson", "the file is empty", "warning"),
        ),
    ],
)
def test_damage_is_found_and_mended_where_it_is_derived(
    place: api.Place, harm: Callable[[Callable[[str], Path]], None], expected: tuple[str, str, str]
) -> None:
    harm(lambda path: Path(place.lake, path))
    assert expected in found(place)

    api.repair(place)

    assert (found(place) == []) is (expected[2] == "warning")


def test_a_raw_folder_that_is_gone_is_an_error_with_what_helps(place: api.Place) -> None:
    storage = LocalStorage(Path(place.lake))
    for path in (RAW, SOURCE, UNPACKED):
        storage.delete(path)
    assert api.verify(place, "nsde") == (
        Finding(
            f"raw/nsde/sha256={SHA256}",
            "the source of a published version is missing",
            "error",
            "put the file with this sha256 there again from a backup: the site may serve another one by now",
        ),
    )


def test_a_raw_file_that_no_version_was_made_of_is_a_warning(place: api.Place) -> None:
    sha256 = hashlib.sha256(b"other").hexdigest()
    LocalStorage(Path(place.lake)).create(f"raw/nsde/sha256={sha256}/other.csv", b"0ther")
    assert [(path.split("/")[-1], severity) for path, _, severity in found(place)] == [
        ("other.csv", "warning"),
        ("source.json", "warning"),
    ]


def test_nothing_is_made_anew_from_a_raw_file_that_has_changed(place: api.Place) -> None:
    flip(Path(place.lake, RAW), 3)
    flip(Path(place.lake, UNPACKED), 9)
    before = Path(place.lake, UNPACKED).read_bytes()
    api.repair(place)
    assert Path(place.lake, UNPACKED).read_bytes() == before
    assert (RAW, "its content has changed: its sha256 is not the one in its path", "error") in found(place)


def test_a_flip_in_the_newest_entry_or_its_copy_is_found_and_neither_is_written_over(place: api.Place) -> None:
    storage = LocalStorage(Path(place.lake))
    edit(Path(place.lake), "manifests/nsde/00000001.json", reason="gate turned off")
    assert found(place)[0] == (
        "manifests/nsde.json",
        "it differs from entry 1, whose copy it is: one of the two has changed",
        "error",
    )
    with pytest.raises(CorruptLogError, match="one of the two has changed"):
        manifest.rebuild_state(storage, "nsde")


def test_a_truncated_newest_entry_comes_back_from_its_copy(place: api.Place) -> None:
    entry = Path(place.lake, "manifests/nsde/00000001.json")
    entry.write_bytes(entry.read_bytes()[:40])
    (finding,) = [each for each in api.verify(place, "nsde") if each.path == "manifests/nsde/00000001.json"]
    assert finding.repair == "copy manifests/nsde.json over it: that is its copy"
    entry.write_bytes(Path(place.lake, "manifests/nsde.json").read_bytes())
    assert found(place) == []


def test_a_run_that_the_log_has_forgotten_is_found(place: api.Place) -> None:
    runs.save(LocalStorage(Path(place.lake)), record(RUN_C, outcome="published"))
    assert found(place) == [
        (f"runs/nsde/{RUN_C}.json", "it says that its run was published, and no log entry does", "error")
    ]


def test_a_version_that_was_given_up_is_no_damage_but_the_current_one_can_not_be(place: api.Place) -> None:
    storage = LocalStorage(Path(place.lake))
    entry = publish(storage, RUN_B)
    pruned.create(storage, Pruned(dataset="nsde", run_id=RUN_A, version="2026-11-20", pruned_at="2026-12-01T00:00:00Z"))
    storage.delete(f"silver/nsde/version=2026-11-20/run={RUN_A}/part-0.parquet")
    assert found(place) == []
    storage.replace(layout.pruned("nsde", RUN_A), b"")
    assert found(place) == [(f"manifests/nsde/pruned/{RUN_A}.json", "the file is empty", "warning")]
    assert pruned.run_ids(storage, "nsde") == {RUN_A}

    pruned.create(storage, Pruned(dataset="nsde", run_id=RUN_B, version="2026-11-21", pruned_at="2026-12-01T00:00:00Z"))
    storage.delete(entry.tables[0].files[0].path)
    assert [(path, severity) for path, _, severity in found(place)][:2] == [
        (entry.tables[0].files[0].path, "error"),
        (f"manifests/nsde/pruned/{RUN_B}.json", "error"),
    ]
