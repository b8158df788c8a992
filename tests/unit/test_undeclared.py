"""What a text of an unstated encoding is read as, against decoding it whole, looking, decoding again."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from pharmaetl.text.encoding import UndecodableError, recoder
from pharmaetl.text.undeclared import readings

BOM = b"\xef\xbb\xbf"
BYTES = [b"\x92", b"\xe9", b"\xc3", b"\xe2\x80", b"\xf0\x9f\x92", b"\x81", b"\x9d", b"\xed\xa0\x80", b"\xff", b"\xc3("]
"""No characters in UTF-8; 81 and 9d are none in Windows-1252 either."""
LETTERS = [letter.encode() for letter in "é\u0080ß’\u20acβЗ漢😀\ufffd"]
PIECES = st.one_of(
    st.sampled_from([b"a", b"id\tname\r\n", b"x" * 300, b"\0"]),
    st.sampled_from(LETTERS),
    st.sampled_from([*BYTES, BOM]),
)
TEXTS = st.tuples(st.sampled_from([b"", BOM, b"x" * 700]), st.lists(PIECES, min_size=1, max_size=40)).map(
    lambda made: made[0] + b"".join(made[1])
)
Read = tuple[str, bytes, int]


def plainly(served: bytes) -> Read:
    """Encoding, UTF-8, replaced bytes."""
    text = served.removeprefix(BOM)
    try:
        served.decode()
    except UnicodeDecodeError:
        escaped = served.decode("utf-8", "surrogateescape")
        damaged = len(re.findall("[\udc80-\udcff]", escaped))
        sound = len(re.findall("[^\x00-\x7f]", escaped)) - damaged
        if not served.startswith(BOM) and (sound == 0 or sound < damaged):
            decoded = served.decode("cp1252", "replace")
            return "cp1252", decoded.encode(), decoded.count("\ufffd")
    return "utf-8", text, 0


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Chunks with borders at some of the places; the first holds three bytes if there are as many."""
    borders = [0, *sorted({place for place in places if 3 <= place < len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(borders)]


def read(chunks: list[bytes], configured: str | None = None) -> tuple[Read, int]:
    """What comes out, and how many times the text was read for it."""
    for passes, text in enumerate(readings(chunks[0], configured), 1):
        try:
            out = b"".join([*map(text.feed, chunks), text.finish()])
        except UndecodableError:
            continue
        return (text.encoding, out, text.replacements), passes
    raise AssertionError("no reading was right")


@given(served=TEXTS, places=st.lists(st.integers(3, 1500), max_size=8), every=st.integers(3, 400))
@fuzz(300)
def test_a_text_is_read_as_if_it_had_been_looked_at_whole(served: bytes, places: list[int], every: int) -> None:
    for borders in ([], places, list(range(3, len(served), every)), list(range(3, len(served)))):
        came, passes = read(cut(served, borders))
        assert came == plainly(served)
        assert passes <= 2


@given(
    served=st.lists(st.one_of(st.binary(max_size=4), st.just(b"x" * 500)), min_size=1, max_size=20).map(b"".join),
    encoding=st.sampled_from(["cp1252", "latin-1"]),
    every=st.integers(3, 2000),
)
@fuzz(300)
def test_a_single_byte_encoding_gives_what_its_codec_gives(served: bytes, encoding: str, every: int) -> None:
    decoded = served.removeprefix(BOM).decode(encoding, "replace")
    text = recoder(encoding)
    out = b"".join([*map(text.feed, cut(served, list(range(every, len(served), every)))), text.finish()])
    assert out == decoded.encode()
    assert text.replacements == decoded.count("\ufffd")


@pytest.mark.parametrize(
    "rare", [b"\x99\x92", b"\x92\x99", b"\xc3\x83\xc6\x92", b"\x80\xe2", b"\xe2\x82\xac\x9d", b"\xff\xc3\xbf\xbf"]
)
def test_bytes_that_are_part_of_each_others_characters_are_replaced_once(rare: bytes) -> None:
    served = (b"x" * 700).join([b"", *(bytes([byte]) for byte in rare * 3), b""])
    text = recoder("cp1252")
    assert text.feed(served) + text.finish() == served.decode("cp1252", "replace").encode()


@pytest.mark.parametrize(
    ("served", "encoding"),
    [
        ("née ’ 😀".encode() * 900, "utf-8"),
        (BOM + b"id\n" * 900, "utf-8"),
        (b"id\n" * 900 + b"caf\xe9", "cp1252"),
        (b"caf\xe9 5\x92\n" * 900, "cp1252"),
        (b"id\n" * 900 + b"caf\xc3", "cp1252"),
        (b"x" * 499 + b"\xe9y" * 400, "cp1252"),
        ("née ’".encode() * 900 + b"caf\xe9", "utf-8"),
        ("née ’".encode() * 900 + b"caf\xc3", "utf-8"),
        (b"caf\xe9" + "née ’".encode() * 900, "utf-8"),
        (BOM + b"caf\xe9 5\x92\n" * 900, "utf-8"),
    ],
)
def test_one_look_is_enough_for_what_texts_are_like(served: bytes, encoding: str) -> None:
    (used, _, _), passes = read(cut(served, list(range(500, len(served), 500))))
    assert (used, passes) == (encoding, 1)


@pytest.mark.parametrize(
    ("early", "late", "encoding"),
    [("née".encode(), b" \x92 \x93", "cp1252"), (b"5\x92", "née né".encode(), "utf-8")],
)
def test_what_looked_otherwise_at_first_is_read_again(early: bytes, late: bytes, encoding: str) -> None:
    served = early + b"x" * 1000 + late
    came, passes = read(cut(served, [500]))
    assert (came, came[0], passes) == (plainly(served), encoding, 2)


@pytest.mark.parametrize(
    ("served", "configured", "used"),
    [
        (b"\xff\xfei\0", "cp1252", "utf-16"),
        ("\ufeffé".encode(), "cp1252", "utf-8"),
        (BOM + b"caf\xe9", "latin-1", "latin-1"),
        ("é".encode(), "latin-1", "latin-1"),
    ],
)
def test_a_byte_order_mark_counts_for_more_than_the_configured_encoding(
    served: bytes, configured: str, used: str
) -> None:
    assert read([served], configured)[0][0] == used


@pytest.mark.parametrize(
    ("served", "expected"),
    [(BOM + BOM + b"\x92", BOM + b"\x92"), (b"x" * 500 + BOM + b"\x92\x92", b"x" * 500 + "ï»¿’’".encode())],
)
def test_only_the_first_bytes_are_a_byte_order_mark(served: bytes, expected: bytes) -> None:
    assert read([served[:500], served[500:]] if served[500:] else [served])[0][1] == expected
