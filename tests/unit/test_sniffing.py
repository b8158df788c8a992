"""How a text is written, from its lines: each case is a layout that some source really has, or that fools a sniffer."""

from __future__ import annotations

import pytest

from pharmaetl.config.dataset_config import Dialect
from pharmaetl.onboarding.sniffing import Sniffed, sniff

ORANGE_BOOK = (
    "Ingredient~DF;Route~Trade_Name~Strength~Appl_No~Approval_Date~RLD\n"
    'BUDESONIDE~AEROSOL, FOAM;RECTAL~LUXIQ "FOAM"~2MG;5MG~215328~Apr 12, 2023~No\n'
    "MINOCYCLINE~AEROSOL, FOAM;TOPICAL~AMZEEQ~EQ 4% BASE~212379~Oct 18, 2019~Yes\n"
    "BETAMETHASONE~TABLET;ORAL~LUXIQ~0.12%~020934~Approved Prior to Jan 1, 1982~Yes\n"
)
NAMES = "alice|bob\ncarol|dave\nalice|eve\n"
MIXED = "alice|Rome\nbob|Ulm\nzoë|New York\n"


def sniffed(text: str) -> Sniffed:
    """What is found in a text, the whole of which is looked at."""
    lines = text.split("\n")
    found = sniff(lines, [line for line in lines if '"' in line])
    assert found is not None
    return found


def dialect(delimiter: str, quote: str = "", *, header: bool = True, trailing: bool = False) -> Dialect:
    return Dialect(delimiter=delimiter, quote=quote, header=header, trailing_delimiter=trailing)


@pytest.mark.parametrize(
    ("text", "expected", "fields"),
    [
        pytest.param("a,b\n1,x\n2,y\n", dialect(",", '"'), 2, id="comma"),
        pytest.param("a\tb\n1\tx\n2\ty\n", dialect("\t"), 2, id="tab"),
        pytest.param("a^b^c\nx^01^2\ny^02^3\n", dialect("^"), 3, id="caret"),
        pytest.param("a!b\n1!2\n3!4\n", dialect("!"), 2, id="exclamation mark"),
        pytest.param("a\x01b\n1\x012\n3\x014\n", dialect("\x01"), 2, id="control character"),
        pytest.param("a b\n1 2\n3 4\n", dialect(" "), 2, id="blank"),
        pytest.param(ORANGE_BOOK, dialect("~"), 7, id="tilde, with ; and , in every row"),
        pytest.param(
            "1,5;2,5;3,5\n1,6;2,5;3,5\n1,5;2,9;3,5\n", dialect(";", '"', header=False), 3, id="decimal commas"
        ),
        pytest.param("2019-04-29|5\n2019-04-30|6\n", dialect("|", header=False), 2, id="dashes in dates"),
    ],
)
def test_the_delimiter_is_the_one_that_divides_every_line(text: str, expected: Dialect, fields: int) -> None:
    found = sniffed(text)
    assert (found.dialect, found.fields, found.share) == (expected, fields, 1.0)


@pytest.mark.parametrize(
    ("text", "quote", "why"),
    [
        ('a\tb\n"x\ty"\t1\nz\t2\n', '"', "values stand in quote marks"),
        ('a\tb\n"Sultan Healthcare"\t1\nz "foo" k\t2\n', "", "a quote mark stands inside values: it is data"),
        ('a\tb\n"Sultan Healthcare"\t1\nz\t2\n', "", "a quote mark is taken for data: the file doesn't tell"),
        ('a,b\n"Sultan Healthcare",1\nz,2\n', '"', "a quote mark is taken for quoting: the file doesn't tell"),
        ('"a","b"\n"x","y, z"\n"1","2"\n', '"', "values stand in quote marks"),
        ('"a"|"b"\n"x"|"y"\n"z"|"w"\n', '"', "values stand in quote marks"),
        ('a,b\n1,"two\nlines, one value"\n2,"two\nlines, one value"\n', '"', "values stand in quote marks"),
        ("'a','b'\n'x, y','z'\n'q','r'\n", "'", "values stand in single quotes"),
        ("a,b\n1,x\n2,y\n", '"', "no quote mark was seen: quoted where one comes, as CSV does"),
        ("a|b\n1|x\n2|y\n", "", "no quote mark was seen: one is data"),
    ],
)
def test_a_quote_mark_is_quoting_where_it_does_what_quoting_is_for(text: str, quote: str, why: str) -> None:
    found = sniffed(text)
    assert (found.dialect.quote, found.reasons["quote"]) == (quote, why)


def test_quote_marks_far_behind_the_first_lines_decide_too() -> None:
    lines = ["code\tname", *(f"{number}\tname" for number in range(50))]
    assert sniff(lines, ['7\t5" TUBE'] * 3) is not None
    found = sniff(lines, ['7\t"a\tb"', '8\t"c\td"'])
    assert found is not None
    assert found.dialect.quote == '"'


@pytest.mark.parametrize(
    ("text", "trailing", "header", "fields"),
    [
        ("3|ENG|a|\n4|ENG|b|\n5|ENG|c|\n", True, False, 3),
        ("a|b|\n1|2|\n3|4|\n", True, True, 2),
        ("a|b\n1|2|\n3|4|\n5|6|\n", True, True, 2),
        ("a|b\n1|\n3|\n", False, True, 2),
    ],
)
def test_a_trailing_delimiter_is_told_from_an_empty_last_column(
    text: str, trailing: bool, header: bool, fields: int
) -> None:
    found = sniffed(text)
    assert (found.dialect.trailing_delimiter, found.dialect.header, found.fields) == (trailing, header, fields)


@pytest.mark.parametrize(
    ("text", "header", "why"),
    [
        ("id,start\n1,20190101\n2,20190102\n", True, "the first line is unlike the records in 2 of 2 columns"),
        ("1,20190101\n2,20190102\n", False, "the first line is like the records in 2 of 2 columns"),
        (NAMES, False, "the first line is like the records in 1 of 2 columns"),
        ("name|city\n" + MIXED, True, "the first line could name the columns, and none of its values comes again"),
        ("0002-3235-60,x\n0002-3235-61,y\n", False, "the first line is like the records in 1 of 2 columns"),
    ],
)
def test_the_first_line_is_a_header_where_it_is_unlike_the_records(text: str, header: bool, why: str) -> None:
    found = sniffed(text)
    assert (found.dialect.header, found.reasons["header"]) == (header, why)


def test_a_list_of_codes_is_one_column_and_not_cut_at_its_dashes() -> None:
    found = sniffed("NDC\n0002-3235-60\n0002-3235-61\n0002-3235-62\n")
    assert (found.fields, found.dialect.header) == (1, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b,c\n",
        "This is a Readme, for you.\nIt says nothing\n",
        "This is some text, with words.\nAnd another line without any.\nThird, one, two.\n",
    ],
)
def test_prose_or_a_header_alone_is_no_table(text: str) -> None:
    assert sniff(text.split("\n")) is None


def test_some_ragged_lines_change_nothing_but_the_share() -> None:
    lines = ["id~name~date", *(f"{number:03d}~n{number}~Oct 7, 2014" for number in range(18)), "018~short"]
    found = sniff(lines)
    assert found is not None
    assert (found.dialect.delimiter, found.fields, found.share) == ("~", 3, 0.95)
