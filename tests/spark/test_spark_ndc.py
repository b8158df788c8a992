"""The column expressions against the Python rules, over every shape, thousands of damaged codes and all examples."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pharmaetl import ndc
from pharmaetl.spark import ndc as columns
from pharmaetl.spark.dialect import F

pytestmark = pytest.mark.engine

VECTORS = json.loads((Path(__file__).parents[1] / "data/ndc_vectors.json").read_text("utf-8"))
BLANKS = " \t\n\x0b\x0c\r\x85\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"
ZEROS = str.maketrans("1234567", "0000000")
STRANGE = (
    *"*-0159 .,+_/\\$^|()[]{}?aZEFJOSWaz\t\n\r\x00\x1c\x7f",
    *"\u00a0\u200b\ufeff\u0301\u0663\u0967\uff11\u00b2\u2160\u2013\u2212\u00e9\u0130\u1e9e\u5341\U0001f48a\U0001d7d8",
)


def every_shape() -> Iterator[str]:
    """All codes of one to three segments of up to seven digits, plain, with a leading zero, starred, and of zeros."""
    for count in (1, 2, 3):
        for lengths in itertools.product(range(8), repeat=count):
            code = "-".join("1234567"[:length] for length in lengths)
            yield from (code, "0" + code[1:], "*" + code[1:], code.replace("2", "*"), code.translate(ZEROS))
    yield from ("0123456789876543"[:length] for length in range(17))
    yield from ("9" * length for length in range(17))


def damaged(codes: list[str], count: int) -> Iterator[str]:
    """Sound codes with up to three characters put in, taken out or replaced, between blanks or not."""
    generator = random.Random(20330307)
    for _ in range(count):
        code = list(generator.choice(codes))
        for _ in range(generator.randrange(4)):
            place = generator.randrange(len(code) + 1)
            code[place : place + generator.randrange(2)] = generator.choice(STRANGE) * generator.randrange(2)
        before, after = (generator.choice(BLANKS) * generator.randrange(3) for _ in range(2))
        yield before + "".join(code) + after


def every_code() -> list[str | None]:
    examples = [vector["code"] for vector in VECTORS]
    sound = [code for code in examples if code]
    blanks = [around for blank in BLANKS for around in (f"{blank}0777-3105-02{blank}", f"0777-3105-02\n{blank}", blank)]
    return [*examples, *every_shape(), *blanks, *damaged(sound, 12_000)]


def by_python(code: str | None) -> tuple[str | None, ...]:
    result = ndc.normalise(code)
    eleven, reason = (result.ndc11, None) if isinstance(result, ndc.Accepted) else (None, result.reason)
    derived = (ndc.ndc12(eleven), ndc.labeler(eleven)) if eleven else (None, None)
    return eleven, reason, ndc.ndc9(code), ndc.code_type(code), *derived


def test_the_engine_agrees_with_python_on_every_code(spark: SparkSession) -> None:
    codes = every_code()
    code = F.col("code")
    eleven = columns.ndc11(code)
    given = spark.createDataFrame(list(enumerate(codes)), "place int, code string")
    computed = given.select(
        "place",
        "code",
        eleven,
        columns.reason(code),
        columns.ndc9(code),
        columns.code_type(code),
        columns.ndc12(eleven),
        columns.labeler(eleven),
    )
    results = {row[0]: tuple(row) for row in computed.collect()}
    expected = {place: (place, code, *by_python(code)) for place, code in enumerate(codes)}
    assert [(results[place], expected[place]) for place in expected if results[place] != expected[place]] == []
    assert {row[3] for row in results.values()} == {None, *(v["reason"] for v in VECTORS if "reason" in v)}


def test_no_code_at_all_is_no_failure(spark: SparkSession) -> None:
    given = spark.createDataFrame([], "code string")
    assert given.select(columns.ndc11(F.col("code")), columns.reason(F.col("code"))).collect() == []
