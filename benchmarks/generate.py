"""Release files of any size, made from a seed, in the packaging of the real ones.

python -m benchmarks.generate nsde 300000 nsde.zip [SEED]
python -m benchmarks.generate cder 120000 ndctext.zip       products; packages in proportion
python -m benchmarks.generate rxnorm 7000000 rxnorm.zip     rows of RXNSAT; the other tables in proportion
"""

from __future__ import annotations

import io
import random
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import rxnorm
from benchmarks.directory import packages, products
from benchmarks.nsde import nsde

LINES_AT_ONCE = 20_000
NSDE_MEMBER = "Comprehensive_NDC_SPL_Data_Elements_File.csv"
CRLF, LF = "\r\n", "\n"


def write_member(archive: zipfile.ZipFile, name: str, lines: Iterator[str], end: str, encoding: str = "utf-8") -> None:
    """Stream lines into one member of a zip."""
    stamped = zipfile.ZipInfo(name)
    stamped.compress_type = zipfile.ZIP_DEFLATED
    with (
        archive.open(stamped, "w", force_zip64=True) as member,
        io.TextIOWrapper(member, encoding, newline="") as text,
    ):
        while block := [line for _, line in zip(range(LINES_AT_ONCE), lines, strict=False)]:
            text.write(end.join(block) + end)


def write_nsde(archive: zipfile.ZipFile, rows: int, seed: int) -> None:
    """NSDE: one quoted CSV."""
    write_member(archive, NSDE_MEMBER, nsde(rows, seed), CRLF)


def write_cder(archive: zipfile.ZipFile, rows: int, seed: int) -> None:
    """The NDC directory: tab-separated, cp1252, no quoting."""
    write_member(archive, "product.txt", products(rows, seed), CRLF, "cp1252")
    write_member(archive, "package.txt", packages(rows, seed), CRLF, "cp1252")


def write_rxnorm(archive: zipfile.ZipFile, rows: int, seed: int) -> None:
    """RxNorm: three RRF tables, 12 to 75 to 70 rows as in the full release, and the Readme that dates it."""
    chance = random.Random(seed)
    write_member(archive, "rrf/RXNCONSO.RRF", rxnorm.rxnconso(rows * 12 // 70, chance), LF)
    write_member(archive, "rrf/RXNREL.RRF", rxnorm.rxnrel(rows * 75 // 70, chance), LF)
    write_member(archive, "rrf/RXNSAT.RRF", rxnorm.rxnsat(rows, chance), LF)
    write_member(archive, "Readme_Full_10062025.txt", iter(["synthetic"]), LF)


KINDS: dict[str, Callable[[zipfile.ZipFile, int, int], None]] = {
    "nsde": write_nsde,
    "cder": write_cder,
    "rxnorm": write_rxnorm,
}


def generate(kind: str, rows: int, target: Path, seed: int = 1) -> None:
    """Write a release file; the same seed gives the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        KINDS[kind](archive, rows, seed)


if __name__ == "__main__":
    generate(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:5]))
