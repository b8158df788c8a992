"""Arbitrary and mutated input to whatever reads a file: an error of ours that names a place, or sound results.

Deterministic and bounded; PHARMAETL_FUZZ=long looks for new trouble with random seeds, for minutes.
"""

from __future__ import annotations

import copy
import json
import re
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from zips import written, zip64_of, zip_of

from pharmaetl.config import configfile
from pharmaetl.config.configfile import InvalidConfigError
from pharmaetl.errors import CorruptLogError, PharmaetlError, SourceFormatError
from pharmaetl.lake import documentfile
from pharmaetl.lake.documents import LogEntry, RunRecord
from pharmaetl.text import unpack

DATASETS = Path(__file__).parents[2] / "datasets"
CONFIGS = [path.read_text() for path in sorted(DATASETS.glob("fda/*/config/dataset.json")) if "cder/" not in str(path)]
"""The smaller ones, which between them use all kinds of settings."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def places(data: Any, path: tuple[int | str, ...] = ()) -> list[tuple[int | str, ...]]:
    """Where something stands in a JSON value, all the way down."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in inner for found in places(value, (*path, key)))]


def changed(data: Any, path: tuple[int | str, ...], how: str, value: Any) -> Any:
    """The JSON value with something replaced, taken out, renamed or repeated at one place."""
    if not path:
        return value
    data = copy.deepcopy(data)
    parent = data
    for key in path[:-1]:
        parent = parent[key]
    match how:
        case "replace":
            parent[path[-1]] = value
        case "remove":
            del parent[path[-1]]
        case "rename" if isinstance(parent, dict):
            parent[f"{path[-1]}x"] = parent.pop(path[-1])
        case _ if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[int(path[-1])]))
    return data


def refusal(read: Callable[[], object], kind: type[PharmaetlError]) -> Any:
    """The error with which something is refused; None where it is read. Any other error is one of the code's."""
    try:
        read()
    except kind as error:
        return error
    return None


def assert_reads_or_names_places(path: Path) -> None:
    error = refusal(lambda: configfile.read(path), InvalidConfigError)
    lines = path.read_bytes().count(b"\n") + 1
    for problem in error.problems if error else ():
        assert (problem.path, problem.message.strip() != "") == (str(path), True)
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert "\n" not in str(problem)
        assert re.match(rf"{re.escape(str(path))}:\d+:\d+: ", str(problem))
    assert error is None or error.problems


@fuzz(300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | JSON.map(json.dumps).map(str.encode))
def test_any_bytes_as_a_config_are_refused_with_their_place(folder: Path, data: bytes) -> None:
    path = folder / "dataset.json"
    path.write_bytes(data)
    with pytest.raises(InvalidConfigError):
        configfile.read(path)
    assert_reads_or_names_places(path)


@fuzz(200)
@given(st.data())
def test_a_sound_config_with_changed_values_is_read_or_refused_with_the_place(
    folder: Path, data: st.DataObject
) -> None:
    config = json.loads(data.draw(st.sampled_from(CONFIGS)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(config)))
        how = data.draw(st.sampled_from(["replace", "replace", "remove", "rename", "repeat"]))
        config = changed(config, place, how, data.draw(JSON))
    path = folder / "dataset.json"
    path.write_text(json.dumps(config, indent=data.draw(st.sampled_from([None, 2]))))
    assert_reads_or_names_places(path)


def test_a_key_that_holds_line_breaks_is_named_on_one_line(folder: Path) -> None:
    path = folder / "dataset.json"
    path.write_text('{"a\\nb\\u2028c\\u202e": 1}')
    error = refusal(lambda: configfile.read(path), InvalidConfigError)
    shown = [str(problem) for problem in error.problems if "no known key" in problem.message]
    assert [line.partition(" is no")[0] for line in shown] == [f"{path}:1:2: a\\nb\\u2028c\\u202e"]


@fuzz(300)
@given(
    text=st.sampled_from(CONFIGS),
    edits=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 30), st.binary(max_size=4)), min_size=1, max_size=3
    ),
)
def test_a_sound_config_with_changed_bytes_is_read_or_refused_with_the_place(
    folder: Path, text: str, edits: list[tuple[int, int, bytes]]
) -> None:
    path = folder / "dataset.json"
    path.write_bytes(edited(text.encode(), edits))
    assert_reads_or_names_places(path)


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """The bytes with pieces taken out and others put in."""
    for at, removed, put in edits:
        place = at % (len(data) + 1)
        data = data[:place] + put + data[place + removed :]
    return data


ROWS = b"id,name\r\n" + b"".join(b"%d,name of %d\r\n" % (n, n * 7919) for n in range(200))
SOURCES = [
    zip_of({"a.csv": ROWS, "b/c.csv": b"id\r\n1\r\n"}),
    zip_of({"a.csv": ROWS[:300]}, method=0),
    zip64_of(b"a.csv", ROWS[:300]),
]
GENUINE = {ROWS, ROWS[:300], b"id\r\n1\r\n"}
CAPS = unpack.Limits(
    max_members=50, max_member_bytes=1_000_000, max_total_bytes=2_000_000, max_ratio=200, ratio_from=100_000
)


