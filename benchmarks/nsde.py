"""Lines of an NSDE release: package codes of all shapes, blanks, impossible dates, and rows that stand there twice."""

from __future__ import annotations

import random
from collections.abc import Iterator

HEADER = (
    "Item Code,NDC11,Proprietary Name,Dosage Form,Marketing Category,Application Number or Monograph ID,Product Type,"
    "Marketing Start Date,Marketing End Date,Billing Unit,Inactivation Date,Reactivation Date"
)
NAMES = (
    "Astelin",
    "Felbatol",
    "Butisol Sodium",
    'Rowasa "XR"',
    "Tylenol, Extra Strength",
    "ibuprofen",
    "Crème de Soin",
)
FORMS = ("TABLET", "TABLET, FILM COATED", "SPRAY, METERED", "INJECTION, SOLUTION", "CAPSULE", "LIQUID")
CATEGORIES = ("NDA", "ANDA", "OTC MONOGRAPH FINAL", "UNAPPROVED DRUG OTHER", "BLA")
TYPES = ("HUMAN PRESCRIPTION DRUG", "HUMAN OTC DRUG")
UNITS = ("", "EA", "ML", "GM")
IMPOSSIBLE_DATES = ("20230230", "00000000", "20241301")
TWIN_SHARE, BLANK_SHARE, NHRIC_SHARE, IMPOSSIBLE_SHARE = 0.01, 0.01, 0.005, 0.002
WAITING = 500
"""Twins stand that many twins apart from their first, about 50,000 rows."""


def nsde(rows: int, seed: int) -> Iterator[str]:
    """The header and so many rows; one in a hundred repeats an earlier one exactly."""
    chance = random.Random(seed)
    yield HEADER
    twins: list[str] = []
    written = number = 0
    while written < rows:
        if len(twins) >= WAITING or written + len(twins) >= rows:
            yield twins.pop(0)
        else:
            line = ",".join(map(_quoted, _cells(number, chance)))
            number += 1
            if written and chance.random() < TWIN_SHARE and written + len(twins) + 1 < rows:
                twins.append(line)
            yield line
        written += 1


def code(number: int) -> tuple[str, str]:
    """The package code of this number, in one of the three shapes of ten digits, and its eleven digits."""
    shape, serial = number % 3, number // 3
    if shape == 0:
        labeler, product, package = 1000 + serial // 1_000_000, serial // 100 % 10_000, serial % 100
        return f"{labeler:04d}-{product:04d}-{package:02d}", f"{labeler:05d}{product:04d}{package:02d}"
    labeler, within = (20_000 if shape == 1 else 60_000) + serial // 100_000, serial % 100_000
    if shape == 1:
        return f"{labeler}-{within // 100:03d}-{within % 100:02d}", f"{labeler}0{within:05d}"
    return f"{labeler}-{within // 10:04d}-{within % 10}", f"{labeler}{within // 10:04d}0{within % 10}"


def _cells(number: int, chance: random.Random) -> tuple[str, ...]:
    item, ndc11 = code(number)
    roll = chance.random()
    if roll < NHRIC_SHARE:
        item, ndc11 = f"{10_000 + number // 90_000:05d}-{10_000 + number % 90_000:05d}", ""
    name = f"{NAMES[chance.getrandbits(16) % len(NAMES)]} {chance.getrandbits(16) % 5000}"
    bits = chance.getrandbits(48)
    start = f"{1950 + bits % 75}{1 + bits // 75 % 12:02d}{1 + bits // 900 % 28:02d}"
    return (
        item,
        ndc11,
        f"  {name} " if roll > 1 - BLANK_SHARE else name,
        FORMS[bits % len(FORMS)],
        CATEGORIES[bits // 7 % len(CATEGORIES)],
        f"NDA{bits // 11 % 99_999:06d}",
        TYPES[bits // 13 % len(TYPES)],
        IMPOSSIBLE_DATES[bits % 3] if 0.5 < roll < 0.5 + IMPOSSIBLE_SHARE else start,
        f"{2025 + bits % 5}0630" if roll > 0.8 else "",
        UNITS[bits // 17 % len(UNITS)],
        "20240115" if roll > 0.98 else "",
        "20240731" if roll > 0.99 else "",
    )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
