"""Which engine a run uses, and why: the rule of decision 13."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from pharmaetl.engine.java import need_java
from pharmaetl.errors import EngineUnavailableError
from pharmaetl.run_options import EngineName


@dataclass(frozen=True)
class Choice:
    """Which engine a run uses, and why."""

    name: Literal["sail", "spark"]
    reason: str
    master: str | None = None


def choose(asked: EngineName, master: str | None = None) -> Choice:
    """The engine for a run; EngineUnavailableError, with what to install, where it can't start here.

    The size of the source is not asked for: Sail was faster than JVM Spark at every size that was measured.
    """
    if master is not None:
        if asked == "sail":
            raise EngineUnavailableError(
                "--master names a Spark cluster, and sail is no client of one", hint="use --engine spark"
            )
        need_java()
        return Choice("spark", f"cluster {master}", master)
    if asked == "auto":
        if has_sail():
            return Choice("sail", "embedded, fastest at every size measured; equal to Spark by the parity suite")
        need_java()
        return Choice("spark", "pysail is not installed")
    if asked == "sail" and not has_sail():
        raise EngineUnavailableError(
            "engine sail needs the package pysail", hint="pip install pysail, or use --engine spark"
        )
    if asked == "spark":
        need_java()
    return Choice(asked, "asked for")


def has_sail() -> bool:
    """Is the embedded engine installed?"""
    return importlib.util.find_spec("pysail") is not None
