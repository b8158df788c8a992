"""Release files of any size, made from a seed: NSDE as CSV in a zip, RxNorm as RRF in a zip.

python -m benchmarks.generate nsde 300000 nsde.zip
python -m benchmarks.generate rxnorm 7000000 rxnorm.zip        rows of RXNSAT; the other tables in proportion
"""

from __future__ import annotations

import io
import random
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

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
LINES_AT_ONCE = 20_000


def quoted(text: str) -> str:
    """A CSV cell, in quotes where it needs them."""
    return '"' + text.replace('"', '""') + '"' if set(text) & {",", '"'} else text


def nsde(rows: int, seed: int) -> Iterator[str]:
    """Lines of an NSDE release, all codes different."""
    chance = random.Random(seed)
    yield HEADER
    for number in range(rows):
        labeler, product, package = number // 1_000_000 + 1000, number // 100 % 10_000, number % 100
        cells = (
            f"{labeler:04d}-{product:04d}-{package:02d}",
            f"{labeler:05d}{product:04d}{package:02d}",
            f"{chance.choice(NAMES)} {chance.randrange(5000)}",
            chance.choice(FORMS),
            chance.choice(CATEGORIES),
            f"NDA{chance.randrange(99999):06d}",
            chance.choice(TYPES),
            f"{chance.randrange(1950, 2025)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}",
            f"{chance.randrange(2025, 2030)}0630" if chance.random() < 0.2 else "",
            chance.choice(("", "EA", "ML", "GM")),
            "",
            "",
        )
        yield ",".join(map(quoted, cells))


def rxnconso(rows: int, chance: random.Random) -> Iterator[str]:
    """Lines of RXNCONSO.RRF."""
    for number in range(rows):
        name = f"{chance.choice(NAMES)} {chance.randrange(900)} MG {chance.choice(FORMS)}"
        yield f"{number // 4}|ENG||||||{number}|{number}|{number // 4}||RXNORM|SCD|{number // 4}|{name}||N|4096|"


def rxnrel(rows: int, chance: random.Random) -> Iterator[str]:
    """Lines of RXNREL.RRF."""
    for number in range(rows):
        other = chance.randrange(rows // 25 + 1)
        yield f"{number // 25}||CUI|RO|{other}||CUI|has_ingredient|{number}||RXNORM|RXNORM||||4096|"


def rxnsat(rows: int, chance: random.Random) -> Iterator[str]:
    """Lines of RXNSAT.RRF."""
    for number in range(rows):
        concept, ndc = number // 23, f"{chance.randrange(10**10):011d}"
        yield f"{concept}|||{number // 6}|AUI|{concept}|AT{number}||NDC|RXNORM|{ndc}|N|4096|"


def write_member(archive: zipfile.ZipFile, name: str, lines: Iterator[str], end: str) -> None:
    """Stream lines into one member of a zip."""
    with archive.open(name, "w", force_zip64=True) as member, io.TextIOWrapper(member, "utf-8", newline="") as text:
        while block := [line for _, line in zip(range(LINES_AT_ONCE), lines, strict=False)]:
            text.write(end.join(block) + end)


def generate(kind: str, rows: int, target: Path, seed: int = 1) -> None:
    """Write a release file; the same seed gives the same content."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if kind == "nsde":
            write_member(archive, "Comprehensive_NDC_SPL_Data_Elements_File.csv", nsde(rows, seed), "\r\n")
            return
        chance = random.Random(seed)
        write_member(archive, "rrf/RXNCONSO.RRF", rxnconso(rows * 12 // 70, chance), "\n")
        write_member(archive, "rrf/RXNREL.RRF", rxnrel(rows * 75 // 70, chance), "\n")
        write_member(archive, "rrf/RXNSAT.RRF", rxnsat(rows, chance), "\n")
        archive.writestr("Readme_Full_10062025.txt", "synthetic")


if __name__ == "__main__":
    generate(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
