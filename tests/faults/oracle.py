"""What must come of an NSDE file, worked out in plain Python without a line of the code under test.

A record at a time, character by character; the rules are those of the catalogue and of FDA's and NLM's pages.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date

FIELDS = 12
DATES = {7: "start", 8: "end", 10: "inactivated", 11: "reactivated"}
LINES_OF_A_RECORD = 50


@dataclass
class Expected:
    """Published rows (as a multiset), refused ones by line, exact repetitions, and dates published as null."""

    published: Counter[tuple[str | date | None, ...]] = field(default_factory=Counter)
    refused: list[tuple[int, str]] = field(default_factory=list)
    repeated: int = 0
    null_dates: Counter[int] = field(default_factory=Counter)
    read: int = 0


def expected(text: str) -> Expected:
    """Of the file's text: CRLF line ends, a header on the first line."""
    result, lines, at = Expected(), text.split("\r\n")[:-1], 1
    while at < len(lines):
        number, taken = at + 1, 1
        if not lines[at]:
            at += 1
            continue
        cells = parsed(lines[at])
        if cells == "unclosed_quote":
            for count in range(2, LINES_OF_A_RECORD + 1):
                joined = "\r\n".join(lines[at : at + count])
                if at + count > len(lines) or joined.count('"') % 2 == 0:
                    whole = parsed(joined) if at + count <= len(lines) else "unclosed_quote"
                    if isinstance(whole, list):
                        cells, taken = whole, count
                    break
        judge(cells, number, result)
        at += taken
    return result


def parsed(record: str) -> list[str] | str:
    """The cells of a record, or the rule that it breaks."""
    cells, cell, state = [], "", "start"
    for letter in record:
        if state == "start" and letter == '"':
            state = "quoted"
        elif state == "quoted":
            state, cell = ("closing", cell) if letter == '"' else (state, cell + letter)
        elif state == "closing" and letter == '"':
            state, cell = "quoted", cell + '"'
        elif letter == ",":
            cells, cell, state = [*cells, cell], "", "start"
        elif state == "closing" or letter == '"':
            return "bad_quote"
        else:
            state, cell = "plain", cell + letter
    if state == "quoted":
        return "unclosed_quote"
    cells.append(cell)
    if any(ord(letter) < 32 and letter not in "\t\r\n" for letter in record):
        return "control_character"
    return cells if len(cells) == FIELDS else "field_count"


def judge(cells: list[str] | str, line: int, result: Expected) -> None:
    """Book a record where it belongs."""
    result.read += 1
    if isinstance(cells, str):
        result.refused.append((line, cells))
        return
    values: list[str | date | None] = [cell.strip() or None for cell in cells]
    code, served = str(values[0] or ""), str(values[1] or "")
    days = {place: day(str(values[place] or "")) for place in DATES}
    problem = rule_of(code, served)
    if problem:
        result.refused.append((line, problem))
        return
    for place, found in days.items():
        result.null_dates[place] += values[place] is not None and found is None
        values[place] = found
    values[1] = eleven(code) or served or None
    row = tuple(values)
    result.repeated += row in result.published
    result.published[row] = 1


def rule_of(code: str, served: str) -> str | None:
    """Why a row with this package code, and these eleven digits beside it, can't be published."""
    if not code:
        return "IsComplete"
    computed = eleven(code)
    if computed:
        return "ndc11_mismatch" if served and eleven(served) != computed else None
    if re.fullmatch(r"[0-9]{4,5}-[0-9]{3,4}", code) and len(code) in {9, 10}:
        return "ndc_product_ndc"
    if re.fullmatch(r"[A-Za-z].*", code) and not re.fullmatch(r"[0-9]{11}", served):
        return "ndc_letters"
    if re.fullmatch(r"[0-9]{10}", code) and not re.fullmatch(r"[0-9]{11}", served):
        return "ndc_ambiguous_10_digit"
    return None


def eleven(code: str) -> str | None:
    """The 11 digits of a package code: each segment padded for itself, a star for a zero."""
    parts = code.replace("*", "0").split("-")
    if len(parts) == 1:
        return code if re.fullmatch(r"[0-9]{11}", code) and int(code) else None
    lengths = tuple(map(len, parts))
    if lengths not in {(4, 4, 2), (5, 3, 2), (5, 4, 1), (5, 4, 2)} or not re.fullmatch(r"[0-9-]+", "-".join(parts)):
        return None
    digits = parts[0].rjust(5, "0") + parts[1].rjust(4, "0") + parts[2].rjust(2, "0")
    return digits if int(digits) else None


def day(text: str) -> date | None:
    """A date written yyyyMMdd."""
    if not re.fullmatch(r"[0-9]{8}", text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
