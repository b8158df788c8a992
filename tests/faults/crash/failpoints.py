"""Where a run, a rollback and a pruning can be struck: before and after each thing that it does to a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Command = Literal["run", "rollback", "prune"]
STEPS = ("fetch", "skip_if_unchanged", "unpack", "bronze", "silver", "gold", "gate", "publish")


@dataclass(frozen=True)
class Point:
    """A function of the product, and which of its calls: the n-th whose arguments mention a text."""

    name: str
    target: str
    """Module and attribute, as `package.module:Class.method`."""
    only: str = ""
    nth: int = 1
    layer: Literal["disk", "lake"] = "disk"
    """What a failure looks like: the system's error, or what the lake's storage makes of it."""
    command: Command = "run"
    before: tuple[str, ...] = ("KILL", "EIO", "ENOSPC")
    after: tuple[str, ...] = ("KILL", "EIO", "ENOSPC")
    """Which faults strike here; none is raised where nothing that could fail is left to be done."""

    def fault(self, kind: str, when: str, mark: str) -> dict[str, Any]:
        """The order to the warm process."""
        asked = {"target": self.target, "only": self.only, "nth": self.nth, "layer": self.layer}
        return {**asked, "kind": kind, "when": when, "mark": mark}


_STEP = "pharmaetl.local.runner:execute"
_STOPPED, _ONLY_STOPPED = ("KILL", "TERM", "EIO", "ENOSPC"), ("KILL", "TERM")
_STORE, _DISK = "pharmaetl.lake.local_storage:LocalStorage", "pharmaetl.lake.local_storage"


def _of_storage(name: str, method: str, only: str, nth: int = 1, command: Command = "run") -> Point:
    return Point(name, f"{_STORE}.{method}", only, nth, "lake", command)


POINTS = (
    *[Point(f"step {step}", _STEP, f"name='{step}'", before=_STOPPED) for step in STEPS[:-1]],
    Point("step publish", _STEP, "name='publish'", after=_ONLY_STOPPED),
    Point("download claim", "pharmaetl.download.partial:Partial._claim"),
    Point("download note", "pharmaetl.download.partial:Partial._write_note", nth=2),
    Point("download first chunk", "pharmaetl.download.partial:Partial.append"),
    Point("download third chunk", "pharmaetl.download.partial:Partial.append", nth=3),
    Point("download finish", "pharmaetl.download.partial:Partial.finish"),
    Point("download taken", "pharmaetl.local.steps:_kept"),
    Point("record claim", "pharmaetl.lake.runs:claim", layer="lake"),
    Point("unpack first member", "pharmaetl.text.unpack:unpack"),
    Point("unpack second member", "pharmaetl.text.unpack:unpack", nth=2),
    Point("split", "pharmaetl.text.delimited:split"),
    _of_storage("raw put of a member", "put", "/unpacked/"),
    _of_storage("raw put of the source", "put", "toys.zip"),
    Point("raw link of the source", "os:link", "toys.zip"),
    _of_storage("raw record", "create", "source.json"),
    Point("bronze job", "pharmaetl.spark.jobs:bronze"),
    _of_storage("bronze put", "put", "bronze/"),
    Point("silver job", "pharmaetl.spark.jobs:silver"),
    _of_storage("silver first put", "put", "silver/"),
    _of_storage("silver second put", "put", "silver/", 2),
    _of_storage("quarantine put", "put", "quarantine/"),
    Point("gold job", "pharmaetl.spark.gold:gold"),
    _of_storage("gold put", "put", "gold/"),
    Point("verdict", "pharmaetl.local.quality:judge"),
    Point("audit first table", "pharmaetl.local.steps:audited"),
    Point("audit second table", "pharmaetl.local.steps:audited", nth=2),
    Point("audit gold table", "pharmaetl.local.steps:audited", nth=3),
    Point("audit hash", "pharmaetl.local.steps:looked_at", "silver/"),
    Point("audit hash of gold", "pharmaetl.local.steps:looked_at", "gold/"),
    _of_storage("flush of the files", "sync", ""),
    Point("flush of one file", f"{_DISK}:_sync", "silver/"),
    Point("flush of a gold file", f"{_DISK}:_sync", "gold/"),
    Point("commit", "pharmaetl.lake.manifest:commit", layer="lake", after=_ONLY_STOPPED),
    _of_storage("commit create", "create", "manifests/"),
    Point("commit temporary", f"{_DISK}:_write", '"sequence": 3'),
    Point("commit link", "os:link", "manifests/toys/00000003"),
    Point("commit flush of the folder", f"{_DISK}:_sync", "manifests/toys"),
    Point("state refresh", "pharmaetl.lake.manifest:rebuild_state", layer="lake"),
    _of_storage("state replace", "replace", "manifests/toys.json"),
    Point("record write", "pharmaetl.lake.runs:save", layer="lake"),
    Point("lineage", "pharmaetl.lineage:write", layer="lake"),
    _of_storage("lineage replace", "replace", "lineage/"),
    Point("clearing up", "pharmaetl.local.workspace:remove_tree", before=("KILL",), after=("KILL",)),
    Point("rollback", "pharmaetl.lake.manifest:rollback", layer="lake", command="rollback", after=("KILL",)),
    _of_storage("rollback check", "sha256", "silver/", command="rollback"),
    _of_storage("rollback check of gold", "sha256", "gold/", command="rollback"),
    _of_storage("rollback create", "create", "manifests/", command="rollback"),
    Point("rollback link", "os:link", "manifests/toys/", command="rollback"),
    _of_storage("rollback state", "replace", "manifests/toys.json", command="rollback"),
    Point("prune leftover", "pharmaetl.lake.leftovers:remove", command="prune", before=("KILL",), after=("KILL",)),
    _of_storage("prune notice", "create", ".work/notices/", command="prune"),
    Point("prune second look", "pharmaetl.lake.prune:survey", nth=2, layer="lake", command="prune"),
    Point("prune mark", "pharmaetl.lake.pruned:create", layer="lake", command="prune"),
    _of_storage("prune first delete", "delete", "run=", command="prune"),
    _of_storage("prune fourth delete", "delete", "run=", 4, command="prune"),
    _of_storage("prune gold delete", "delete", "gold/", command="prune"),
    _of_storage("prune raw delete", "delete", "raw/", command="prune"),
    _of_storage("prune end of notice", "delete", ".work/notices/", command="prune"),
)
