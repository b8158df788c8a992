"""Everything that the command line can do, as functions that return dataclasses or documents.

Every function raises PharmaetlError's subclasses for whatever a user can act on. What needs an engine, a download or
pandas is imported by the functions that need it, so that looking at a lake stays quick.
"""

from __future__ import annotations

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
from pharmaetl.lake.finding import Finding
from pharmaetl.lineage_tree import LineageNode, LineageView
from pharmaetl.place import Place
from pharmaetl.quality.dqdl import Ruleset
from pharmaetl.quality.history import QualityHistory, QualityView
from pharmaetl.run_options import RunOptions
from pharmaetl.status import DatasetStatus, LakeStatus, LastRun
from pharmaetl.validation import Validation

__all__ = [
    "Attempt", "DatasetStatus", "DatasetView", "Finding", "LakeStatus", "LastRun", "Layer", "LineageNode",
    "LineageView", "ManifestView", "Place", "QualityHistory", "QualityView", "Ruleset", "RunOptions", "Validation",
    "accept", "dataset_config", "dataset_names", "datasets", "doctor", "drift", "history", "lineage", "manifest",
    "new_dataset", "paths", "plan", "prune", "pruned", "quality", "quality_over_time", "quality_rulesets", "repair",
    "resume", "rollback", "run", "run_each", "run_record", "runs", "schema", "status", "validate", "verify",
]  # fmt: skip
