"""Fetching for tests: a file to serve, and a fetch with a spool of its own that never sleeps."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

from fault_server import File

from pharmaetl.download import source
from pharmaetl.download.source import Fetched, Known, Limits, NotModified

BODY = random.Random(1).randbytes(300_000)
FILE = File(BODY)


class Fetching:
    """Call it to fetch. `naps` are the seconds that it would have slept."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.naps: list[float] = []

    def __call__(self, url: str, known: Known | None = None, progress: Any = None, **limits: Any) -> Any:
        bounds = Limits(**{"read_seconds": 5, "total_seconds": 10, **limits})
        return source.fetch(url, self.spool, limits=bounds, known=known, progress=progress, sleep=self.naps.append)

    def left(self) -> list[str]:
        """The names of the files in the spool."""
        return sorted(path.name for path in self.spool.iterdir())

    def leave(self, url: str, partial: bytes, note: str) -> None:
        """What an earlier run may have left."""
        stem = hashlib.sha256(url.encode()).hexdigest()[:16]
        self.spool.mkdir()
        (self.spool / f"{stem}.partial").write_bytes(partial)
        (self.spool / f"{stem}.json").write_text(note)


def is_whole(fetched: Fetched | NotModified) -> bool:
    assert isinstance(fetched, Fetched)
    return fetched.path.read_bytes() == BODY and fetched.sha256 == hashlib.sha256(BODY).hexdigest()
