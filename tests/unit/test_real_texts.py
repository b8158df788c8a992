"""Genuine releases, where they are at hand: unpacked whole, and every row as the csv module reads it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

import pytest
from splitting import CSV, RRF, TSV, splitting

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.text.unpack import members, select, unpack

CSV_WITH_HEADER = CSV.model_copy(update={"header": True})
TSV_WITH_HEADER = TSV.model_copy(update={"header": True})
REAL = [
    ("nsde_2019-04-29.zip", "*.csv", CSV_WITH_HEADER, 12, 25_281),
    ("nsde_2020-06-17_removals.zip", "*.csv", CSV_WITH_HEADER, 12, 17_713),
    ("ndctext_2019-04-29.zip", "product.txt", TSV_WITH_HEADER, 20, 11_706),
    ("ndctext_2019-04-29.zip", "package.txt", TSV_WITH_HEADER, 8, 25_599),
    ("ndctext_lilly_2025-07-11.zip", "product.txt", TSV_WITH_HEADER, 20, 72),
    ("RxNorm_full_prescribe_10062025.zip", "rrf/RXNCONSO.RRF", RRF, 18, 16_973),
    ("RxNorm_full_prescribe_10062025.zip", "rrf/RXNREL.RRF", RRF, 16, 41_884),
    ("RxNorm_full_prescribe_10062025.zip", "rrf/RXNSAT.RRF", RRF, 13, 107_733),
    ("rxnorm_native_rows.zip", "RXNSAB.RRF", RRF, 25, 11),
]


@pytest.mark.real
def test_real_releases_unpack(shared_data: Path, tmp_path: Path) -> None:
    encodings = {}
    for path in sorted(shared_data.glob("*.zip")):
        for number, found in enumerate(members(path, path.name)):
            text = unpack(path, found, tmp_path / f"{path.stem}-{number}")
            assert (text.bytes, text.crc32, text.replacements) == (found.bytes, found.crc32, 0)
            assert not text.path.read_bytes().startswith(b"\xef\xbb\xbf")
            encodings[path.name, found.name] = text.encoding
    cp1252 = {name for name, encoding in encodings.items() if encoding == "cp1252"}
    assert cp1252 == {("ndctext_2019-04-29.zip", "product.txt"), ("ndctext_2020-06-17_removals.zip", "product.txt")}


@pytest.mark.real
@pytest.mark.parametrize(("source", "member", "dialect", "fields", "rows"), REAL)
def test_every_row_of_a_real_release_comes_out_as_the_csv_module_reads_it(
    source: str, member: str, dialect: Dialect, fields: int, rows: int, shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / source
    found = select(members(path, source), [("table", member, False)], source)["table"]
    text = unpack(path, found, tmp_path / "unpacked").path.read_bytes().decode()
    result = splitting(tmp_path, text, dialect, fields)
    assert (result.split.rows_read, result.rejects, result.split.blank_lines) == (rows, [], 0)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
    read = list(csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter, quoting=quoting, strict=True))
    body = read[1:] if dialect.header else [row[:-1] for row in read]
    assert result.values == [tuple(row) for row in body]
    assert [row[0] for row in result.rows] == [*range(2 if dialect.header else 1, rows + (2 if dialect.header else 1))]
