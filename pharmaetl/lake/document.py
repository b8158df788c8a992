"""What every JSON document of a lake has in common.

Unknown keys are ignored, so that an older pharmaetl reads what a newer one of the same format wrote.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

FORMAT = 1
"""The format of log entries, run records and acceptances; a reader refuses a higher one."""


class Document(BaseModel):
    """A JSON object in the lake."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)
