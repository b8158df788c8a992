"""The functions of a dataset's transforms.py."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from pharmaetl.errors import EngineError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def load_transform(path: str, name: str) -> Callable[..., DataFrame] | None:
    """A function of a dataset's transforms.py, or of the module of this name; None where it has none of that name."""
    module = _module_at(path) if path.endswith(".py") else importlib.import_module(path)
    function: Callable[..., DataFrame] | None = getattr(module, name, None)
    return function


def _module_at(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("pharmaetl_transforms", path)
    if spec is None or spec.loader is None:
        raise EngineError(f"{path} can't be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
