"""Is a dataset's config sound? Asked by name, by folder, by file or of a whole catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pharmaetl.catalog import Catalog, Dataset

if TYPE_CHECKING:
    from pharmaetl.config import configfile


@dataclass(frozen=True)
class Validation:
    """One config file and what is wrong in it."""

    path: str
    problems: tuple[configfile.Problem, ...]


def validate(catalog: Catalog, target: str | None) -> tuple[Validation, ...]:
    """Check one config (by dataset name, folder or file), or all of the catalog."""
    if target is None:
        return tuple(_validated(dataset) for dataset in catalog)
    path = Path(target)
    if path.is_dir():
        return (_validated(_dataset_in(path.resolve(), catalog)),)
    if path.is_file():
        dataset = _dataset_in(path.resolve().parent.parent, catalog)
        is_config = path.resolve() == dataset.config_path.resolve()
        return (_validated(dataset) if is_config else _validated_file(path),)
    return (_validated(catalog.find(target)),)


def _dataset_in(folder: Path, catalog: Catalog) -> Dataset:
    """The dataset of a folder, beside the catalog's others where it is one of them."""
    return next((dataset for dataset in catalog if dataset.folder.resolve() == folder), Dataset(folder))


def _validated(dataset: Dataset) -> Validation:
    from pharmaetl.config import configfile

    try:
        _ = dataset.config
    except configfile.InvalidConfigError as error:
        return Validation(str(dataset.config_path), error.problems)
    return Validation(str(dataset.config_path), ())


def _validated_file(path: Path) -> Validation:
    from pharmaetl.config import configfile

    try:
        configfile.read(path)
    except configfile.InvalidConfigError as error:
        return Validation(str(path), error.problems)
    return Validation(str(path), ())
