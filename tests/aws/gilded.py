"""The dataset nsde with gold tables of a test's own: a small one, one made of that, and one that stays empty."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from cloud import DATASETS

from pharmaetl.aws import jobdocument

FUNCTIONS = """
from pyspark.sql import functions as F


def gold_drug_forms(tables, as_of):
    counted = tables["nsde"].groupBy("dosage_form").agg(F.count("*").alias("drugs"))
    return counted.withColumn("counted_on", F.lit(as_of))


def gold_common_forms(tables, as_of):
    return tables["drug_forms"].where("drugs > 1").select("dosage_form")


def gold_rare_forms(tables, as_of):
    return tables["drug_forms"].where("drugs < 1").select("dosage_form")
"""
_FORM = {"name": "dosage_form"}
GOLD = [
    {
        "name": "drug_forms",
        "columns": [_FORM, {"name": "drugs", "type": "integer"}, {"name": "counted_on", "type": "date"}],
        "key": ["dosage_form"],
        "quality": [
            {"rule": "IsUnique", "column": "dosage_form", "severity": "fail"},
            {"rule": "ColumnValues", "column": "drugs", "between": [1, 50], "severity": "fail"},
            {
                "rule": "ReferentialIntegrity",
                "column": "dosage_form",
                "references": {"table": "nsde", "columns": ["dosage_form"]},
                "severity": "fail",
            },
        ],
    },
    {
        "name": "common_forms",
        "columns": [_FORM],
        "key": ["dosage_form"],
        "quality": [
            {
                "rule": "ReferentialIntegrity",
                "column": "dosage_form",
                "references": {"table": "drug_forms", "columns": ["dosage_form"]},
                "severity": "fail",
            }
        ],
    },
    {"name": "rare_forms", "columns": [_FORM], "key": ["dosage_form"]},
]
NAMES = tuple(str(table["name"]) for table in GOLD)


def datasets(folder: Path, functions: str = FUNCTIONS) -> Path:
    """A datasets' folder with the one dataset."""
    place = shutil.copytree(DATASETS / "fda" / "nsde", folder / "fda" / "nsde")
    config = place / "config" / "dataset.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "gold": GOLD}, indent=1))
    (place / "transforms.py").write_text(functions)
    return folder


def library(folder: Path, patch: pytest.MonkeyPatch, functions: str = FUNCTIONS) -> None:
    """The functions as the jobs of this process import them."""
    module = jobdocument.transforms_module("nsde")
    folder.mkdir()
    (folder / f"{module}.py").write_text(functions)
    patch.syspath_prepend(str(folder))
    patch.delitem(sys.modules, module, raising=False)
