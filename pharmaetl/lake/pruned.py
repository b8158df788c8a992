"""Which published versions have no files any more: `manifests/<dataset>/pruned/<run_id>.json`, one for each.

It is created before the first file is removed, and for good: from then on the version can't be made current again, and
files of it that are missing are no damage. The log itself keeps every entry.
"""

from __future__ import annotations

from pharmaetl.errors import CorruptLogError, NotStoredError
from pharmaetl.lake import documentfile, layout
from pharmaetl.lake.document import FORMAT, Document
from pharmaetl.lake.storage import Storage
from pharmaetl.runid import is_run_id


class Pruned(Document):
    """Why and when the files of a published version were given up."""

    format: int = FORMAT
    dataset: str
    run_id: str
    version: str
    pruned_at: str
    reason: str = ""
    bytes: int = 0
    """Of the published files."""


def create(storage: Storage, pruned: Pruned) -> None:
    """Give up a version, durably, before its files go; nothing happens where that was done before."""
    storage.create(layout.pruned(pruned.dataset, pruned.run_id), documentfile.encode(pruned))


def run_ids(storage: Storage, dataset: str) -> frozenset[str]:
    """The runs whose versions were given up: by name, so that a damaged document still counts."""
    names = (stored.path.rpartition("/")[2] for stored in storage.list(layout.pruned_dir(dataset)))
    found = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return frozenset(run_id for run_id in found if is_run_id(run_id))


def read_all(storage: Storage, dataset: str) -> dict[str, Pruned]:
    """By run id, what is known of every version that was given up; little of one whose document is damaged."""
    return {run_id: _read(storage, dataset, run_id) for run_id in sorted(run_ids(storage, dataset))}


def _read(storage: Storage, dataset: str, run_id: str) -> Pruned:
    path = layout.pruned(dataset, run_id)
    try:
        return documentfile.decode(Pruned, path, storage.read(path))
    except (NotStoredError, CorruptLogError):
        return Pruned(dataset=dataset, run_id=run_id, version=layout.version_of(run_id), pruned_at="")
