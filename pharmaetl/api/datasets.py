"""Datasets: what there is to run, whether its configs are right, and how its sources change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pharmaetl.catalog import Dataset
from pharmaetl.lake.storage import ReadOnlyStorage
from pharmaetl.place import Place

if TYPE_CHECKING:
    from pharmaetl.drift.report import DriftReport
    from pharmaetl.lake.schema import Acceptance
    from pharmaetl.onboarding.new_dataset import NewDataset
    from pharmaetl.quality.dqdl import Ruleset
    from pharmaetl.validation import Validation


@dataclass(frozen=True)
class DatasetView:
    """What a dataset is, for a listing."""

    dataset: str
    organization: str
    description: str
    path: str
    tables: tuple[str, ...]
    cadence: str
    source_url: str
    config_sha256: str
    code_sha256: str
    gold: tuple[str, ...] = ()


def dataset_names(place: Place) -> list[str]:
    """The names of the catalog's datasets, sorted; their configs are not read."""
    return place.catalog.names()


def datasets(place: Place) -> tuple[DatasetView, ...]:
    """Every dataset of the catalog; InvalidConfigError where one's config is wrong."""
    return tuple(_view(dataset) for dataset in place.catalog)


def _view(dataset: Dataset) -> DatasetView:
    config = dataset.config
    return DatasetView(
        dataset=dataset.name,
        organization=dataset.organization,
        description=config.description,
        path=str(dataset.folder),
        tables=tuple(table.name for table in config.tables),
        cadence=config.cadence,
        source_url=config.source_url,
        config_sha256=dataset.config_sha256,
        code_sha256=dataset.code_sha256,
        gold=tuple(table.name for table in config.gold),
    )


def dataset_config(place: Place, name: str) -> dict[str, Any]:
    """A dataset's config as JSON, with every default filled in."""
    return place.catalog.find(name).config.model_dump(mode="json")


def validate(place: Place, target: str | None) -> tuple[Validation, ...]:
    """Check one config (by dataset name, folder or file), or all of the catalog."""
    from pharmaetl import validation

    return validation.validate(place.catalog, target)


def new_dataset(place: Place, target: str, source: str, force: bool, allow_private_hosts: bool = False) -> NewDataset:
    """Look at a file or URL and write a dataset's folder ORG/NAME, so that `run` works on it at once."""
    from pharmaetl.onboarding import new_dataset as onboarding

    return onboarding.create(target, source, place.datasets, force=force, allow_private_hosts=allow_private_hosts)


def schema() -> dict[str, Any]:
    """The JSON Schema of dataset.json, for editors."""
    from pharmaetl.config.dataset_config import DatasetConfig

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **DatasetConfig.model_json_schema()}


def drift(place: Place, dataset: str, source: str | None = None) -> DriftReport:
    """What differs from the version published before: as the newest run met it, or as a file that is only looked at."""
    from pharmaetl.drift import report as drift_report

    found, storage = place.catalog.find(dataset), ReadOnlyStorage(place.storage)
    if source is None:
        return drift_report.of_newest_run(storage, found.name)
    return drift_report.of_source(storage, found.config, source)


def accept(place: Place, dataset: str, reason: str, columns: Sequence[str] = ()) -> Acceptance:
    """Record that the headers which the newest run met are meant to be so; with `columns`, those headers alone."""
    from pharmaetl.drift import contracts
    from pharmaetl.drift import report as drift_report

    config = place.catalog.find(dataset).config
    record = drift_report.newest_look(place.storage, config.dataset)
    return contracts.accept(place.storage, config, record, columns=columns, reason=reason)


def quality_rulesets(place: Place, dataset: str, table: str | None = None) -> tuple[Ruleset, ...]:
    """The rules of one table, or of all, as AWS Glue DQDL."""
    from pharmaetl.quality import dqdl

    return dqdl.rulesets(place.catalog.find(dataset).config, table)
