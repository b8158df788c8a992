"""What a look at published data may find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was published. A warning concerns nothing that can't be made anew or done without."""

    path: str
    problem: str
    severity: Literal["error", "warning"]
    repair: str
