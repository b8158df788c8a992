"""Real release files through the states of an execution: the same content digests as on a laptop, on record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud import DATASETS, Execution
from pyspark.sql import SparkSession

from pharmaetl import api, engine
from pharmaetl.aws import jobdocument
from pharmaetl.aws.events import PublishResult
from pharmaetl.catalog import Catalog
from pharmaetl.place import Place

pytestmark = [pytest.mark.engine, pytest.mark.real]
DIGESTS = json.loads((Path(__file__).parents[1] / "real" / "digests.json").read_text())


@pytest.fixture(scope="module")
def spark(engine_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    choice = engine.choose("spark" if engine_name == "spark" else "sail")
    with engine.Engine(choice, tmp_path_factory.mktemp("engine")) as running:
        yield running.session


@pytest.mark.parametrize(
    ("dataset", "file"),
    [
        ("nsde", "nsde_2019-04-29.zip"),
        ("rxnorm", "RxNorm_full_prescribe_10062025.zip"),
        ("cder", "ndctext_2019-04-29.zip"),
    ],
)
def test_a_release_file_gives_the_content_that_a_laptop_gives(
    spark: SparkSession, shared_data: Path, tmp_path: Path, dataset: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(str(tmp_path / "lake"), str(DATASETS))
    own = Catalog(DATASETS).find(dataset).transforms
    if own is not None:
        shutil.copy(own, tmp_path / f"{jobdocument.transforms_module(dataset)}.py")
        monkeypatch.syspath_prepend(str(tmp_path))
    result = Execution(place, spark, dataset_name=dataset).run(shared_data / file)
    assert isinstance(result, PublishResult)
    assert result.outcome == "published"
    current = api.manifest(place, dataset).current
    assert current is not None
    assert {table.name: table.digest for table in current.all_tables} == DIGESTS[file]
    assert api.verify(place, dataset) == ()
