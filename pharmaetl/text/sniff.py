"""What a file is that should have been data, by its first bytes."""

from __future__ import annotations

import re

HEAD_BYTES = 4096
_BOM = b"\xef\xbb\xbf"
_PAGE = re.compile(rb"\s*<(!doctype|html|head|body|\?xml|!--)", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>\s*([^<]{1,80})", re.IGNORECASE)
_JSON = re.compile(rb'\s*(\{\s*["}]|\[\s*[\[{"\]])')
_BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")
_FORMATS = {
    b"%PDF-": "a PDF",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"PAR1": "a Parquet file",
}


def not_data(head: bytes) -> str | None:
    """An error page, an error object or a format that isn't read, in words; None for what may be delimited text."""
    start = head[:HEAD_BYTES].removeprefix(_BOM)
    if _PAGE.match(start):
        title = _TITLE.search(start)
        said = f' ("{_printable(title[1])}")' if title else ""
        return f"an HTML or XML page{said} instead of data"
    if _JSON.match(start):
        return f"a JSON text instead of data: {_printable(start[:80])}"
    for magic, what in _FORMATS.items():
        if start.startswith(magic):
            return f"{what}; only zip, gzip and plain text are read"
    return "a bzip2 file; only zip, gzip and plain text are read" if _BZIP2.match(start) else None


def _printable(data: bytes) -> str:
    text = " ".join(data.decode("utf-8", "replace").split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)
