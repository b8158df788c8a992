"""Which engine a dataset of the release files is tested on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pharmaetl import engine
from pharmaetl.catalog import Catalog
from pharmaetl.errors import EngineUnavailableError
from pharmaetl.run_options import EngineName

DATASETS = Path(__file__).parents[2] / "datasets"


def fit_for(dataset: str, asked: EngineName) -> EngineName:
    """The engine under test; where that is no engine for the dataset, the test is skipped."""
    if asked == "duckdb":
        try:
            engine.choose(asked, dataset=Catalog(DATASETS).find(dataset))
        except EngineUnavailableError as error:
            pytest.skip(error.reason)
    return asked
