"""A dataset with gold tables as the API would describe it: answers for the fake API, beside those of `cli_literals`."""

from __future__ import annotations

from dataclasses import replace

import cli_literals as given

from pharmaetl import api
from pharmaetl.lake.documents import DataFile, GoldResult, StepResult, TableResult, TableVersion
from pharmaetl.plan import PlannedStep

RUN = given.RUN
INGREDIENTS = f"gold/product_ingredient/version=2026-07-23/run={RUN}"
CLASSES = f"gold/pharm_class/version=2026-07-23/run={RUN}"
PRODUCTS, PACKAGES = (f"silver/cder/{name}/version=2026-07-23/run={RUN}" for name in ("products", "packages"))
CHECKS = (
    given.CHECKS[1].model_copy(update={"table": "product_ingredient", "column": "substance_name"}),
    given.CHECKS[2].model_copy(update={"table": "pharm_class", "column": "product_id, class_name, class_type"}),
)
QUALITY = given.QUALITY.model_copy(update={"checks": CHECKS})
GOLD_STEP = StepResult(name="gold", outcome="done", seconds=0.93, detail="product_ingredient: 151,022 rows")
PUBLISHED = given.PUBLISHED.model_copy(
    update={
        "dataset": "cder",
        "tables": tuple(
            TableResult(name=name, rows_read=rows, rows_published=rows, rows_quarantined=0, rows_duplicate=0, path=path)
            for name, rows, path in (("products", 118_022, PRODUCTS), ("packages", 221_310, PACKAGES))
        ),
        "gold": (
            GoldResult(name="product_ingredient", rows=151_022, path=INGREDIENTS),
            GoldResult(name="pharm_class", rows=0, path=CLASSES),
        ),
        "quality": QUALITY,
        "steps": (*given.STEPS[:5], GOLD_STEP, *given.STEPS[5:]),
    }
)


def _version(name: str, path: str, rows: int) -> TableVersion:
    file = DataFile(path=f"{path}/part-00000.parquet", bytes=rows * 20, sha256="e" * 64, rows=rows)
    return TableVersion(name=name, path=path, rows=rows, files=(file,) if rows else (), digest="f" * 16)


ENTRY = given.ENTRY.model_copy(
    update={
        "dataset": "cder",
        "tables": (_version("products", PRODUCTS, 118_022), _version("packages", PACKAGES, 221_310)),
        "gold": (_version("product_ingredient", INGREDIENTS, 151_022), _version("pharm_class", CLASSES, 0)),
        "quality": QUALITY,
    }
)
PLAN = replace(
    given.PLAN,
    dataset="cder",
    steps=(*given.PLAN.steps[:-1], *(PlannedStep(name, "run") for name in ("silver", "gold", "gate", "publish"))),
)
DATASETS = (
    replace(given.DATASET, dataset="cder", tables=("products", "packages"), gold=("product_ingredient", "pharm_class")),
    given.DATASET,
)
CONFIG = {
    "dataset": "cder",
    "source_url": "https://www.accessdata.fda.gov/cder/ndctext.zip",
    "tables": [
        {
            "name": "products",
            "member": "product.txt",
            "columns": [{"name": "product_id", "source": "PRODUCTID", "type": "string"}],
        }
    ],
    "gold": [
        {
            "name": "pharm_class",
            "description": "The pharmacological classes of each product",
            "columns": [
                {"name": "product_id", "type": "string", "description": "as in products"},
                {"name": "class_name", "type": "string", "description": "without its type, such as Insulin Analog"},
                {"name": "class_type", "type": "string", "description": ""},
            ],
            "key": ["product_id", "class_name", "class_type"],
            "quality": [
                {
                    "rule": "ColumnValues",
                    "column": "class_type",
                    "columns": [],
                    "values": ["EPC", "MoA", "PE", "CS"],
                    "threshold": 1.0,
                    "severity": "warn",
                }
            ],
        }
    ],
}


def _lineage() -> api.LineageView:
    node = api.LineageNode
    bronze = [
        node("bronze", name, f"bronze/cder/{name}/run={RUN}", rows, "", (node("silver", name, path, rows, ""),))
        for name, rows, path in (("products", 118_022, PRODUCTS), ("packages", 221_310, PACKAGES))
    ]
    gold = [
        node("gold", name, path, rows, "from products, packages")
        for name, rows, path in (("product_ingredient", 151_022, INGREDIENTS), ("pharm_class", 0, CLASSES))
    ]
    raw = node("raw", "sha256 5f70", "raw/cder/sha256=5f70", None, "product.txt (9 bytes)", (*bronze, *gold))
    url = node("url", "https://example.org/ndctext.zip", None, None, "9 bytes", (raw,))
    return api.LineageView("cder", RUN, node("run", RUN, None, None, "published", (url,)), ({"eventType": "START"},))


LINEAGE = _lineage()
