"""Malformed input, M9 to M31: zips that are damaged, hostile or odd. The unit tests have more variants of each."""

from __future__ import annotations

import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults.malformed import GOOD_TEXT, LakeUnderTest, a_row, text_of
from unit.zips import ATTRIBUTES, COMPRESSED, CRC32, FLAGS, METHOD, SIZE, number_in, tampered, zip64_of, zip_of

from pharmaetl.text import unpack

pytestmark = pytest.mark.engine
NEW_TEXT = text_of(a_row(50))
"""The good rows and one more."""
SOUND = zip_of({"nsde.csv": NEW_TEXT})
STORED = zip_of({"nsde.csv": NEW_TEXT, "more.txt": b"x" * 100}, zipfile.ZIP_STORED)


def flipped(data: bytes, at: int) -> bytes:
    """One bit of it is another."""
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def of_several_disks(data: bytes) -> bytes:
    at = data.rindex(b"PK\x05\x06") + 4
    return data[:at] + struct.pack("<H", 1) + data[at + 2 :]


def twice(data: bytes) -> bytes:
    """The zip whose two members have one name."""
    return data.replace(b"same.csv", b"nsde.csv")


def bomb() -> bytes:
    """Twenty megabytes of one line in twenty thousand bytes."""
    return zip_of({"nsde.csv": GOOD_TEXT + a_row(1).encode() * 1024 + b"\n" * 20 * 1024**2})


OVERLAPPING = tampered(STORED, COMPRESSED, number_in(STORED, COMPRESSED) + 1)
UNDERSTATED = tampered(tampered(STORED, SIZE, 100), CRC32, zlib.crc32(NEW_TEXT[:100]))
LINKED = tampered(SOUND, ATTRIBUTES, (stat.S_IFLNK | 0o777) << 16)
NOT_UTF8 = zip_of({"é.csv": NEW_TEXT}).replace("é".encode(), b"\xe9\xe9")
TWO_CASES = zip_of({"nsde.csv": NEW_TEXT, "NSDE.CSV": GOOD_TEXT})
MANY = [f"{number}.txt" for number in range(10_000)]


@dataclass(frozen=True)
class Refused:
    """A zip, and what the one line says after the file's name."""

    made: Callable[[], bytes]
    says: str


