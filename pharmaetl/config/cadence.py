"""How often a source changes, which a config says without being read as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, get_args

Cadence = Literal["daily", "weekly", "monthly"]
USUAL: Cadence = "daily"


def stated(config: Path) -> Cadence | None:
    """The cadence that a config file states; None where only reading all of it can tell what is wrong."""
    try:
        data = json.loads(config.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    found = data.get("cadence", USUAL) if isinstance(data, dict) else None
    return next((known for known in get_args(Cadence) if known == found), None)
