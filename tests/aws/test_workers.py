"""How many Glue workers a source gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from pharmaetl.aws.workers import workers
from pharmaetl.catalog import Dataset
from pharmaetl.config.dataset_config import GoldColumn, GoldTable

CONFIG = Dataset(Path(__file__).parents[2] / "datasets" / "fda" / "nsde").config
GIB = 1024**3


@pytest.mark.parametrize(
    ("text_bytes", "most", "worker_type", "expected"),
    [
        (0, 10, "G.1X", (2, 2)),
        (60_000_000, 10, "G.1X", (2, 2)),
        (GIB, 10, "G.1X", (2, 3)),
        (GIB + 1, 10, "G.1X", (3, 4)),
        (3 * GIB, 10, "G.1X", (4, 7)),
        (3 * GIB, 10, "G.2X", (3, 4)),
        (3 * GIB, 10, "R.8X", (2, 2)),
        (100 * GIB, 10, "G.1X", (10, 10)),
        (100 * GIB, 2, "G.1X", (2, 2)),
    ],
)
def test_workers_follow_from_the_text_within_the_configs_bounds(
    text_bytes: int, most: int, worker_type: str, expected: tuple[int, int]
) -> None:
    config = CONFIG.model_copy(update={"number_of_workers": most, "worker_type": worker_type})
    assert workers(text_bytes, config) == dict(zip(("bronze", "silver"), expected, strict=True))


def test_gold_has_as_many_as_silver() -> None:
    table = GoldTable(name="drug_forms", columns=(GoldColumn(name="dosage_form"),))
    config = CONFIG.model_copy(update={"gold": (table,)})
    assert workers(3 * GIB, config) == {"bronze": 4, "silver": 7, "gold": 7}