REFUSED = {
    "M9 a zip cut in half": Refused(lambda: SOUND[: len(SOUND) // 2], "the zip is cut off"),
    "M10 a zip without its last ten bytes": Refused(lambda: SOUND[:-10], "the zip is cut off"),
    "M11 a flipped bit in deflated data": Refused(
        lambda: flipped(SOUND, 300), r"nsde\.csv: its (compressed data is damaged|checksum)"
    ),
    "M11 a flipped bit in stored data": Refused(lambda: flipped(STORED, 300), r"nsde\.csv: its checksum \(CRC-32\)"),
    "M12 a zip without members": Refused(lambda: zip_of({}), "the zip has no members"),
    "M13 a zip without the wanted member": Refused(
        lambda: zip_of({"other.txt": b"x"}), r"no member \*\.csv for table nsde; there is other\.txt"
    ),
    "M14 the wanted member twice": Refused(
        lambda: twice(zip_of({"nsde.csv": GOOD_TEXT, "same.csv": NEW_TEXT})),
        r"2 members for table nsde \(\*\.csv\): nsde\.csv, nsde\.csv",
    ),
    "M15 two names that differ in case": Refused(
        lambda: TWO_CASES, r"2 members for table nsde \(\*\.csv\): nsde\.csv, NSDE\.CSV"
    ),
    "M16 a name that climbs": Refused(
        lambda: zip_of({"nsde.csv": NEW_TEXT, "../nsde.csv": b"x"}), r"'\.\./nsde\.csv': .* leads outside its folder"
    ),
    "M17 an absolute name": Refused(
        lambda: zip_of({"/nsde.csv": NEW_TEXT}), "'/nsde.csv': .* leads outside its folder"
    ),
    "M17 a name with a drive": Refused(
        lambda: zip_of({"C:/nsde.csv": NEW_TEXT}), "'C:/nsde.csv': .* leads outside its folder"
    ),
    "M18 a symbolic link": Refused(lambda: LINKED, r"nsde\.csv is a symbolic link"),
    "M19 a zip in the zip": Refused(lambda: zip_of({"nsde.csv.zip": SOUND}), r"nothing but zips \(nsde\.csv\.zip\)"),
    "M21 a bomb": Refused(bomb, r"nsde\.csv: it unfolds to more than 200 times its size"),
    "M22 ten thousand and one members": Refused(
        lambda: zip_of({"nsde.csv": NEW_TEXT, **dict.fromkeys(MANY, b"")}), "more than 10,000 members"
    ),
    "M23 an understated size": Refused(lambda: UNDERSTATED, r"nsde\.csv: it unfolds to more than the 100 bytes"),
    "M24 overlapping members": Refused(lambda: OVERLAPPING, r"nsde\.csv and more\.txt overlap"),
    "M25 an encrypted member": Refused(lambda: tampered(SOUND, FLAGS, 1), r"nsde\.csv: it is encrypted"),
    "M26 compression method 9": Refused(
        lambda: tampered(SOUND, METHOD, 9), r"nsde\.csv: compression method 9 \(deflate64\)"
    ),
    "M26 compression method 12": Refused(
        lambda: tampered(SOUND, METHOD, 12), r"nsde\.csv: compression method 12 \(bzip2\)"
    ),
    "M26 compression method 14": Refused(
        lambda: tampered(SOUND, METHOD, 14), r"nsde\.csv: compression method 14 \(LZMA\)"
    ),
    "M28 one disk of several": Refused(lambda: of_several_disks(SOUND), "multi-disk zips are not read"),
    "M30 a name that is not the UTF-8 it claims to be": Refused(lambda: NOT_UTF8, "the zip's directory is damaged"),
    "M31 an empty member": Refused(lambda: zip_of({"nsde.csv": b""}), r"nsde\.csv: the member is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused(case: str, lake: LakeUnderTest) -> None:
    source = lake.folder / "release.zip"
    source.write_bytes(REFUSED[case].made())
    lake.refuses(source, says=rf"^release\.zip: .*{REFUSED[case].says}")
    assert not list(Path(lake.place.lake, ".work").glob("nsde-*"))


ACCEPTED = {
    "M20 what macOS leaves in zips": (
        lambda: zip_of({"__MACOSX/._nsde.csv": b"x", ".DS_Store": b"x", "nsde.csv": NEW_TEXT}),
        "",
    ),
    "M27 64-bit sizes throughout": (lambda: zip64_of(b"nsde.csv", NEW_TEXT), ""),
    "M29 a script before the zip": (
        lambda: b"#!/bin/sh\n" + SOUND,
        "the zip has 10 bytes before its start that don't belong to it",
    ),
    "M29 bytes behind the zip": (
        lambda: SOUND + b"tail",
        "the zip has 4 bytes behind its end that don't belong to it",
    ),
    "M30 a name in an old code page": (lambda: zip_of({"nsde_.csv": NEW_TEXT}).replace(b"nsde_.", b"nsd\x82_."), ""),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_is_accepted_and_said_where_it_is_odd(case: str, lake: LakeUnderTest) -> None:
    made, warning = ACCEPTED[case]
    source = lake.folder / "release.zip"
    source.write_bytes(made())
    found = lake.publishes(source)
    names = sorted(row["item_code"] for row in found.rows)
    assert names == [*(f"0037-0022-{number:02d}" for number in range(40)), "0037-0022-50"]
    assert found.refused == []
    assert [reason for _, reason in found.counted("HeaderContract")] == ([warning] if warning else [])


def test_m21_a_bomb_is_stopped_before_it_fills_the_disk(lake: LakeUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    written = unpack._bounded

    def watched(chunks: object, found: object, limits: unpack.Limits) -> object:
        nonlocal largest
        for data in written(chunks, found, limits):  # type: ignore[arg-type]  # passed on as they came
            largest += len(data)
            yield data

    monkeypatch.setattr(unpack, "_bounded", watched)
    source = lake.folder / "release.zip"
    source.write_bytes(bomb())
    begun = time.monotonic()
    lake.refuses(source, says="as a zip bomb does")
    assert largest <= unpack.LIMITS.ratio_from + 1024**2
    assert time.monotonic() - begun < 5
