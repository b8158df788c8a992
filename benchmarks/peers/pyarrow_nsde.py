"""PyArrow: python -m benchmarks.peers.pyarrow_nsde release.csv folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from benchmarks.peers.columns import DATES, PACKAGE_CODE, SILVER, WIDTHS


def main(source: str, folder: str) -> None:
    """Bronze in batches; silver in memory, since PyArrow groups nothing as a stream."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    bronze, silver = target / "bronze.parquet", target / "silver.parquet"
    texts = csv.ConvertOptions(column_types=dict.fromkeys(SILVER, pa.string()))
    with (
        csv.open_csv(source, convert_options=texts) as reader,
        pq.ParquetWriter(bronze, reader.schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch)
    tidy = {name: _tidy(column) for name, column in zip(SILVER.values(), pq.read_table(bronze).columns, strict=True)}
    table = pa.table({name: _typed(name, tidy) for name in tidy})
    table = table.group_by(table.column_names).aggregate([])
    pq.write_table(table, silver, compression="zstd")
    print(table.num_rows, [column.null_count for column in table.columns])


def _tidy(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.utf8_trim(column, " ")
    return pc.if_else(pc.equal(text, ""), None, text)


def _typed(name: str, tidy: dict[str, pa.ChunkedArray]) -> pa.ChunkedArray:
    if name in DATES:
        moment = pc.strptime(tidy[name], "%Y%m%d", "s", error_is_null=True)
        # it takes 30 February for 2 March
        same = pc.equal(pc.strftime(moment, "%Y%m%d"), tidy[name])
        return pc.if_else(same, moment, None).cast(pa.date32())
    if name == "ndc11":
        code = tidy["item_code"]
        is_package = pc.match_substring_regex(code, PACKAGE_CODE)
        segments = pc.split_pattern(pc.if_else(is_package, code, "--"), "-")
        padded = [pc.utf8_lpad(pc.list_element(segments, n), width, "0") for n, width in enumerate(WIDTHS)]
        return pc.if_else(is_package, pc.binary_join_element_wise(*padded, ""), tidy["ndc11"])
    return tidy[name]


if __name__ == "__main__":
    main(*sys.argv[1:])
