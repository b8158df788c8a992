"""Is a dataset's config sound? Asked by name, by folder, by file or of a whole catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pharmaetl.catalog import Catalog, Dataset
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
        return (_validated(Dataset(path.resolve())),)
    if path.is_file():
        folder = path.resolve().parent.parent
        return (
            _validated(Dataset(folder)) if path.resolve() == Dataset(folder).config_path else _validated_file(path),
        )
    return (_validated(catalog.find(target)),)


def _validated(dataset: Dataset) -> Validation:
    try:
        _ = dataset.config
    except configfile.InvalidConfigError as error:
        return Validation(str(dataset.config_path), error.problems)
    return Validation(str(dataset.config_path), ())


def _validated_file(path: Path) -> Validation:
    try:
        configfile.read(path)
    except configfile.InvalidConfigError as error:
        return Validation(str(path), error.problems)
    return Validation(str(path), ())
