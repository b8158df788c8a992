"""Release files of our own making, as the sources serve them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

_NSDE = (
    "Item Code,NDC11,Proprietary Name,Dosage Form,Marketing Category,Application Number or Monograph ID,Product Type,"
    "Marketing Start Date,Marketing End Date,Billing Unit,Inactivation Date,Reactivation Date"
)
_PRODUCT = (
    "PRODUCTID", "PRODUCTNDC", "PRODUCTTYPENAME", "PROPRIETARYNAME", "PROPRIETARYNAMESUFFIX", "NONPROPRIETARYNAME",
    "DOSAGEFORMNAME", "ROUTENAME", "STARTMARKETINGDATE", "ENDMARKETINGDATE", "MARKETINGCATEGORYNAME",
    "APPLICATIONNUMBER", "LABELERNAME", "SUBSTANCENAME", "ACTIVE_NUMERATOR_STRENGTH", "ACTIVE_INGRED_UNIT",
    "PHARM_CLASSES", "DEASCHEDULE", "NDC_EXCLUDE_FLAG", "LISTING_RECORD_CERTIFIED_THROUGH",
)  # fmt: skip
_PACKAGE = (
    "PRODUCTID", "PRODUCTNDC", "NDCPACKAGECODE", "PACKAGEDESCRIPTION", "STARTMARKETINGDATE", "ENDMARKETINGDATE",
    "NDC_EXCLUDE_FLAG", "SAMPLE_PACKAGE",
)  # fmt: skip


def nsde(path: Path, numbers: range, *odd: str, name: str = "Drug") -> Path:
    """So many well-formed rows, up to 100, and lines of any other kind."""
    lines = [f"0037-0022-{n:02d},000370022{n:02d},{name} {n},TABLET,NDA,NDA1,RX,20160329,,EA,," for n in numbers]
    return _zip(path, {"nsde.csv": "\r\n".join([_NSDE, *lines, *odd, ""]).encode("utf-8-sig")})


def cder(path: Path, products: int) -> Path:
    """So many products of two ingredients, with two packages each; all sound but a package without its product."""
    about = [{"PRODUCTID": f"0002-08{n:02d}_a", "PRODUCTNDC": f"0002-08{n:02d}"} for n in range(products)]
    first = [{**one, "NDCPACKAGECODE": f"{one['PRODUCTNDC']}-{n:02d}"} for one in about for n in (1, 2)]
    stray = {"PRODUCTID": "0002-0899_z", "PRODUCTNDC": "0002-0899", "NDCPACKAGECODE": "0002-0899-01"}
    made_of = {
        "SUBSTANCENAME": "WATER; SALT", "ACTIVE_NUMERATOR_STRENGTH": "9; .5", "ACTIVE_INGRED_UNIT": "mL/1; mg/1",
        "PHARM_CLASSES": "Osmotic Laxative [EPC],Osmotic Activity [MoA]",
    }  # fmt: skip
    labelled = [{**one, "LABELERNAME": "Schwäbisch “Dr. Reddy’s”", **made_of} for one in about]
    members = {"product.txt": _text(_PRODUCT, labelled), "package.txt": _text(_PACKAGE, [*first, stray])}
    return _zip(path, members)


def _text(header: Iterable[str], lines: Iterable[dict[str, str]]) -> bytes:
    usual = {"STARTMARKETINGDATE": "19870710", "NDC_EXCLUDE_FLAG": "N"}
    cells = [list(header), *[[{**usual, **line}.get(name, "") for name in header] for line in lines]]
    return ("\r\n".join("\t".join(row) for row in cells) + "\r\n").encode("cp1252")


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    """Equal content is the same file: its members bear no time."""
    part = path.with_suffix(".part")
    with zipfile.ZipFile(part, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return part.replace(path)
