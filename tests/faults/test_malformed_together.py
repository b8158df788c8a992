"""Many odd rows in one file, held row for row against the oracle; and that no case of the catalogue is left out."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from faults import oracle
from faults.malformed import COLUMNS, HEADER, LakeUnderTest, packed

pytestmark = pytest.mark.engine
SILVER = (
    "item_code", "ndc11", "proprietary_name", "dosage_form", "marketing_category", "application_number",
    "product_type", "marketing_start_date", "marketing_end_date", "billing_unit", "inactivation_date",
    "reactivation_date",
)  # fmt: skip
NAMES = [
    "Drug", "", " blanks ", "\u00a0no-break\u3000", '"a, b"', '"say ""hi"""', '"two\r\nlines"', '"ends in \\"', "\\",
    "tab\tin", "=1+1", "NULL", "N/A", "💊", "Cafe\u0301", "Crème", "\u202ebidi", "# no comment", "'", "|", ";",
    'a"b', '"open', '"shut" late', "bell \a", "nul \0", "unit \x1f", '""', '" "', '"\r\n"', '"""', "\ufeff",
]  # fmt: skip
DATES = [
    "20200101", "", "00000000", "20250230", "20240229", "18920101", "99991231", "10000101", "15821010", "2025010",
    " 20200101 ", "x", "0", "20201301", "202001015",
]  # fmt: skip
CODES = ["{0:04d}-{1:04d}-{2:02d}", "{0:05d}-{1:03d}-{2:02d}", "{0:05d}-{1:04d}-{2:01d}", "{0:05d}-{1:04d}-{2:02d}"]


def odd_file(seed: int, rows: int) -> str:
    """Rows that are mostly sound, each cell odd now and then, and each row now and then cut, stretched or repeated."""
    dice, lines = random.Random(seed), [HEADER]
    for _ in range(rows):
        numbers = dice.randrange(1, 999), dice.randrange(1, 999), dice.randrange(1, 9)
        code = dice.choice(CODES).format(*numbers)
        served = oracle.eleven(code) or ""
        if dice.random() < 0.1:
            code, served = dice.choice([
                ("", ""), (code[:-3], ""), ("*".join(code.rsplit("0", 1)), served), ("X123", ""), ("1234567890", ""),
                (code, ""), (code, "00000000001"), (code, code), ("02345678901", "02345678901"),
            ])  # fmt: skip
        odd = dice.random() < 0.5
        cells = [
            code, served, dice.choice(NAMES) if odd else "Drug", '"INJECTION, SOLUTION"', "NDA", "NDA019618", "OTC",
            *(dice.choice(DATES) if odd else "20200101" for _ in range(2)), "EA",
            *(dice.choice(DATES) if dice.random() < 0.1 else "" for _ in range(2)),
        ]  # fmt: skip
        if dice.random() < 0.03:
            cells = cells[: dice.randrange(1, 12)] if dice.random() < 0.5 else [*cells, *[""] * dice.randrange(1, 4)]
        lines += [""] if dice.random() < 0.01 else []
        lines += [",".join(cells)] * (2 if dice.random() < 0.02 else 1)
    return "\r\n".join([*lines, ""])


@pytest.mark.parametrize("seed", [1, 2])
def test_every_row_is_where_the_oracle_says(seed: int, lake: LakeUnderTest) -> None:
    text = odd_file(seed, 3000)
    told = oracle.expected(text)
    lake.with_config("nsde", data_quality={"max_quarantine_fraction": 1.0})
    found = lake.publishes(packed(lake.folder / "odd.zip", {"nsde.csv": text.encode()}), "--force")
    assert found.refused == sorted(told.refused)
    assert Counter(tuple(row[name] for name in SILVER) for row in found.rows) == told.published
    (table,) = found.record["tables"]
    assert (table["rows_read"], table["rows_duplicate"]) == (told.read, told.repeated)
    assert found.rules == Counter(rule for _, rule in told.refused)
    for place, count in told.null_dates.items():
        counted = found.counted("Readable", SILVER[place])
        assert [rows for rows, _ in counted] == ([count] if count else []), COLUMNS[place]
    assert len(told.refused) > 300
    assert told.repeated > 10
    assert len(set(found.rules)) >= 7


def test_every_case_of_the_catalogue_has_a_test() -> None:
    texts = "".join(path.read_text() for path in Path(__file__).parent.glob("test_malformed_*.py"))
    named = {int(number) for number in re.findall(r'"M(\d+) |def test_m(\d+)_', texts) for number in number if number}
    for first, last in re.findall(r"def test_m(\d+)_to_m(\d+)_", texts):
        named.update(range(int(first), int(last) + 1))
    assert named == set(range(1, 96))
