"""When a dataset's schedules ring: by its cadence, at a time that its name decides, so that not all ring at once."""

from __future__ import annotations

import hashlib
from typing import assert_never

from pharmaetl.config.dataset_config import DatasetConfig

_FIRST_HOUR, _HOURS = 6, 4
"""Between 06:00 and 10:00 UTC: FDA's nightly files are out, and it is night in the United States."""


def of_runs(config: DatasetConfig) -> str:
    """The cron expression of EventBridge Scheduler (UTC) by which the dataset is run."""
    place = _digest(config.dataset)
    minute, hour = place % 60, _FIRST_HOUR + place // 60 % _HOURS
    match config.cadence:
        case "daily":
            return f"cron({minute} {hour} * * ? *)"
        case "weekly":
            return f"cron({minute} {hour} ? * {1 + place // 240 % 7} *)"
        case "monthly":
            return f"cron({minute} {hour} {1 + place // 240 % 28} * ? *)"
        case _ as never:
            assert_never(never)


def of_freshness(config: DatasetConfig) -> str:
    """Every six hours whatever the cadence: how old is what is published?"""
    return f"cron({_digest(config.dataset) % 60} 0/6 * * ? *)"


def _digest(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
