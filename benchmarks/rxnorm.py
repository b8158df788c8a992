"""Rows of RxNorm's three large tables; every concept that a row names is one of RXNCONSO's."""

from __future__ import annotations

import random
from collections.abc import Iterator

from benchmarks.nsde import FORMS, NAMES

ATOMS_PER_CONCEPT = 4


def rxnconso(rows: int, chance: random.Random) -> Iterator[str]:
    """Lines of RXNCONSO.RRF."""
    for number in range(rows):
        concept = number // ATOMS_PER_CONCEPT
        name = f"{chance.choice(NAMES)} {chance.randrange(900)} MG {chance.choice(FORMS)}"
        yield f"{concept}|ENG||||||{number}|{number}|{concept}||RXNORM|SCD|{concept}|{name}||N|4096|"


def rxnrel(rows: int, chance: random.Random) -> Iterator[str]:
    """Lines of RXNREL.RRF."""
    concepts = max(1, rows * 12 // 75 // ATOMS_PER_CONCEPT)
    for number in range(rows):
        other = chance.randrange(concepts)
        yield f"{number % concepts}||CUI|RO|{other}||CUI|has_ingredient|{number}||RXNORM|RXNORM||||4096|"


def rxnsat(rows: int, chance: random.Random) -> Iterator[str]:
    """Lines of RXNSAT.RRF."""
    concepts = max(1, rows * 12 // 70 // ATOMS_PER_CONCEPT)
    for number in range(rows):
        concept, ndc = number % concepts, f"{chance.randrange(10**10):011d}"
        yield f"{concept}|||{number // 6}|AUI|{concept}|AT{number}||NDC|RXNORM|{ndc}|N|4096|"
