"""λ freshness: how old what is published is, as metrics, whether or not anything runs; it only reads the lake."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from pharmaetl import catalog, status
from pharmaetl.errors import PharmaetlError
from pharmaetl.place import Place

NAMESPACE = "pharmaetl"
STALE, AGE = "Stale", "AgeHours"
"""1 where the cadence's patience is over or nothing is published, else 0; and hours since the version was published."""


def handler(event: object, context: object) -> dict[str, Any]:  # noqa: ARG001, the signature is Lambda's
    """Write the metrics of the dataset to the log, from which CloudWatch takes them, and return them."""
    dataset = os.environ["PHARMAETL_DATASET"]
    metrics = measured(Place(os.environ["PHARMAETL_LAKE"]), dataset)
    sys.stdout.write(json.dumps(embedded(dataset, metrics, round(time.time() * 1000))) + "\n")
    return {"dataset": dataset, **metrics}


def measured(place: Place, dataset: str) -> dict[str, float]:
    """The metrics by name. A lake that can't be read is stale: nobody else can read it either."""
    try:
        found = status.status(place.storage, catalog.Catalog(catalog.shipped()), dataset).datasets[0]
    except PharmaetlError as error:
        sys.stdout.write(json.dumps({"level": "ERROR", "dataset": dataset, "message": error.reason}) + "\n")
        return {STALE: 1}
    if found.age_hours is None:
        return {STALE: 1}
    return {STALE: int(bool(found.stale)), AGE: found.age_hours}


def embedded(dataset: str, metrics: dict[str, float], milliseconds: int) -> dict[str, Any]:
    """The metrics in CloudWatch's embedded metric format."""
    units = [{"Name": name, "Unit": "None"} for name in metrics]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["dataset"]], "Metrics": units}
    return {"_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]}, "dataset": dataset, **metrics}
