"""What bronze's files say of their columns."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pharmaetl.local import bronze
from pharmaetl.local.bronze import Origin, has_outer_blanks, write
from pharmaetl.spark.columns import BLANKS
from pharmaetl.text.columns import Form, Piece

CHARACTERS = [*BLANKS, "a", "!", "~", "é", "\u3001", "\x7f", "\U0001f48a"]


@settings(deadline=None)
@given(
    chunks=st.lists(st.lists(st.none() | st.text(st.sampled_from(CHARACTERS), min_size=1, max_size=4), max_size=6)),
    skipped=st.integers(0, 3),
)
def test_outer_blanks_are_found_wherever_they_are(chunks: list[list[str | None]], skipped: int) -> None:
    column = pa.chunked_array(chunks, pa.string()).slice(skipped)
    assert has_outer_blanks(column) == any(text and text != text.strip(BLANKS) for text in column.to_pylist())


@pytest.mark.parametrize("texts", [[], [None], [None, None]])
def test_nothing_has_no_blanks(texts: list[None]) -> None:
    assert not has_outer_blanks(pa.chunked_array([texts], pa.string()))


def test_a_file_lists_the_values_of_columns_that_have_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that need no trimming, and whose values are short; a column without any value has none."""
    monkeypatch.setattr(bronze, "FEW_VALUES", 3)
    monkeypatch.setattr(bronze, "_FEW_BYTES", 200)
    rows = [
        ("EA", " x", "", f"{number % 4}", f"{number}", "x" * 250) if number % 5 else ("", "y", "", "", "", "")
        for number in range(40)
    ]
    text = "".join(",".join(row) + "\n" for row in rows).encode()
    piece = Piece(Form(",", '"', trailing=False), pa.BufferReader(b""), (text,), ((2, len(rows)),), line_breaks=False)
    write(
        piece, ("unit", "blanks", "empty", "more", "all", "long"), Origin("x.csv", "f00", "R1"), tmp_path / "b.parquet"
    )
    metadata = pq.read_metadata(tmp_path / "b.parquet").metadata
    assert json.loads(metadata[b"pharmaetl.few"]) == {"unit": ["EA"], "empty": []}
    assert json.loads(metadata[b"pharmaetl.trimmed"]) == ["unit", "empty", "more", "all", "long"]


def test_a_file_names_the_columns_without_outer_blanks(tmp_path: Path) -> None:
    piece = Piece(
        Form(",", '"', trailing=False), pa.BufferReader(b""), (b"a, b,\nc,d,e\n",), ((2, 2),), line_breaks=False
    )
    write(piece, ("one", "two", "three"), Origin("x.csv", "f00", "R1"), tmp_path / "b.parquet")
    file = pq.ParquetFile(tmp_path / "b.parquet")
    assert json.loads(file.metadata.metadata[b"pharmaetl.trimmed"]) == ["one", "three"]
    assert file.read().to_pylist()[0] == {
        "one": "a", "two": " b", "three": None, "meta_line": 2,
        "meta_source_file": "x.csv", "meta_source_sha256": "f00", "meta_run_id": "R1",
    }  # fmt: skip
