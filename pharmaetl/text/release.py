"""The release date that a source carries in a member's name: read from the bytes in hand, never guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from pharmaetl.config.dataset_config import ReleaseDate
from pharmaetl.config.dates import parse_pattern


def date_in(members: Sequence[str], wanted: ReleaseDate | None) -> str | None:
    """The date as YYYY-MM-DD; None where the config names no member, or none of them bears a date.

    A release may hold another one in a folder: the outermost member counts.
    """
    if wanted is None:
        return None
    pattern = parse_pattern(wanted.format)
    for member in sorted(members, key=lambda path: path.count("/")):
        named = re.search(wanted.matches, member.rpartition("/")[2])
        parts = re.fullmatch(pattern.regex.removeprefix("^").removesuffix("$"), named[1]) if named else None
        if parts is None:
            continue
        try:
            return date(*(int(parts[pattern.group(letter)]) for letter in "yMd")).isoformat()
        except ValueError:
            continue
    return None
