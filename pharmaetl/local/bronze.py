"""Bronze made of records as columns, in this process: what the job of `pharmaetl.spark.jobs` makes by an engine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pharmaetl.errors import EngineError
from pharmaetl.spark import frames
from pharmaetl.spark.columns import BLANKS, FIRST_VISIBLE, LAST_VISIBLE
from pharmaetl.spark.tables import FEW, FEW_VALUES, TRIMMED
from pharmaetl.text.columns import Piece

_ROW_GROUP_ROWS = 61_440
_SAMPLE_ROWS, _TIMES = 8192, 4
"""A column with fewer distinct values than a fourth of these rows is written by a dictionary: trying it on the others
costs a quarter of the time of writing."""
_FEW_BYTES = 16 * 1024
"""Values that are listed are no longer than that together: the metadata of a file is read whole."""

_NO_VISIBLE = np.array([not ord(FIRST_VISIBLE) <= byte <= ord(LAST_VISIBLE) for byte in range(256)])


@dataclass(frozen=True)
class Origin:
    """Where the records come from, for all of them the same."""

    source_file: str
    source_sha256: str
    run_id: str


def write(piece: Piece, names: tuple[str, ...], origin: Origin, path: Path) -> None:
    """A Parquet file of some records: every value as served, as text, its source line, and where it came from."""
    try:
        table = piece.table(names, frames.LINE)
    except pa.ArrowInvalid as error:
        raise EngineError(
            f"{origin.source_file}: bronze of the records from line {piece.runs[0][0]} on: {error}",
            hint="nothing was published; please report this",
        ) from error
    by_dictionary = [name for name in names if _repeats(table[name])]
    distinct = {name: pa.chunked_array([table[name].unique()]) for name in by_dictionary}
    trimmed = [name for name in names if not has_outer_blanks(distinct.get(name, table[name]))]
    few = {name: _values(distinct[name]) for name in trimmed if name in distinct and _are_few(distinct[name])}
    constants = {
        frames.SOURCE_FILE: origin.source_file,
        frames.SOURCE_SHA256: origin.source_sha256,
        frames.RUN_ID: origin.run_id,
    }
    for name, value in constants.items():
        table = table.append_column(name, _constant(value, table.num_rows))
    with pq.ParquetWriter(
        path,
        table.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[*by_dictionary, *constants],
        # the least and the greatest text of a column serve nobody, and take a sixth of the time
        write_statistics=[frames.LINE],
        column_encoding={frames.LINE: "DELTA_BINARY_PACKED"},
        store_schema=False,
    ) as out:
        out.write_table(table, _ROW_GROUP_ROWS)
        out.add_key_value_metadata({TRIMMED: json.dumps(trimmed), FEW: json.dumps(few)})


def has_outer_blanks(column: pa.ChunkedArray) -> bool:
    """Does a text of the column begin or end with a blank? Told by its first and last bytes, which hardly ever are."""
    return any(_has_outer_blanks(chunk) for chunk in column.chunks)


def _has_outer_blanks(texts: pa.StringArray) -> bool:
    if texts.null_count == len(texts):
        return False
    _, places, content = texts.buffers()
    ends = np.frombuffer(places, np.int32, len(texts) + 1, texts.offset * np.dtype(np.int32).itemsize)
    data = np.frombuffer(content, np.uint8)
    # an empty value is null, of which no byte may be looked at; behind the last one there may be none
    filled = np.flatnonzero(ends[1:] > ends[:-1]) if texts.null_count else slice(None)
    odd = _NO_VISIBLE[data[ends[:-1][filled]]] | _NO_VISIBLE[data[ends[1:][filled] - 1]]
    if not odd.any():
        return False
    others = texts.drop_null().filter(pa.array(odd)).to_pylist()
    return any(text[0] in BLANKS or text[-1] in BLANKS for text in others)


def _repeats(column: pa.ChunkedArray) -> bool:
    if column.num_chunks == 0:
        return True
    some = column.chunk(0).slice(0, _SAMPLE_ROWS)
    return len(some.unique()) * _TIMES <= len(some)


def _are_few(values: pa.ChunkedArray) -> bool:
    return len(values) <= FEW_VALUES and values.nbytes <= _FEW_BYTES


def _values(texts: pa.ChunkedArray) -> list[str]:
    found: list[str] = texts.drop_null().to_pylist()
    return found


def _constant(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), rows), pa.array([value]))
