"""Run ids: `20261123T031500Z-1f2e3d4c`, the UTC start and a digest of what the run works on.

Same suffix means same dataset, source, config and code. Ids sort by time and are safe in a path on every storage.
Standard library only.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pharmaetl import hashing

_SHAPE = re.compile(r"([0-9]{8}T[0-9]{6})Z-[0-9a-f]{8}")


def digest8(*, dataset: str, source_sha256: str, config_sha256: str, code_sha256: str) -> str:
    """Eight hex digits that stand for the inputs of a run."""
    return hashing.of_json([dataset, source_sha256, config_sha256, code_sha256])[:8]


def make(started: datetime, *, dataset: str, source_sha256: str, config_sha256: str, code_sha256: str) -> str:
    """The id of the run that starts at this moment (whole seconds count) on these inputs.

    `source_sha256` is empty where a run fails before it knows its source. Raises ValueError for a time without a zone.
    """
    if started.tzinfo is None:
        raise ValueError("the start of a run needs a time zone")
    # isoformat pads years to four digits, strftime does not
    moment = started.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    suffix = digest8(dataset=dataset, source_sha256=source_sha256, config_sha256=config_sha256, code_sha256=code_sha256)
    return f"{moment.replace('-', '').replace(':', '')}Z-{suffix}"


def started_at(run_id: str) -> datetime:
    """The UTC moment that a run id names. Raises ValueError for what is no run id."""
    shape = _SHAPE.fullmatch(run_id)
    if shape is None:
        raise ValueError(f"{run_id!r} is no run id: they look like 20261123T031500Z-1f2e3d4c")
    return datetime.strptime(shape[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def is_run_id(text: str) -> bool:
    """Does this text have the shape of a run id, with a date and time that exist?"""
    try:
        started_at(text)
    except ValueError:
        return False
    return True
