"""A source's members: which one a table is read from, and its bytes as UTF-8 text."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import pytest
from zips import written, zip_of

from pharmaetl.errors import LocalIOError, SourceFormatError
from pharmaetl.text.unpack import Found, Limits, Text, members, select, unpack

ROWS = b"id,name\r\n1,Aspirin\r\n"


def names(folder: Path, data: bytes, file_name: str = "source.zip") -> list[str]:
    return [found.name for found in members(written(folder, data, file_name), file_name)]


def text_of(folder: Path, data: bytes, encoding: str | None = None, file_name: str = "data.csv") -> Text:
    """The only member of a source, unpacked."""
    path = written(folder, data, file_name)
    (found,) = members(path, file_name)
    return unpack(path, found, folder / "text", encoding=encoding)


def chosen(found: list[str], pattern: str | None, *, optional: bool = False) -> str | None:
    listed = [Found(name, 1, 0) for name in found]
    picked = select(listed, [("table", pattern, optional)], "source.zip")
    return picked["table"].name if picked else None


def test_the_first_bytes_decide_what_a_source_is(tmp_path: Path) -> None:
    assert names(tmp_path, zip_of({"a.csv": ROWS, "b/c.csv": ROWS, "b/": b""}), "data.csv") == ["a.csv", "b/c.csv"]
    assert names(tmp_path, gzip.compress(ROWS), "data.csv.gz") == ["data.csv"]
    assert names(tmp_path, ROWS, "data.zip") == ["data.zip"]


def test_a_gzip_file_knows_the_name_of_its_content(tmp_path: Path) -> None:
    with gzip.GzipFile(tmp_path / "inner.csv", "wb") as file:
        file.write(ROWS)
    served = (tmp_path / "inner.csv").read_bytes()
    assert names(tmp_path, served, "served.zip") == ["inner.csv"]
    assert names(tmp_path, served.replace(b"inner.csv", b"../../.."), "served.gz") == ["served"]


def test_what_file_managers_leave_in_a_zip_is_no_member(tmp_path: Path) -> None:
    data = {"__MACOSX/._a.csv": b"x", "a.csv": ROWS, ".DS_Store": b"x", "b/.DS_Store": b"x", "b/._c.csv": b"x"}
    assert names(tmp_path, zip_of(data)) == ["a.csv"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (b"\r\n<!DOCTYPE html><html><head><title>Access Denied</title>", r'an HTML or XML page \("Access Denied"\)'),
        (b"\xef\xbb\xbf<HTML><body>busy", "an HTML or XML page instead of data"),
        (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "an HTML or XML page instead of data"),
        (b'{"error": {"code": "NOT_FOUND"}}', 'a JSON text instead of data: {"error": {"code": "NOT_FOUND"}}'),
        (b'[\n  {"id": 1}\n]', "a JSON text instead of data"),
        (b"%PDF-1.7\n", "a PDF; only zip, gzip and plain text are read"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"),
        (b"BZh91AY&SY\x00", "a bzip2 file"),
        (gzip.compress(b"<html>busy</html>", mtime=0), "an HTML or XML page"),
        (gzip.compress(zip_of({"a.csv": ROWS}), mtime=0), "a compressed file inside a gzip file"),
    ],
)
def test_what_is_no_data_is_refused_and_called_by_its_name(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match=words):
        members(written(tmp_path, data), "source.zip")


def test_a_pattern_is_for_the_top_of_the_zip_and_else_for_one_folder_down() -> None:
    assert chosen(["old/product.txt", "Product.TXT"], "product.txt") == "Product.TXT"
    assert chosen(["ndctext/product.txt", "ndctext/package.txt"], "product.txt") == "ndctext/product.txt"
    assert chosen(["a/b/product.txt"], "product.txt", optional=True) is None
    assert chosen(["readme.txt", "Comprehensive_NDC.csv"], "*.csv") == "Comprehensive_NDC.csv"


def test_a_pattern_with_a_folder_is_for_the_whole_path() -> None:
    full = ["rrf/RXNCONSO.RRF", "prescribe/rrf/RXNCONSO.RRF", "rrf/RXNREL.RRF"]
    assert chosen(full, "rrf/RXNCONSO.RRF") == "rrf/RXNCONSO.RRF"
    assert chosen(full, "prescribe/rrf/rxnconso.rrf") == "prescribe/rrf/RXNCONSO.RRF"
    assert chosen(full[1:2], "rrf/RXNCONSO.RRF", optional=True) is None
    assert chosen(full, "*/RXNCONSO.RRF") == "rrf/RXNCONSO.RRF"


def test_no_pattern_means_the_only_file() -> None:
    assert chosen(["anything.csv"], None) == "anything.csv"
    with pytest.raises(SourceFormatError, match=r"2 members for table table: a\.csv, b\.csv"):
        chosen(["a.csv", "b.csv"], None)


def test_an_optional_member_may_be_absent_and_another_may_not() -> None:
    found = [Found(f"file{number}.txt", 1, 0) for number in range(12)]
    picked = select(found, [("first", "file0.txt", False), ("second", "other.txt", True)], "source.zip")
    assert {table: member.name for table, member in picked.items()} == {"first": "file0.txt"}
    with pytest.raises(SourceFormatError) as caught:
        select(found, [("second", "other.txt", False)], "source.zip")
    assert caught.value.reason == (
        "source.zip: no member other.txt for table second; there is file0.txt, file1.txt, file2.txt, file3.txt, "
        "file4.txt, file5.txt, file6.txt, file7.txt, file8.txt, file9.txt and 2 more"
    )


@pytest.mark.parametrize("twice", [["data.csv", "data.csv"], ["data.csv", "DATA.csv"], ["a/data.csv", "b/data.csv"]])
def test_a_member_that_is_there_twice_is_refused(twice: list[str]) -> None:
    with pytest.raises(SourceFormatError, match=r"source\.zip: 2 members for table table \(data\.csv\)"):
        chosen(twice, "data.csv")


def test_a_member_twice_in_a_real_zip_is_refused(tmp_path: Path) -> None:
    data = zip_of({"data.csv": ROWS, "dupe.csv": b"other"}).replace(b"dupe.csv", b"data.csv")
    path = written(tmp_path, data)
    found = members(path, "source.zip")
    assert [member.name for member in found] == ["data.csv", "data.csv"]
    with pytest.raises(SourceFormatError, match="2 members for table nsde"):
        select(found, [("nsde", "*.csv", False)], "source.zip")
    with pytest.raises(SourceFormatError, match="2 members of that name"):
        unpack(path, found[0], tmp_path / "text")


def test_all_wanted_members_together_have_a_limit() -> None:
    found = [Found("a.csv", 600, 0), Found("b.csv", 600, 0)]
    wanted = [("a", "a.csv", False), ("b", "b.csv", False)]
    assert len(select(found, wanted, "source.zip", Limits(max_total_bytes=1200))) == 2
    with pytest.raises(SourceFormatError, match="1,200 bytes unpacked are more than 1,199"):
        select(found, wanted, "source.zip", Limits(max_total_bytes=1199))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: zip_of({"data.csv": data})])
def test_size_and_digests_are_those_of_the_member_as_served(pack: object, tmp_path: Path) -> None:
    assert callable(pack)
    served = b"\xef\xbb\xbf" + ROWS
    text = text_of(tmp_path, pack(served), file_name="data.csv")
    assert text.path.read_bytes() == ROWS
    assert (text.member, text.bytes, text.encoding, text.replacements) == ("data.csv", len(served), "utf-8", 0)
    assert (text.sha256, text.crc32) == (hashlib.sha256(served).hexdigest(), zlib.crc32(served))


def test_several_gzip_streams_and_zeros_behind_them_are_one_text(tmp_path: Path) -> None:
    assert text_of(tmp_path, gzip.compress(ROWS) + gzip.compress(b"2,x\r\n") + bytes(600)).bytes == len(ROWS) + 5


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-4], "the gzip file is cut off"),
        (lambda data: data[: len(data) // 2], "the gzip file is cut off"),
        (lambda data: data[:-8] + b"\0\0\0\0" + data[-4:], "its compressed data is damaged"),
        (lambda data: data + b"junk", "its compressed data is damaged"),
    ],
)
def test_a_damaged_gzip_file_is_refused(damage: object, words: str, tmp_path: Path) -> None:
    assert callable(damage)
    with pytest.raises(SourceFormatError, match=words):
        text_of(tmp_path, damage(gzip.compress(ROWS * 50)))
    assert not (tmp_path / "text").exists()


@pytest.mark.parametrize(
    ("served", "configured", "expected", "used", "replacements"),
    [
        ("naïve – €".encode(), None, "naïve – €", "utf-8", 0),
        ("naïve – €".encode("cp1252"), None, "naïve – €", "cp1252", 0),
        (b"5\x92 \x81\x8d\x9d", None, "5’ \ufffd\ufffd\ufffd", "cp1252", 3),
        (b"5\x92 \x81", "cp1252", "5’ \ufffd", "cp1252", 1),
        (b"caf\xe9 \x92", "latin-1", "café \x92", "latin-1", 0),
        ("\ufeffcafé 😀".encode("utf-16-le"), None, "café 😀", "utf-16", 0),
        ("\ufeffcafé".encode("utf-16-be"), "utf-8", "café", "utf-16", 0),
        ("\ufeffcafé".encode(), "cp1252", "café", "utf-8", 0),
        (b"\xef\xbb\xbfcaf\xe9", "cp1252", "café", "cp1252", 0),
        (b"i\0d\0", None, "i\0d\0", "utf-8", 0),
    ],
)
def test_text_comes_out_as_utf8(
    served: bytes, configured: str | None, expected: str, used: str, replacements: int, tmp_path: Path
) -> None:
    text = text_of(tmp_path, served, configured)
    assert text.path.read_bytes().decode() == expected
    assert (text.encoding, text.replacements) == (used, replacements)


@pytest.mark.parametrize(
    ("served", "configured", "words"),
    [
        (b"id\nab\x92c\n", "utf-8", r"byte 5 \(0x92\) is not utf-8"),
        (b"id\ncaf\xc3", "utf-8", r"byte 6 \(0xc3\) is not utf-8"),
        (b"\xff\xfei\0d\0\n", None, "is not utf-16"),
        (b"\xff\xfei\0\x00\xd8x\0", None, r"byte 4 .* is not utf-16"),
    ],
)
def test_bytes_outside_the_only_possible_encoding_are_refused(
    served: bytes, configured: str | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceFormatError, match=words):
        text_of(tmp_path, served, configured)
    assert not (tmp_path / "text").exists()


def test_a_character_across_two_chunks_is_whole(tmp_path: Path) -> None:
    megabyte = 1024 * 1024
    served = b"x" * (megabyte - 1) + "é€😀".encode() * 1000
    assert text_of(tmp_path, served).path.read_bytes() == served
    torn = b"x" * (megabyte - 1) + b"\xc3" + b"y" * megabyte + b"\xa9"
    assert text_of(tmp_path, torn).path.read_bytes() == torn.decode("cp1252").encode()
    late = b"x" * (megabyte - 1) + b"\xc3\xa9" + b"y" * megabyte + b"\x92\x92"
    text = text_of(tmp_path, late)
    assert (text.encoding, text.path.read_bytes()) == ("cp1252", late.decode("cp1252").encode())


@pytest.mark.parametrize(
    ("served", "encoding"),
    [
        ("née €".encode() + b" \x92 \xc3(", "utf-8"),
        (b"\xef\xbb\xbfid\nab\x92 \xff\n", "utf-8"),
        ("née".encode() + b" \x92 \x93", "cp1252"),
        ("née".encode() + b" \xe4\x94", "cp1252"),
        (b"id\nab\x92", "cp1252"),
    ],
)
def test_utf8_damaged_in_places_is_told_from_windows_1252(served: bytes, encoding: str, tmp_path: Path) -> None:
    text = text_of(tmp_path, served)
    assert text.encoding == encoding
    as_is = served.removeprefix(b"\xef\xbb\xbf")
    assert text.path.read_bytes() == (as_is if encoding == "utf-8" else served.decode("cp1252").encode())


def test_an_undecodable_byte_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match=r"line 200001: byte 400006 \(0x92\) is not utf-8"):
        text_of(tmp_path, b"x\n" * 200_000 + b"abcdef\x92\nx\n", "utf-8")


def test_progress_counts_the_bytes_of_the_member(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    served = b"x\n" * 1_500_000
    path = written(tmp_path, zip_of({"data.csv": served}))
    (found,) = members(path, "source.zip")
    unpack(path, found, tmp_path / "text", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3_000_000, 3_000_000)
    assert len(seen) > 1


def test_a_disk_that_can_not_be_read_or_written_is_no_fault_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError):
        members(tmp_path / "absent.zip", "absent.zip")
    path = written(tmp_path, ROWS, "data.csv")
    (found,) = members(path, "data.csv")
    with pytest.raises(LocalIOError):
        unpack(path, found, tmp_path / "no" / "such" / "folder")
