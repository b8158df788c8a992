"""The dataset with a gold table in docs/datasets.md, run as it stands there, and what can be asked of it then."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pharmaetl import api
from pharmaetl.errors import ConfigError
from pharmaetl.lake import manifest

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"
EXAMPLE = re.compile(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
RECALLS = (
    "Recall Number,Date,NDCs\n"
    "D-001,2019-03-01,0002-1200-01; 0002-1200-02; 0002-1200-01\n"
    "D-002,2099-03-01,0002-1300-01\n"
    "D-003,2019-04-01,\n"
)


def documented(folder: Path) -> api.Place:
    """The page's datasets, a source, and an empty lake."""
    for path, text in EXAMPLE.findall(PAGE.read_text(encoding="utf-8")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "recalls.csv").write_text(RECALLS)
    return api.Place(str(folder / "lake"), str(folder / "datasets"))


@pytest.mark.engine
def test_the_documented_gold_table_is_published_with_its_silver_and_found_by_every_command(tmp_path: Path) -> None:
    place = documented(tmp_path)

    record = api.run(place, "recalls", api.RunOptions(source=str(tmp_path / "recalls.csv")))

    (folder,) = api.paths(place, "recalls", "gold", "recalled_ndc")
    assert folder == f"{tmp_path}/lake/gold/recalled_ndc/version={record.version}/run={record.run_id}"
    rows = pq.read_table(folder, partitioning=None).sort_by("ndc_code").to_pylist()
    assert [(row["ndc_code"], row["recall_number"], row["recalled"]) for row in rows] == [
        ("0002-1200-01", "D-001", date(2019, 3, 1)),
        ("0002-1200-02", "D-001", date(2019, 3, 1)),
    ]
    assert {row["meta_run_id"] for row in rows} == {record.run_id}
    assert (record.outcome, [(made.name, made.rows) for made in record.gold]) == ("published", [("recalled_ndc", 2)])
    assert api.verify(place, "recalls") == ()
    outputs = api.lineage(place, "recalls").events[-1]["outputs"]
    written = Path(place.lake, "lineage", "recalls", f"{record.run_id}.ndjson").read_text().splitlines()
    assert json.loads(written[-1])["outputs"] == outputs
    assert [field["name"] for field in outputs[-1]["facets"]["schema"]["fields"]] == [
        "ndc_code", "recall_number", "recalled", "record_hash", "meta_run_id",
    ]  # fmt: skip


@pytest.mark.engine
def test_a_gold_function_that_fails_publishes_nothing_and_prune_takes_what_it_left(tmp_path: Path) -> None:
    place = documented(tmp_path)
    transforms = tmp_path / "datasets" / "fda" / "recalls" / "transforms.py"
    transforms.write_text(
        transforms.read_text().replace('"recall_number", "recalled").distinct', '"recalled").distinct')
    )

    with pytest.raises(ConfigError, match="recall_number is missing"):
        api.run(place, "recalls", api.RunOptions(source=str(tmp_path / "recalls.csv")))

    assert manifest.entries(place.storage, "recalls") == ()
    api.prune(place, "recalls", 0, False)
    assert [stored.path for folder in ("silver", "gold") for stored in place.storage.list(folder)] == []
