"""The texts of a new dataset's files: `dataset.json`, one line a column, and a test that runs it on its sample."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pharmaetl import ndc
from pharmaetl.onboarding.column_types import tidy, value_of
from pharmaetl.onboarding.survey import Record

_TYPES = {"string": "string", "ndc11": "string", "integer": "bigint", "decimal": "decimal(28,8)"}
_WIDTH = 110


def config_text(config: Mapping[str, Any]) -> str:
    """A config as JSON to be read and edited: one line a setting, a column and a rule."""
    settings = [f"  {_json(key)}: {_json(value)}" for key, value in config.items() if key != "tables"]
    tables = ",\n".join(_table_text(table) for table in config["tables"])
    return "{\n" + ",\n".join([*settings, f'  "tables": [\n{tables}\n  ]']) + "\n}\n"


def _table_text(table: Mapping[str, Any]) -> str:
    lines = []
    for key, value in table.items():
        if key in {"columns", "quality"} and value:
            items = ",\n".join(f"        {_json(item)}" for item in value)
            lines.append(f"      {_json(key)}: [\n{items}\n      ]")
        else:
            lines.append(f"      {_json(key)}: {_json(value)}")
    return "    {\n" + ",\n".join(lines) + "\n    }"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


Checked = tuple[Sequence[Mapping[str, Any]], Sequence[Record]]
"""A table as its test knows it: the settings of its columns, and the records in the sample."""


def sample_test(name: str, sample: str, tables: Mapping[str, Checked]) -> str:
    """A pytest module that runs the dataset on its sample, a file beside it."""
    rows = "".join(f"    {_json(table)}: {len(records)},\n" for table, (_, records) in tables.items())
    types = "".join(_entry(table, _types(columns)) for table, (columns, _) in tables.items())
    firsts = {table: _fullest(columns, records) for table, (columns, records) in tables.items()}
    shown = "".join(
        _entry(table, {column: _literal(value) for column, value in row.items()}) for table, row in firsts.items()
    )
    imports = {"date": "from datetime import date\n", "Decimal": "from decimal import Decimal\n"}
    needed = "".join(line for word, line in imports.items() if f": {word}(" in shown)
    parts = {"NAME": name, "SAMPLE": _json(sample), "ROWS": rows, "TYPES": types, "FIRSTS": shown, "IMPORTS": needed}
    text = _TEST
    for mark, part in parts.items():
        text = text.replace(f"@{mark}@", part)
    return text


def _entry(table: str, values: Mapping[str, str]) -> str:
    inner = "".join(f"        {_json(column)}: {text},\n" for column, text in values.items())
    return f"    {_json(table)}: {{\n{inner}    }},\n"


def _types(columns: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    kinds = {column["name"]: column.get("type", "string") for column in columns}
    return {name: _json(_TYPES.get(kind, kind)) for name, kind in kinds.items()}


def _fullest(columns: Sequence[Mapping[str, Any]], records: Sequence[Record]) -> dict[str, object]:
    """The record of which silver makes most values."""
    rows = (_silver(columns, record) for record in records)
    return max(rows, key=lambda row: sum(value is not None for value in row.values()))


def _silver(columns: Sequence[Mapping[str, Any]], record: Record) -> dict[str, object]:
    """What silver makes of a record."""
    read = [column for column in columns if "derived" not in column]
    texts = {column["name"]: tidy(value) or None for column, value in zip(read, record.values, strict=True)}
    return {column["name"]: _value(column, texts) for column in columns}


def _value(column: Mapping[str, Any], texts: Mapping[str, str | None]) -> object:
    if "derived" in column:
        code = texts[column["derived"]["source"]]
        function = ndc.ndc11 if column["derived"]["function"] == "ndc11" else ndc.code_type
        return function(code)
    served = texts[column["name"]]
    if column.get("type") == "ndc11":
        code = texts[column["code_column"]] if "code_column" in column else None
        return ndc.ndc11(code) or served if "code_column" in column else ndc.ndc11(served)
    return value_of(served or "", column.get("type", "string"), column.get("format"))


def _literal(value: object) -> str:
    match value:
        case date():
            return f"date({value.year}, {value.month}, {value.day})"
        case Decimal():
            return f'Decimal("{value}")'
        case str():
            return _json(value)
        case _:
            return repr(value)


_TEST = '''"""@NAME@ on its sample. Written by `pharmaetl dataset new`; add here what else you know of the data."""

from __future__ import annotations

@IMPORTS@from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pharmaetl import api

HERE = Path(__file__).parent
SAMPLE = HERE / @SAMPLE@
ROWS = {
@ROWS@}
TYPES = {
@TYPES@}
A_ROW = {
@FIRSTS@}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> api.Place:
    """A lake into which the sample was run."""
    place = api.Place(str(tmp_path_factory.mktemp("lake")), str(HERE.parents[2]))
    assert api.run(place, "@NAME@", api.RunOptions(source=str(SAMPLE))).outcome == "published"
    return place


def test_every_record_of_the_sample_is_read_and_none_refused(place: api.Place) -> None:
    (record,) = api.runs(place, "@NAME@", 1)
    assert {table.name: table.rows_read for table in record.tables} == ROWS
    assert [table.rows_quarantined for table in record.tables] == [0] * len(ROWS)


@pytest.mark.parametrize("table", TYPES)
def test_silver_has_the_columns_and_types_of_the_config(place: api.Place, table: str) -> None:
    current = api.manifest(place, "@NAME@").current
    assert current is not None
    (found,) = [version for version in current.tables if version.name == table]
    own = {"record_hash", "meta_run_id"}
    assert {name: kind for name, kind in found.schema_.items() if name not in own} == TYPES[table]


@pytest.mark.parametrize("table", A_ROW)
def test_a_record_is_read_as_it_should_be(place: api.Place, table: str) -> None:
    current = api.manifest(place, "@NAME@").current
    assert current is not None
    (found,) = [version for version in current.tables if version.name == table]
    rows = [row for file in found.files for row in pq.read_table(place.storage.url(file.path)).to_pylist()]
    assert A_ROW[table] in [{name: row[name] for name in A_ROW[table]} for row in rows]
'''
