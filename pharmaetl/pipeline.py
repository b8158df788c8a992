"""The one definition of what happens to a dataset, as data: run locally, shown by `plan`, compiled for AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pharmaetl.config.dataset_config import DatasetConfig

Layer = Literal["bronze", "silver", "gold"]


@dataclass(frozen=True)
class Fetch:
    """Download the source into a spool while hashing it."""

    source_url: str
    name: str = "fetch"


@dataclass(frozen=True)
class SkipIfUnchanged:
    """End here where source, config and code are those of the current version."""

    name: str = "skip_if_unchanged"


@dataclass(frozen=True)
class Unpack:
    """Store the raw file under its hash; turn its members into UTF-8 text and that into checked records."""

    name: str = "unpack"


@dataclass(frozen=True)
class SparkJob:
    """Run one layer's transform over every table."""

    layer: Layer
    job_name: str

    @property
    def name(self) -> str:
        """The step's name is its layer's."""
        return self.layer


@dataclass(frozen=True)
class Gate:
    """Measure what was written against the dataset's rules."""

    name: str = "gate"


@dataclass(frozen=True)
class Publish:
    """Audit the files and commit the version to the publish log."""

    name: str = "publish"


@dataclass(frozen=True)
class Crawl:
    """Let the crawler look at what was published: on AWS only, after publishing, which it neither delays nor fails."""

    crawler_name: str
    name: str = "crawl"


LocalStep = Fetch | SkipIfUnchanged | Unpack | SparkJob | Gate | Publish
"""A step that every runner has."""
Step = LocalStep | Crawl


def steps_for(config: DatasetConfig) -> tuple[Step, ...]:
    """The steps of one run of a dataset, in order; a config that names a crawler wants it to run."""
    crawler = config.bronze_crawler_name
    return (*local_steps_for(config), *([Crawl(crawler)] if crawler else []))


def local_steps_for(config: DatasetConfig) -> tuple[LocalStep, ...]:
    """The steps that a run on this machine has, where there is no crawler; gold is for datasets with gold tables."""
    gold = SparkJob("gold", config.gold_job_name or f"{config.dataset}-gold-etl")
    return (
        Fetch(config.source_url),
        SkipIfUnchanged(),
        Unpack(),
        SparkJob("bronze", config.bronze_job_name or f"{config.dataset}-bronze-etl"),
        SparkJob("silver", config.silver_job_name or f"{config.dataset}-silver-etl"),
        *([gold] if config.gold else []),
        Gate(),
        Publish(),
    )
