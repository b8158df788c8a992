"""The machine's fitness as a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pharmaetl.cli.screen import Column, Screen, Table, toned

if TYPE_CHECKING:
    from pharmaetl.doctor import Diagnosis


def doctor(diagnoses: Sequence[Diagnosis]) -> Screen:
    """What was looked at, what was found, and what to do about it."""
    columns = (Column("what"), Column("outcome"), Column("found", wrap=True), Column("fix", wrap=True))
    rows = tuple((diagnosis.name, toned(diagnosis.outcome), diagnosis.found, diagnosis.fix) for diagnosis in diagnoses)
    return Screen({"findings": [asdict(diagnosis) for diagnosis in diagnoses]}, (Table(columns, rows),))
