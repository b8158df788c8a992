"""The column expressions against the Python rules on generated codes: one job for thousands of them.

The same codes each time; PHARMAETL_FUZZ=long takes others, and many more.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from test_spark_ndc import by_python

from pharmaetl.spark import ndc as columns
from pharmaetl.spark.dialect import F

pytestmark = pytest.mark.engine
LONG = os.environ.get("PHARMAETL_FUZZ") == "long"
LETTERS = "0123456789" * 3 + "***--  AWX\u00a0\u0660\uff11\u200b\r\n\0."


def codes(dice: random.Random, count: int) -> Iterator[str]:
    """One to four segments of any length up to seven, mostly digits, and texts of any letters."""
    for _ in range(count):
        if dice.random() < 0.7:
            lengths = dice.choice(
                [(5, 4, 2), (4, 4, 2), (5, 3, 2), (5, 4, 1), (6, 4, 2), (5, 4), (11,), (12,), (10,), None]
            )
            lengths = lengths or [dice.randrange(8) for _ in range(dice.randrange(1, 5))]
            letters = dice.choice(["0123456789", "0123456789*", "00000001", "0"])
            yield "-".join("".join(dice.choices(letters, k=length)) for length in lengths)
        else:
            yield "".join(dice.choices(LETTERS, k=dice.randrange(17)))


def test_the_engine_agrees_with_python_on_generated_codes(spark: SparkSession) -> None:
    seed = random.SystemRandom().randrange(10**9) if LONG else 20250101
    generated = list(codes(random.Random(seed), 500_000 if LONG else 8_000))
    code = F.col("code")
    eleven = columns.ndc11(code)
    computed = spark.createDataFrame(list(enumerate(generated)), "place int, code string").select(
        "place", eleven, columns.reason(code), columns.ndc9(code), columns.code_type(code), columns.ndc12(eleven),
        columns.labeler(eleven),
    )  # fmt: skip
    results = {row[0]: tuple(row)[1:] for row in computed.collect()}
    differ = [(text, results[n], by_python(text)) for n, text in enumerate(generated) if results[n] != by_python(text)]
    assert differ == [], f"seed {seed}"
    assert sum(row[0] is not None for row in results.values()) > len(generated) // 10
