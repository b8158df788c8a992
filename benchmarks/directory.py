"""Lines of the NDC directory: products and their packages, two in three products with two packages."""

from __future__ import annotations

import random
from collections.abc import Iterator

from benchmarks.nsde import CATEGORIES, FORMS, NAMES, TYPES

PRODUCT_HEADER = (
    "PRODUCTID\tPRODUCTNDC\tPRODUCTTYPENAME\tPROPRIETARYNAME\tPROPRIETARYNAMESUFFIX\tNONPROPRIETARYNAME\t"
    "DOSAGEFORMNAME\tROUTENAME\tSTARTMARKETINGDATE\tENDMARKETINGDATE\tMARKETINGCATEGORYNAME\tAPPLICATIONNUMBER\t"
    "LABELERNAME\tSUBSTANCENAME\tACTIVE_NUMERATOR_STRENGTH\tACTIVE_INGRED_UNIT\tPHARM_CLASSES\tDEASCHEDULE\t"
    "NDC_EXCLUDE_FLAG\tLISTING_RECORD_CERTIFIED_THROUGH"
)
PACKAGE_HEADER = (
    "PRODUCTID\tPRODUCTNDC\tNDCPACKAGECODE\tPACKAGEDESCRIPTION\tSTARTMARKETINGDATE\tENDMARKETINGDATE\t"
    "NDC_EXCLUDE_FLAG\tSAMPLE_PACKAGE"
)
SUBSTANCES = ("BACITRACIN", "FLUOXETINE HYDROCHLORIDE", "IBUPROFEN", "CAFÉINE", "ZINC OXIDE")
CLASSES = "Serotonin Reuptake Inhibitor [EPC],Serotonin Uptake Inhibitors [MoA]"


def products(count: int, seed: int) -> Iterator[str]:
    """Lines of product.txt."""
    yield PRODUCT_HEADER
    for number in range(count):
        chance = random.Random(f"{seed}-{number}")
        ndc, document, started = _identity(number, chance)
        substances = [chance.choice(SUBSTANCES) for _ in range(chance.choice((1, 1, 2, 3)))]
        cells = (
            f"{ndc}_{document}",
            ndc,
            chance.choice(TYPES),
            f"{chance.choice(NAMES)} {chance.randrange(900)}",
            chance.choice(("", "", "Weekly", "XR")),
            substances[0].capitalize(),
            chance.choice(FORMS),
            chance.choice(("ORAL", "ORAL; TOPICAL", "INTRAMUSCULAR; INTRAVENOUS")),
            started,
            "",
            chance.choice(CATEGORIES),
            f"NDA{chance.randrange(99_999):06d}",
            f"Laboratories {number // 10_000}",
            "; ".join(substances),
            "; ".join(str(chance.randrange(1, 500)) for _ in substances),
            "; ".join("mg/1" for _ in substances),
            chance.choice(("", CLASSES)),
            chance.choice(("", "", "", "CII", "CIV")),
            "N",
            "20251231",
        )
        yield "\t".join(cells)


def packages(count: int, seed: int) -> Iterator[str]:
    """Lines of package.txt for as many products."""
    yield PACKAGE_HEADER
    for number in range(count):
        ndc, document, started = _identity(number, random.Random(f"{seed}-{number}"))
        for package in range(1 if number % 3 == 0 else 2):
            code = f"{ndc}-{package:02d}"
            text = f"1 BOTTLE in 1 CARTON ({code})  > {10 * (package + 1)} TABLET in 1 BOTTLE"
            yield "\t".join((f"{ndc}_{document}", ndc, code, text, started, "", "N", "N"))


def _identity(number: int, chance: random.Random) -> tuple[str, str, str]:
    """Product NDC, SPL document and marketing start: the same for a product and its packages."""
    document = f"{chance.getrandbits(32):08x}-{chance.getrandbits(16):04x}-4444-8888-{number:012x}"
    started = f"{chance.randrange(1950, 2025)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
    return f"{1000 + number // 10_000:04d}-{number % 10_000:04d}", document, started
