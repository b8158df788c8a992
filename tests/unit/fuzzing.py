"""How much is fuzzed: a bounded, repeatable part in every test run, and on demand a long one with random seeds."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("PHARMAETL_FUZZ") == "long"
_LONGER = 100


def fuzz(examples: int) -> settings:
    """Settings for a test: so many examples, always the same ones; with PHARMAETL_FUZZ=long a hundred times as many."""
    return settings(
        max_examples=examples * (_LONGER if LONG else 1),
        derandomize=not LONG,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
