"""Which engine a run uses, and why: the rule of decisions 13 and 15."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from pharmaetl.catalog import Dataset
from pharmaetl.engine.duck import vouched
from pharmaetl.engine.java import need_java
from pharmaetl.errors import EngineUnavailableError
from pharmaetl.run_options import EngineName

_WHY_DUCKDB = "in this process; fastest at every size measured, equal to Spark by the parity suite"


@dataclass(frozen=True)
class Choice:
    """Which engine a run uses, and why."""

    name: Literal["duckdb", "sail", "spark"]
    reason: str
    master: str | None = None


def choose(asked: EngineName, master: str | None = None, dataset: Dataset | None = None) -> Choice:
    """The engine for a run; EngineUnavailableError, with what to install, where it can't start here.

    The size of the source is not asked for: DuckDB was faster than Sail, and Sail than JVM Spark, at every size that
    was measured. `dataset`: None where any may come.
    """
    if master is not None:
        if asked in {"duckdb", "sail"}:
            raise EngineUnavailableError(
                f"--master names a Spark cluster, and {asked} is no client of one", hint="use --engine spark"
            )
        need_java()
        return Choice("spark", f"cluster {master}", master)
    if asked == "auto":
        refusal = _no_duckdb(dataset)
        if refusal is None:
            return Choice("duckdb", _WHY_DUCKDB)
        if has_sail():
            return Choice("sail", f"embedded; {refusal}")
        need_java()
        return Choice("spark", f"{refusal}; pysail is not installed")
    if asked == "duckdb" and (refusal := _no_duckdb(dataset)):
        raise EngineUnavailableError(f"engine duckdb can't run this: {refusal}", hint="use --engine sail or spark")
    if asked == "sail" and not has_sail():
        raise EngineUnavailableError(
            "engine sail needs the package pysail", hint="pip install pysail, or use --engine spark"
        )
    if asked == "spark":
        need_java()
    return Choice(asked, "asked for")


def _no_duckdb(dataset: Dataset | None) -> str | None:
    """Why DuckDB can't run a dataset here; None where it can."""
    if not has_duckdb():
        return "duckdb is not installed"
    return vouched.refusal(dataset) if dataset is not None else None


def has_duckdb() -> bool:
    """Is the engine of datasets without Python of their own installed?"""
    return importlib.util.find_spec("duckdb") is not None


def has_sail() -> bool:
    """Is the embedded engine installed?"""
    return importlib.util.find_spec("pysail") is not None
