"""Dates in eight digits, which every engine reads in its own way, against Python's calendar."""

from __future__ import annotations

import random
import re
from datetime import date

import pytest
from pyspark.sql import SparkSession

from pharmaetl.spark import columns
from pharmaetl.spark.dialect import F
from pharmaetl.spark.spec import DateSpec

pytestmark = pytest.mark.engine
SPEC = DateSpec(r"^([0-9]{4})([0-9]{2})([0-9]{2})$", 1, 2, 3, compact=True)
ODD = " \t\n+-.:/,_TZejan'%\u00a0\u0661\uff11é"
CHOSEN = (
    None, "", "20190429", "00010101", "00000101", "00001231", "99991231", "20190229", "20200229", "19000229",
    "20000229", "15821010", "20191301", "20190001", "20190100", "20190132", "00000000", "2019042", "201904299",
    "2019-4-1", "2019 4 1", "2019Apr1", "2019126 ", " 2019126", "+2019126", "-2019126", "2019_126",
    "\u0662\u0660\u0661\u0669\u0660\u0661\u0660\u0661", "2\u06610190429", "20190429\n", "2019042\u0669", "1e700000",
    "0x190429", "infinity", "Infinity", "INFINITY", "20190429 12:00",
)  # fmt: skip


def by_python(text: str | None) -> date | None:
    if text is None or not re.fullmatch(r"[0-9]{8}", text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def texts(dice: random.Random) -> list[str | None]:
    """Chosen ones, any eight digits, plausible dates, and those with one character exchanged, left out or put in."""
    found = list(CHOSEN)
    for _ in range(4_000):
        year = dice.choice((0, 1, 99, 1582, 1900, 1999, 2000, 2024, 2100, 9999))
        text = f"{year:04}{dice.randrange(14):02}{dice.randrange(34):02}"
        at, odd = dice.randrange(8), dice.choice(ODD)
        found += [text, f"{dice.randrange(10**8):08}", text[:at] + odd + text[at + 1 :], text[:at] + text[at + 1 :]]
        found.append(text[:at] + odd + text[at:])
    return found


def test_eight_digits_are_a_date_where_the_calendar_has_one(spark: SparkSession) -> None:
    # `date` gets tidied texts: none has blanks around it, but for those that the guard is there for
    given = [text for text in texts(random.Random(20250101)) if text is None or text == text.strip(" \t\n\u00a0")]
    given += ["2019126 ", "2019012 "]
    rows = spark.createDataFrame(list(enumerate(given)), "place int, text string")
    read = {row[0]: row[1] for row in rows.select("place", columns.date(F.col("text"), SPEC).alias("day")).collect()}
    differ = [(text, read[n], by_python(text)) for n, text in enumerate(given) if read[n] != by_python(text)]
    assert differ == []
    assert sum(day is not None for day in read.values()) > 2_000
