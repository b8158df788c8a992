"""A dataset of two small tables for crash tests: its config, its releases, and lakes in which it is published."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

NAME = "toys"
BOXES, LIDS, COLOURS = "boxes", "lids", "colours"
"""Two silver tables, and a gold one made from both."""
KEY_VARIABLE, CANARY = "TOYS_API_KEY", "canary-7f3a9c51e2"
"""A secret that the source's URL needs, and that must not turn up anywhere."""


def make_catalog(folder: Path, *names: str) -> Path:
    """A folder of datasets with the toys in it, of these tables. Only the current version is kept by `prune`.

    The stand-in for the engine makes the gold table, where it is one of them; transforms.py only has to be there.
    """
    columns = [{"name": name, "source": name.title()} for name in ("code", "name", "colour")]
    tables = [{"name": name, "member": f"{name}.csv", "columns": columns} for name in names if name != COLOURS]
    config = {"dataset": NAME, "source_url": "toys.zip", "tables": tables, "retention": {"versions": 1, "days": 0}}
    path = folder / "acme" / NAME / "config" / "dataset.json"
    path.parent.mkdir(parents=True)
    if COLOURS in names:
        config["gold"] = [{"name": COLOURS, "columns": [{"name": "code"}, {"name": "colour"}]}]
        path.parent.with_name("transforms.py").write_text(
            "def gold_colours(tables, as_of):\n    raise AssertionError\n"
        )
    path.write_text(json.dumps(config))
    return folder


def make_release(path: Path, count: int) -> Path:
    """So many boxes and ten lids: among the boxes one that silver refuses, one twice, and one with too many cells."""
    boxes = [f"B{number:03d},box {number},red" for number in range(count)]
    odd = ["B900,refused,red", boxes[0], "B901,malformed,red,green"]
    members = {BOXES: [*boxes, *odd], LIDS: [f"L{number:03d},lid {number},blue" for number in range(10)]}
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, lines in members.items():
            info = zipfile.ZipInfo(f"{name}.csv", (2026, 11, 23, 0, 0, 0))
            archive.writestr(info, "\n".join(["Code,Name,Colour", *lines, ""]))
    return path
