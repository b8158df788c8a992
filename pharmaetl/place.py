"""Where a command works: a lake, and the folder in which datasets are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pharmaetl import catalog
from pharmaetl.lake.storage import Storage, open_storage


@dataclass(frozen=True)
class Place:
    """A lake and a catalog, opened when first needed."""

    lake: str
    datasets: str | None = None

    @cached_property
    def storage(self) -> Storage:
        """The lake's storage; ConfigError where the URL is none."""
        return open_storage(self.lake)

    @cached_property
    def catalog(self) -> catalog.Catalog:
        """The dataset folders."""
        return catalog.open_catalog(self.datasets)
