"""A lake with good published versions, made once by the real engine; a copy of it for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from faults.malformed import LakeUnderTest, LentEngine, publish_good_versions

from pharmaetl.engine import Shared
from pharmaetl.local import runner


@pytest.fixture(scope="session")
def lent_engine() -> Iterator[Shared]:
    """One embedded engine for all runs of this folder's tests; it starts with the first run that comes so far."""
    with closing(Shared()) as shared:
        yield shared


@pytest.fixture
def one_engine(lent_engine: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run takes the lent engine, the runs of the command line too."""
    monkeypatch.setattr(runner, "Shared", lambda: LentEngine(lent_engine))


@pytest.fixture(scope="session")
def good_lake(lent_engine: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake in which every dataset of the catalogue has a good version."""
    folder = tmp_path_factory.mktemp("good")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "Shared", lambda: LentEngine(lent_engine))
        publish_good_versions(folder)
    return folder


@pytest.fixture
def lake(good_lake: Path, one_engine: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> LakeUnderTest:
    """This test's own copy of the good lake."""
    shutil.copytree(good_lake / "lake", tmp_path / "lake")
    return LakeUnderTest(tmp_path, good_lake / "datasets", capsys)
