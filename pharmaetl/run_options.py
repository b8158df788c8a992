"""What a user may ask of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EngineName = Literal["auto", "duckdb", "sail", "spark"]


@dataclass(frozen=True)
class RunOptions:
    """The options of `pharmaetl run`."""

    source: str | None = None
    """Path or URL to read instead of the config's."""
    edition: str | None = None
    """One of the config's `editions` instead of its `source_url`."""
    force: bool = False
    """Run even where nothing changed."""
    until: Literal["fetch", "bronze", "silver", "gold"] | None = None
    """End after this step, without publishing; gold is silver where a dataset has no gold tables."""
    sample: int | None = None
    """Read this many records of each table, and check them without publishing."""
    accept_shrink: str | None = None
    """Why a much smaller release is right: lets it pass the shrink guard."""
    engine: EngineName = "auto"
    master: str | None = None
    """A Spark cluster to run on, such as spark://host:7077."""
    allow_private_hosts: bool = False
    """Follow redirects of the source's site into private networks, too."""
