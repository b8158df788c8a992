"""Texts without outer blanks, which every engine looks at in its own way, against Python."""

from __future__ import annotations

import random

import pytest
from pyspark.sql import SparkSession

from pharmaetl.spark import columns

pytestmark = pytest.mark.engine
BLANKS = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000"
)
NONE = "\x1b\x1d\x7f\u200b\u180e\ufeff\u2060"
"""Seen as nothing, and yet no blanks."""
INNER = ("", "a", "~", "!", "-", "é", "日本", "\U0001f48a", "Crème de Soin 2577", "two  words", "e\u0301", "a\u00a0b")


def texts(dice: random.Random) -> list[str | None]:
    """Every blank before, behind and around every inner text, and texts of anything."""
    found: list[str | None] = [None, "", " " * 40, "x" * 5_000 + " "]
    found += [
        text for inner in INNER for one in BLANKS + NONE for text in (one + inner, inner + one, one + inner + one)
    ]
    letters = BLANKS + NONE + "ab~!é日 " * 4
    return found + ["".join(dice.choices(letters, k=dice.randrange(9))) for _ in range(4_000)]


def test_texts_lose_their_outer_blanks_and_nothing_else(spark: SparkSession) -> None:
    given = texts(random.Random(20250101))
    rows = spark.createDataFrame(list(enumerate(given)), "place int, text string")
    tidied = {row[0]: row[1] for row in rows.select("place", columns.tidy("text").alias("text")).collect()}
    differ = [(text, tidied[n]) for n, text in enumerate(given) if tidied[n] != ((text or "").strip(BLANKS) or None)]
    assert differ == []
