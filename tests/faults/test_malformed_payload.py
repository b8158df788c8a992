"""Malformed input, M1 to M8: what a site sends instead of its file."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Iterator

import pytest
from fault_server import Answer, FaultServer, File
from faults.malformed import GOOD_TEXT, LakeUnderTest, a_row, text_of

from pharmaetl import api

pytestmark = pytest.mark.engine


def zipped(text: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("nsde.csv", text)
    return buffer.getvalue()


RELEASE = zipped(text_of(a_row(50)))


@pytest.fixture
def site() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def test_m1_an_answer_of_no_bytes_is_refused(lake: LakeUnderTest, site: FaultServer) -> None:
    lake.refuses(site.url("/release.zip", file=File(b"")), says=r"release\.zip: .*(empty|no bytes|0 bytes)")


def test_m2_a_web_page_with_status_200_is_refused(lake: LakeUnderTest, site: FaultServer) -> None:
    page = b"<!DOCTYPE html><html><head><title>Down for maintenance</title></head></html>"
    typed = site.url("/typed.zip", Answer(headers={"Content-Type": "text/html"}), file=File(page))
    lake.refuses(typed, says=r"typed\.zip.*web page")
    untyped = site.url("/untyped.zip", file=File(page))
    lake.refuses(untyped, says=r'untyped\.zip: an HTML or XML page \("Down for maintenance"\) instead of data')


def test_m3_an_error_object_with_status_200_is_refused(lake: LakeUnderTest, site: FaultServer) -> None:
    url = site.url("/release.zip", file=File(b'{"error": {"code": "OVER_RATE_LIMIT"}}'))
    lake.refuses(url, says=r'release\.zip: a JSON text instead of data: \{"error": .*OVER_RATE_LIMIT')


def test_m4_a_gzip_file_instead_of_a_zip_is_refused(lake: LakeUnderTest, site: FaultServer) -> None:
    url = site.url("/release.zip", file=File(gzip.compress(GOOD_TEXT, mtime=0)))
    lake.refuses(url, says=r"release\.zip: no zip, but a single file, and its name is not \*\.csv")


def test_m4_a_gzip_file_that_holds_the_table_s_text_is_read(lake: LakeUnderTest, site: FaultServer) -> None:
    found = lake.publishes(site.url("/nsde.csv.gz", file=File(gzip.compress(text_of(a_row(50)), mtime=0))))
    assert (len(found.rows), found.refused) == (41, [])


def test_m5_a_content_encoding_that_breaks_off_is_refused(lake: LakeUnderTest, site: FaultServer) -> None:
    body = gzip.compress(RELEASE, mtime=0)[:-200]
    url = site.url("/release.zip", Answer(headers={"Content-Encoding": "gzip"}), file=File(body))
    lake.refuses(url, says=r"release\.zip: sent with Content-Encoding gzip")


def test_m5_a_gzip_file_that_breaks_off_is_refused(lake: LakeUnderTest, site: FaultServer) -> None:
    url = site.url("/nsde.csv.gz", file=File(gzip.compress(GOOD_TEXT, mtime=0)[:-10]))
    lake.refuses(url, says=r"the gzip file is cut off")


def test_m6_a_declared_length_above_the_limit_is_refused(lake: LakeUnderTest, site: FaultServer) -> None:
    lake.with_config("nsde", max_bytes=1000)
    url = site.url("/release.zip", file=File(RELEASE))
    lake.refuses(url, says=r"release\.zip: larger than the 1000 bytes that max_bytes allows")
    assert [request.method for request in site.requests] == ["GET"]


def test_m7_more_bytes_than_the_limit_without_a_declared_length_are_refused(
    lake: LakeUnderTest, site: FaultServer
) -> None:
    lake.with_config("nsde", max_bytes=1000)
    url = site.url("/release.zip", Answer(headers={"Content-Length": ""}), file=File(RELEASE))
    lake.refuses(url, says=r"release\.zip: larger than the 1000 bytes that max_bytes allows")


def test_m8_bytes_that_are_not_those_the_config_pins_are_refused(lake: LakeUnderTest) -> None:
    lake.with_config("nsde", source_sha256="0" * 64)
    source = lake.folder / "release.zip"
    source.write_bytes(RELEASE)
    pinned = hashlib.sha256(RELEASE).hexdigest()

    lake.refuses(source, says=f"the source's sha256 is {pinned}, and the config pins {'0' * 64}")

    (config,) = lake.datasets.glob("*/nsde/config/dataset.json")
    config.write_text(config.read_text().replace("0" * 64, pinned))
    assert lake.run(source).code == 0


def test_m8_a_stored_source_whose_bytes_are_not_those_of_its_hash_is_not_resumed(lake: LakeUnderTest) -> None:
    source = lake.folder / "release.zip"
    source.write_bytes(zipped(b"\r\n".join(GOOD_TEXT.split(b"\r\n")[:5])))
    lake.refuses(source, says="ShrinkGuard")
    run_id = api.runs(lake.place, "nsde", 1)[0].run_id
    sha256 = api.runs(lake.place, "nsde", 1)[0].source.sha256
    stored = lake.folder / f"lake/raw/nsde/sha256={sha256}/release.zip"
    stored.chmod(0o644)
    stored.write_bytes(RELEASE)
    before = lake.state()
    found = lake.answer("runs", "resume", run_id)
    assert (found.code, lake.state()) == (7, before)
    assert found.errors == [f"raw/nsde/sha256={sha256}: the source of this run is not stored there whole"]
