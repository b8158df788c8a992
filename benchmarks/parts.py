"""One part of a run as a process of its own; writes the seconds that it took, without start and imports, to a file.

python -m benchmarks.parts fetch URL FOLDER
python -m benchmarks.parts unpack ARCHIVE FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

SECONDS = "seconds"


def fetch(url: str, folder: Path) -> None:
    """Download and hash."""
    from pharmaetl.download import source

    source.fetch(url, folder / "spool")


def unpack(archive: str, folder: Path) -> None:
    """Every member of a zip to UTF-8 text."""
    from pharmaetl.text import unpack as unpacking

    path = Path(archive)
    for number, found in enumerate(unpacking.members(path, path.name)):
        unpacking.unpack(path, found, folder / f"{number}.txt")


def main(part: str, source: str, place: str) -> None:
    """Do a part, timed."""
    import pharmaetl.download.source
    import pharmaetl.text.unpack  # noqa: F401  (imported before the clock starts)

    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    {"fetch": fetch, "unpack": unpack}[part](source, folder)
    (folder / SECONDS).write_text(str(time.monotonic() - begun))


if __name__ == "__main__":
    main(*sys.argv[1:])
