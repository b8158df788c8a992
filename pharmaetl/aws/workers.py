"""How many Glue workers a job gets: as many as its text can keep busy, within what the config allows."""

from __future__ import annotations

import math

from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.pipeline import Layer

LEAST = 2
"""Glue starts no Spark job with fewer: one worker is the driver, one works."""
_GIB = 1024**3
_BRONZE_BYTES, _SILVER_BYTES = 1 * _GIB, _GIB // 2


def workers(text_bytes: int, config: DatasetConfig) -> dict[Layer, int]:
    """Workers of each job that the dataset has, by layer, for so many bytes of unpacked text.

    Spark reads text in splits of 128 MiB, and a worker of one DPU has four cores: a GiB is two rounds of its cores,
    a minute or two of work in bronze; silver types, hashes and measures the same rows, which takes about twice as
    long; gold reads what silver has written, and is given as many. More workers would wait for the driver, and a
    minute of each is paid for at least. The shipped sources, with up to a few hundred MB of text, get the two that are
    the least.
    """
    dpus = _dpus(config.worker_type)
    kept_busy: dict[Layer, int] = {"bronze": _BRONZE_BYTES, "silver": _SILVER_BYTES}
    if config.gold:
        kept_busy["gold"] = _SILVER_BYTES
    return {layer: _within(1 + math.ceil(text_bytes / (each * dpus)), config) for layer, each in kept_busy.items()}


def _within(wanted: int, config: DatasetConfig) -> int:
    return max(LEAST, min(wanted, config.number_of_workers))


def _dpus(worker_type: str) -> int:
    """DPUs of a worker: the number in its type, G.2X or R.2X (AWS Glue developer guide, worker types)."""
    return int(worker_type.partition(".")[2].rstrip("X"))
