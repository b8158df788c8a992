"""Fixtures of a state machine over fakes. A test module asks for them by `pytest_plugins = ["machine_fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import moto_patches
import pytest
from machine import NSDE, Machine, aws, deploy, environment
from machine_stages import FETCHED, PUBLISHED, RECORDED, Stages


@pytest.fixture
def stages() -> Stages:
    return Stages()


@pytest.fixture
def waited(stages: Stages, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stages instead of functions and jobs; what the retries would have waited."""
    environment(monkeypatch)
    names: dict[str, dict[str, dict[str, Any]]] = {
        "nsde-fetch-and-hash": {"fetch": FETCHED},
        "nsde-update-manifest": {"publish": PUBLISHED, "record_failure": RECORDED},
    }
    moto_patches.functions(monkeypatch, {name: stages.function(usual) for name, usual in names.items()})
    moto_patches.jobs(monkeypatch, {f"nsde-{layer}-etl": stages.job(layer) for layer in ("bronze", "silver")})
    moto_patches.glue_sync(monkeypatch)
    return moto_patches.no_waiting(monkeypatch)


@pytest.fixture
def machine(waited: list[float]) -> Iterator[Machine]:
    with aws():
        yield deploy(NSDE)
