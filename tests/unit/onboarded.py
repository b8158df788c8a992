"""Small files to be onboarded, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pharmaetl.config import configfile
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.onboarding.new_dataset import NewDataset, create

HEADER = "Item Code~Name~Approved~Qty~RX"
ROWS = [
    f'0002-3235-{number:02d}~5" tube, no. {number}~Oct {number % 28 + 1}, 2014~{number}~{"YN"[number % 2]}'
    for number in range(80)
]


def a_file(path: Path, lines: Sequence[str] = (HEADER, *ROWS), encoding: str = "utf-8", end: str = "\r\n") -> Path:
    """A text with these lines."""
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return path


def made(tmp_path: Path, source: Path | str, target: str = "fda/demo", **options: Any) -> NewDataset:
    return create(target, str(source), str(tmp_path / "datasets"), **options)


def config_of(new: NewDataset) -> DatasetConfig:
    return configfile.read(new.folder / "config" / "dataset.json", folder=new.dataset)


def sample_of(new: NewDataset) -> Path:
    """The sample file."""
    (found,) = [path for path in new.files if path.parent.name == "tests" and path.suffix != ".py"]
    return found
