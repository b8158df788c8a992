"""Damaged and hostile containers: each is refused with what is wrong, and never by any other kind of error."""

from __future__ import annotations

import hashlib
import random
import re
import stat
import struct
from pathlib import Path

import pytest
from zips import (
    ATTRIBUTES,
    COMPRESSED,
    CRC32,
    FLAGS,
    METHOD,
    SIZE,
    number_in,
    tampered,
    written,
    zip64_of,
    zip_of,
)

from pharmaetl.errors import PharmaetlError, SourceFormatError
from pharmaetl.text.unpack import LIMITS, Limits, Text, members, unpack

ROWS = b"id,name\r\n" + b"".join(b"%d,name of %d\r\n" % (n, n * 7919) for n in range(3000))
SOUND = zip_of({"data.csv": ROWS})
STORED = zip_of({"data.csv": ROWS, "more.csv": b"id\r\n1\r\n"}, method=0)


def read(folder: Path, data: bytes, limits: Limits = LIMITS) -> list[Text]:
    """Everything in a source, unpacked."""
    path = written(folder, data)
    return [
        unpack(path, found, folder / f"text-{number}", limits=limits)
        for number, found in enumerate(members(path, "source.zip", limits))
    ]


def with_end_field(data: bytes, place: int, value: int) -> bytes:
    """The zip with a 16-bit field of its end record changed."""
    at = data.rindex(b"PK\x05\x06") + place
    return data[:at] + struct.pack("<H", value) + data[at + 2 :]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def with_gap(data: bytes, size: int) -> bytes:
    """The zip with bytes between its last member and the directory."""
    at, end = data.index(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    offset = struct.pack("<L", at + size)
    return data[:at] + bytes(size) + data[at : end + 16] + offset + data[end + 20 :]


BYTES_LEFT_OVER = tampered(with_gap(SOUND, 5), COMPRESSED, number_in(SOUND, COMPRESSED) + 5)
UNDERSTATED = tampered(tampered(STORED, SIZE, 100), CRC32, 0x12345678)
DEFLATED_UNDERSTATED = tampered(SOUND, SIZE, 100)
LONGER_THAN_ITS_PLACE = tampered(STORED, COMPRESSED, number_in(STORED, COMPRESSED) + 1)
INTO_THE_DIRECTORY = tampered(STORED, COMPRESSED, number_in(STORED, COMPRESSED, 1) + 1, number=1)

ZIP64_SIZES = struct.pack("<3Q", len(ROWS), len(ROWS), 0)
BEYOND_ANY_FILE = zip64_of(b"data.csv", ROWS).replace(ZIP64_SIZES, ZIP64_SIZES[:-8] + b"\xf0" * 8)
FALSELY_UTF8 = zip_of({"é.csv": b"x"}).replace("é".encode(), b"\xe9\xe9")

REFUSED = {
    "half of it": (SOUND[: len(SOUND) // 2], "cut off"),
    "last ten bytes missing": (SOUND[:-10], "cut off"),
    "its comment missing": (with_end_field(SOUND, 20, 5), "cut off"),
    "bit flip in compressed data": (flipped(SOUND, 4000), "damaged|checksum"),
    "bit flip in stored data": (flipped(STORED, 4000), r"data\.csv: its checksum \(CRC-32\) is"),
    "no members": (zip_of({}), "no members"),
    "folders only": (zip_of({"a/": b"", "a/b/": b""}), "no members"),
    "noise only": (zip_of({"__MACOSX/._data.csv": b"x", ".DS_Store": b"x"}), "no members but"),
    "nested zip only": (zip_of({"a.zip": SOUND, "b.ZIP": SOUND}), r"nothing but zips \(a\.zip, b\.ZIP\)"),
    "name that climbs": (zip_of({"data.csv": ROWS, "../data.csv": b"x"}), "leads outside"),
    "name that climbs within": (zip_of({"a/../../data.csv": b"x"}), "leads outside"),
    "absolute name": (zip_of({"/etc/passwd": b"x"}), "leads outside"),
    "drive name": (zip_of({"C:/data.csv": b"x"}), "leads outside"),
    "drive-relative name": (zip_of({"c:data.csv": b"x"}), "leads outside"),
    "backslash name": (zip_of({"rrf\\data.csv": b"x"}), "leads outside"),
    "name with an empty segment": (zip_of({"a//data.csv": b"x"}), "leads outside"),
    "name with a NUL": (zip_of({"dataXcsv": b"x"}).replace(b"dataX", b"data\0"), "leads outside"),
    "name of 1,001 characters": (zip_of({"a/" * 500 + "b": b"x"}), "1,001 characters"),
    "symbolic link": (tampered(SOUND, ATTRIBUTES, (stat.S_IFLNK | 0o777) << 16), "symbolic link"),
    "named pipe": (tampered(SOUND, ATTRIBUTES, (stat.S_IFIFO | 0o666) << 16), "neither a file nor a folder"),
    "encrypted": (tampered(SOUND, FLAGS, 1), r"data\.csv: it is encrypted"),
    "deflate64": (tampered(SOUND, METHOD, 9), r"method 9 \(deflate64\)"),
    "bzip2": (tampered(SOUND, METHOD, 12), r"method 12 \(bzip2\)"),
    "LZMA": (tampered(SOUND, METHOD, 14), r"method 14 \(LZMA\)"),
    "unheard-of method": (tampered(SOUND, METHOD, 77), r"method 77 \(unknown\)"),
    "deflate said to be stored": (tampered(SOUND, METHOD, 0), "bytes instead of|checksum"),
    "understated size": (UNDERSTATED, "more than the 100 bytes"),
    "understated size, deflated": (DEFLATED_UNDERSTATED, "more than the 100 bytes"),
    "overstated size": (tampered(SOUND, SIZE, len(ROWS) + 1), "bytes instead of the"),
    "understated compressed size": (tampered(SOUND, COMPRESSED, 500), "cut off"),
    "bytes behind compressed data": (BYTES_LEFT_OVER, "left over after its compressed data"),
    "overlapping members": (LONGER_THAN_ITS_PLACE, r"data\.csv and more\.csv overlap"),
    "member over the directory": (INTO_THE_DIRECTORY, r"more\.csv overlaps the zip's directory"),
    "part of several disks": (with_end_field(SOUND, 4, 1), "multi-disk"),
    "directory of several disks": (with_end_field(SOUND, 10, 2), "multi-disk"),
    "two names for one member": (SOUND.replace(b"data.csv", b"fake.csv", 1), "is called 'fake.csv' where it starts"),
    "flag for UTF-8, name that isn't": (FALSELY_UTF8, "directory is damaged"),
    "offset beyond any file": (BEYOND_ANY_FILE, "directory is damaged"),
    "empty member": (zip_of({"data.csv": b""}), r"data\.csv: the member is empty"),
    "member with a byte order mark only": (zip_of({"data.csv": b"\xef\xbb\xbf"}), "the member is empty"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_zip_is_refused_with_what_is_wrong(case: str, tmp_path: Path) -> None:
    data, words = REFUSED[case]
    with pytest.raises(SourceFormatError) as caught:
        read(tmp_path, data)
    assert re.search(words, caught.value.reason), caught.value.reason
    assert caught.value.reason.startswith("source.zip: ")
    assert caught.value.exit_code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["source.zip"]


def test_a_bomb_is_stopped_while_it_unfolds(tmp_path: Path) -> None:
    bomb = zip_of({"data.csv": bytes(12 * 1024 * 1024)})
    with pytest.raises(SourceFormatError, match="more than 200 times its size"):
        read(tmp_path, bomb)
    assert read(tmp_path, zip_of({"data.csv": bytes(9 * 1024 * 1024)}))[0].bytes == 9 * 1024 * 1024


def test_a_bomb_whose_directory_lies_about_its_size_is_stopped_too(tmp_path: Path) -> None:
    bomb = tampered(zip_of({"data.csv": bytes(12 * 1024 * 1024)}), SIZE, 0xFFFFFFF0)
    with pytest.raises(SourceFormatError, match="more than 200 times its size"):
        read(tmp_path, bomb)


def test_a_member_may_be_no_larger_than_the_limit(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="more than 5,000 bytes"):
        read(tmp_path, SOUND, Limits(max_member_bytes=5000))


def test_a_zip_may_hold_no_more_members_than_the_limit(tmp_path: Path) -> None:
    four = zip_of({f"{number}.csv": b"x" for number in range(4)})
    assert len(read(tmp_path, four, Limits(max_members=4))) == 4
    with pytest.raises(SourceFormatError, match="more than 3 members"):
        read(tmp_path, four, Limits(max_members=3))
    understated = with_end_field(with_end_field(four, 8, 1), 10, 1)
    with pytest.raises(SourceFormatError, match="more than 3 members"):
        read(tmp_path, understated, Limits(max_members=3))


def test_ten_thousand_members_are_the_default_limit(tmp_path: Path) -> None:
    path = written(tmp_path, zip_of({f"{number}.csv": b"x" for number in range(10_001)}, method=0))
    with pytest.raises(SourceFormatError, match="more than 10,000 members"):
        members(path, "source.zip")


def test_a_zip64_file_is_read(tmp_path: Path) -> None:
    (text,) = read(tmp_path, zip64_of(b"data.csv", ROWS))
    assert (text.member, text.bytes, text.path.read_bytes()) == ("data.csv", len(ROWS), ROWS)


def test_bytes_around_a_zip_are_a_warning(tmp_path: Path) -> None:
    (found,) = members(written(tmp_path, b"#!/bin/sh\n" + SOUND + b"tail"), "source.zip")
    assert found.warnings == (
        "the zip has 10 bytes before its start that don't belong to it",
        "the zip has 4 bytes behind its end that don't belong to it",
    )
    assert unpack(tmp_path / "source.zip", found, tmp_path / "text").path.read_bytes() == ROWS
    assert members(written(tmp_path, SOUND), "source.zip")[0].warnings == ()


def test_a_name_in_an_old_code_page_is_no_fault(tmp_path: Path) -> None:
    data = zip_of({"cafe.csv": ROWS}).replace(b"cafe.csv", b"caf\x82.csv")
    (text,) = read(tmp_path, data)
    assert (text.member, text.bytes) == ("café.csv", len(ROWS))


def test_a_zip_cut_anywhere_is_refused(tmp_path: Path) -> None:
    for whole in (SOUND, STORED, zip64_of(b"data.csv", ROWS)):
        for length in [*range(4, len(whole), 997), *range(len(whole) - 150, len(whole))]:
            with pytest.raises(SourceFormatError, match="cut off"):
                read(tmp_path, whole[:length])


def test_no_changed_byte_gets_other_data_through_or_raises_anything_else(tmp_path: Path) -> None:
    """A changed byte is noticed, or doesn't matter (times, version fields)."""
    sound = zip_of({"a.csv": b"id\r\n1\r\n", "b/c.csv": ROWS[:300]})
    genuine = {hashlib.sha256(b"id\r\n1\r\n").hexdigest(), hashlib.sha256(ROWS[:300]).hexdigest()}
    numbers = random.Random(7)
    refused = 0
    for at in range(len(sound)):
        data = bytearray(sound)
        data[at] = (data[at] + numbers.randrange(1, 256)) % 256
        try:
            texts = read(tmp_path, bytes(data))
        except PharmaetlError:
            refused += 1
        else:
            assert {text.sha256 for text in texts} <= genuine, at
    assert refused > len(sound) // 2
