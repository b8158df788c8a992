"""Where a command works: a lake, and the folder in which datasets are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pharmaetl import catalog
from pharmaetl.errors import ConfigError
from pharmaetl.lake.storage import Storage, open_storage


@dataclass(frozen=True)
class Place:
    """A lake and a catalog, opened when first needed."""

    lake: str
    datasets: str | None = None

    @cached_property
    def storage(self) -> Storage:
        """The lake's storage; ConfigError where the URL is none."""
        return open_lake(self.lake)

    @cached_property
    def catalog(self) -> catalog.Catalog:
        """The dataset folders."""
        return catalog.open_catalog(self.datasets)


def open_lake(url: str) -> Storage:
    """The storage behind a path, a file URL or an s3 URL. Raises ConfigError for anything else."""
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme == "s3":
        from pharmaetl.aws import s3

        return s3.open_s3(f"s3{url[2:]}")
    if scheme in {"s3a", "s3n"}:
        raise ConfigError(
            f"a lake on S3 is not called {scheme}://",
            hint="write s3://bucket/prefix",
        )
    return open_storage(url)