def texts_of(folder: Path, data: bytes) -> list[bytes]:
    """Everything in a source within the caps; the memory that it takes is bounded too."""
    path = written(folder, data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    texts: list[bytes] = []

    def read() -> None:
        for found in unpack.members(path, "source.zip", CAPS):
            text = unpack.unpack(path, found, folder / "text", limits=CAPS)
            assert text.bytes <= CAPS.max_member_bytes
            texts.append(text.path.read_bytes())

    error = refusal(read, SourceFormatError)
    assert error is None or re.fullmatch("source.zip: .+", error.reason)
    (folder / "text").unlink(missing_ok=True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    assert sorted(each.name for each in folder.iterdir() if each.name != "dataset.json") == ["source.zip"]
    return texts


@fuzz(300)
@given(st.binary(min_size=1, max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\x00"]))
def test_any_bytes_as_a_source_are_read_or_refused(folder: Path, data: bytes, start: bytes) -> None:
    texts_of(folder, start + data)


@fuzz(600)
@given(
    whole=st.sampled_from(SOURCES),
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 7)), max_size=4),
    cut=st.none() | st.integers(0, 10_000),
)
def test_flipped_and_cut_zips_give_genuine_members_or_are_refused(
    folder: Path, whole: bytes, flips: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(whole[: 1 + cut % len(whole)] if cut is not None else whole)
    for at, bit in flips:
        data[at % len(data)] ^= 1 << bit
    texts = texts_of(folder, bytes(data))
    if data.startswith(b"PK\x03\x04"):
        assert set(texts) <= GENUINE


EXTREMES = [0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63, 2**64 - 1]
FIELDS = {b"PK\x03\x04": (4, 30), b"PK\x01\x02": (4, 46), b"PK\x05\x06": (4, 22), b"PK\x06\x06": (4, 56)}


@fuzz(600)
@given(
    whole=st.sampled_from(SOURCES),
    record=st.sampled_from(sorted(FIELDS)),
    edits=st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from([1, 2, 4, 8]),
            st.sampled_from(EXTREMES) | st.integers(0, 2**64 - 1),
        ),
        min_size=1,
        max_size=3,
    ),
)  # fmt: skip
def test_edited_header_fields_give_genuine_members_or_are_refused(
    folder: Path, whole: bytes, record: bytes, edits: list[tuple[int, int, int]]
) -> None:
    data = bytearray(whole)
    at = data.rfind(record)
    if at < 0:
        return
    first, end = FIELDS[record]
    for place, width, value in edits:
        start = at + first + place % (end - first)
        data[start : start + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
    assert set(texts_of(folder, bytes(data[: len(whole)]))) <= GENUINE


ENTRY = {
    "format": 1, "dataset": "demo", "sequence": 1, "commit_id": "c", "parent": None, "action": "publish",
    "run_id": "20250101T000000Z-00000000", "version": "2025-01-01", "published_at": "2025-01-01T00:00:00Z",
    "source": {"url": "u", "members": [{"name": "a", "bytes": 1, "sha256": "x"}]}, "config_sha256": "a",
    "code_sha256": "b", "quality": {"verdict": "pass", "checks": [{"name": "n", "outcome": "pass"}]},
    "tables": [{"name": "t", "path": "silver/t", "rows": 1,
                "files": [{"path": "silver/t/p", "bytes": 1, "sha256": "x", "rows": 1}]}],
}  # fmt: skip
RECORD = {
    "format": 1, "dataset": "demo", "run_id": "20250101T000000Z-00000000", "outcome": "failed", "source": {"url": "u"},
    "started_at": "2025-01-01T00:00:00Z", "error": {"code": "c", "reason": "r", "exit_code": 4},
    "steps": [{"name": "fetch", "outcome": "done"}],
    "tables": [{"name": "t", "rows_read": 1, "rows_published": 1, "rows_quarantined": 0, "rows_duplicate": 0,
                "path": "p"}],
}  # fmt: skip


def assert_decodes_or_names_the_file(model: type[LogEntry | RunRecord], data: bytes) -> None:
    decoded: list[LogEntry | RunRecord] = []
    path = "manifests/demo/00000001.json"
    error = refusal(lambda: decoded.append(documentfile.decode(model, path, data)), CorruptLogError)
    assert error is None or re.fullmatch(f"{path}: .+", error.reason)
    for found in decoded:
        assert documentfile.decode(model, "again", documentfile.encode(found)) == found


@fuzz(300)
@given(
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | JSON.map(json.dumps).map(str.encode),
    st.sampled_from([LogEntry, RunRecord]),
)
def test_any_bytes_as_a_document_are_a_corrupt_log(data: bytes, model: type[LogEntry | RunRecord]) -> None:
    with pytest.raises(CorruptLogError, match=r"^manifests/demo/00000001\.json: "):
        documentfile.decode(model, "manifests/demo/00000001.json", data)


@fuzz(400)
@given(st.data(), st.sampled_from([(LogEntry, ENTRY), (RunRecord, RECORD)]))
def test_a_sound_document_with_changes_is_read_or_a_corrupt_log(
    data: st.DataObject, given_document: tuple[type[LogEntry | RunRecord], dict[str, Any]]
) -> None:
    model, document = given_document
    assert_decodes_or_names_the_file(model, json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(places(document)))
        how = data.draw(st.sampled_from(["replace", "remove", "rename", "repeat"]))
        document = changed(document, place, how, data.draw(JSON))
        if not isinstance(document, dict):
            break
    text = json.dumps(document).encode()
    assert_decodes_or_names_the_file(model, text)
    cut = data.draw(st.integers(0, len(text) - 1))
    if text[:cut].strip():
        assert_decodes_or_names_the_file(model, text[:cut])


def test_deep_and_long_json_is_no_traceback(folder: Path) -> None:
    for data in (b"[" * 200_000, b'{"a":' * 100_000, b"1" * 100_000, b'{"format": ' + b"9" * 5000 + b"}", b"\xff\xfe{"):
        with pytest.raises(CorruptLogError):
            documentfile.decode(LogEntry, "manifests/demo/00000001.json", data)
        path = folder / "dataset.json"
        path.write_bytes(data)
        with pytest.raises(PharmaetlError):
            configfile.read(path)
