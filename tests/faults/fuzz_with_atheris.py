"""Coverage-guided fuzzing of whatever reads a file, on demand: atheris is no dependency, since it is on few platforms.

    pip install atheris
    python tests/faults/fuzz_with_atheris.py config|zip|text|ndc|document [-max_total_time=SECONDS] [CORPUS_FOLDER]

It stops at the first input that raises anything but an error of ours, and leaves that input beside it as `crash-…`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pharmaetl"]):
    from pharmaetl import ndc
    from pharmaetl.config import configfile
    from pharmaetl.config.dialect import DIALECTS
    from pharmaetl.errors import PharmaetlError
    from pharmaetl.lake import documentfile
    from pharmaetl.lake.documents import LogEntry, RunRecord
    from pharmaetl.text import delimited, unpack

FOLDER = Path(tempfile.mkdtemp(prefix="pharmaetl-fuzz-"))
CAPS = unpack.Limits(max_members=50, max_member_bytes=1_000_000, max_total_bytes=2_000_000, ratio_from=100_000)


def config(data: bytes) -> None:
    """A config file."""
    path = FOLDER / "dataset.json"
    path.write_bytes(data)
    configfile.read(path)


def archive(data: bytes) -> None:
    """A source."""
    path = FOLDER / "source.zip"
    path.write_bytes(data)
    for found in unpack.members(path, "source.zip", CAPS):
        assert unpack.unpack(path, found, FOLDER / "text", limits=CAPS).bytes <= CAPS.max_member_bytes


def text(data: bytes) -> None:
    """A delimited text, under each dialect; the accounts add up."""
    path = FOLDER / "text"
    path.write_bytes(data[1:])
    for dialect in DIALECTS.values():
        split = delimited.split(path, dialect, 1 + (data[:1] or b"\0")[0] % 8, FOLDER)
        assert split.rows_read == split.records.read_bytes().count(b"\n") + split.rows_rejected


def code(data: bytes) -> None:
    """A drug code."""
    served = data.decode("utf-8", "replace")
    digits = ndc.ndc11(served)
    assert digits is None or (len(digits) == 11 and ndc.ndc11(digits) == digits and ndc.ndc9(served) == digits[:9])
    ndc.code_type(served)


def document(data: bytes) -> None:
    """A log entry, a run record."""
    for model in (LogEntry, RunRecord):
        with suppress(PharmaetlError):
            documentfile.decode(model, "manifests/demo/00000001.json", data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "config": config,
    "zip": archive,
    "text": text,
    "ndc": code,
    "document": document,
}


def main() -> None:
    """Fuzz the target that the first word names."""
    target = TARGETS[sys.argv.pop(1)]

    def one(data: bytes) -> None:
        with suppress(PharmaetlError):
            target(data)

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
