"""Everything that the command line can do, as functions that return dataclasses or documents.

Every function raises PharmaetlError's subclasses for whatever a user can act on. What needs an engine, a download or
pandas is imported by the functions that need it, so that looking at a lake stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pharmaetl.api.datasets import (
    DatasetView,
    accept,
    dataset_config,
    dataset_names,
    datasets,
    drift,
    new_dataset,
    quality_rulesets,
    schema,
    validate,
)
from pharmaetl.api.lake import (
    Layer,
    ManifestView,
    doctor,
    history,
    lineage,
    manifest,
    paths,
    prune,
    pruned,
    quality,
    quality_over_time,
    repair,
    rollback,
    run_record,
    runs,
    status,
    verify,
)
from pharmaetl.api.running import Attempt, plan, resume, run, run_each
from pharmaetl.place import Place
from pharmaetl.run_options import RunOptions

if TYPE_CHECKING:
    from pharmaetl.lake.finding import Finding
    from pharmaetl.lineage_tree import LineageNode, LineageView
    from pharmaetl.quality.dqdl import Ruleset
    from pharmaetl.quality.history import QualityHistory, QualityView
    from pharmaetl.status import DatasetStatus, LakeStatus, LastRun
    from pharmaetl.validation import Validation

__all__ = [
    "Attempt", "DatasetStatus", "DatasetView", "Finding", "LakeStatus", "LastRun", "Layer", "LineageNode",
    "LineageView", "ManifestView", "Place", "QualityHistory", "QualityView", "Ruleset", "RunOptions", "Validation",
    "accept", "dataset_config", "dataset_names", "datasets", "doctor", "drift", "history", "lineage", "manifest",
    "new_dataset", "paths", "plan", "prune", "pruned", "quality", "quality_over_time", "quality_rulesets", "repair",
    "resume", "rollback", "run", "run_each", "run_record", "runs", "schema", "status", "validate", "verify",
]  # fmt: skip

_RESULTS = {
    "DatasetStatus": "status", "Finding": "lake.finding", "LakeStatus": "status", "LastRun": "status",
    "LineageNode": "lineage_tree", "LineageView": "lineage_tree", "QualityHistory": "quality.history",
    "QualityView": "quality.history", "Ruleset": "quality.dqdl", "Validation": "validation",
}  # fmt: skip
"""Types that functions return, by the module that has each: it is imported when somebody names the type."""

if not TYPE_CHECKING:  # a type checker would believe in any name

    def __getattr__(name: str) -> Any:
        if name not in _RESULTS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"pharmaetl.{_RESULTS[name]}"), name)
