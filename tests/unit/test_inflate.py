"""Members of zips come out the same whether ISA-L inflates them or zlib."""

from __future__ import annotations

import importlib.util
import io
import random
import sys
import zlib
from types import ModuleType
from typing import Any

import pytest

from pharmaetl.text import inflate

TEXT = b'"0002-0152-01","00002015201","Zepbound"\r\n' * 40_000 + random.Random(7).randbytes(5000)


@pytest.fixture(params=["as installed", "without isal"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if request.param == "as installed":
        return inflate
    monkeypatch.setitem(sys.modules, "isal", None)
    spec = importlib.util.spec_from_file_location("inflate_alone", inflate.__file__)
    assert spec is not None
    assert spec.loader is not None
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    assert alone._fast is zlib
    return alone


def inflated(module: Any, raw: bytes) -> bytes:
    return b"".join(chunk.data for chunk in module.deflated(io.BytesIO(raw), len(raw)))


def packed() -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(TEXT) + packer.flush()


def test_a_member_is_inflated_and_its_checksum_is_zlibs(module: Any) -> None:
    assert inflated(module, packed()) == TEXT
    assert module.crc32(TEXT[9:], module.crc32(TEXT[:9], 0)) == zlib.crc32(TEXT)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda raw: raw[:-20], "is cut off"),
        (lambda raw: raw + b"more", "bytes are left over"),
        (lambda raw: b"\xff" * 40 + raw, "is damaged"),
    ],
)
def test_a_stream_that_is_not_whole_is_refused(module: Any, damage: Any, said: str) -> None:
    with pytest.raises(module.StreamError, match=said):
        inflated(module, damage(packed()))
