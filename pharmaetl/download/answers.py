"""What a web server's answer says: which file it sends, how long it is, and from which byte on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pharmaetl import secret

if TYPE_CHECKING:
    import requests

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
# A file of one of these names would land on the lake's own files in raw/.
_TAKEN = frozenset({"source.json", "unpacked"})
_MAX_NAME_BYTES = 150


@dataclass(frozen=True)
class Origin:
    """Which bytes a server is sending: its validators, and the size of the whole file."""

    etag: str | None = None
    last_modified: str | None = None
    total: int | None = None

    @property
    def validator(self) -> str | None:
        """What If-Range may hold (RFC 9110, 13.1.5): a strong ETag, or else the date."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.last_modified

    def goes_on_in(self, part: Origin) -> bool:
        """Is a 206 answer about the same bytes? It has to repeat the ETag, and may leave out the rest."""
        pairs = ((self.last_modified, part.last_modified), (self.total, part.total))
        return self.etag == part.etag and all(one is None or two is None or one == two for one, two in pairs)


def origin_of(response: requests.Response, total: int | None) -> Origin:
    """The validators of an answer, but those that repeat a secret; `total` is the size of the whole file in bytes."""
    etag, last_modified = (_writable(response.headers.get(name)) for name in ("ETag", "Last-Modified"))
    return Origin(etag, last_modified, total)


def _writable(validator: str | None) -> str | None:
    """Validators are written down. One made from the request's URL would take the licence key along."""
    return None if validator is None or secret.redact(validator) != validator else validator


def length_of(response: requests.Response) -> int | None:
    """The declared length of the body in bytes; ValueError where it is no length."""
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    value = response.headers.get("Content-Length")
    if value is None:
        return None
    # The same length may stand there twice (RFC 9110, 8.6); urllib3 refuses lengths that differ.
    value = value.partition(",")[0].strip()
    if not re.fullmatch(r"[0-9]{1,18}", value):
        raise ValueError("a Content-Length that is no number of bytes")
    return int(value)


def part_of(response: requests.Response) -> tuple[int, int | None] | None:
    """First byte and size of the whole file, of a 206 answer that runs to the file's end; None for any other."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if not found:
        return None
    first, last = int(found[1]), int(found[2])
    if found[3] == "*":
        return first, None
    return (first, int(found[3])) if last + 1 == int(found[3]) else None


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or until an HTTP date (below 0: past); None otherwise."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,18}", value.strip()):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return (until - datetime.now(UTC)).total_seconds()


def is_web_page(response: requests.Response, start: bytes) -> bool:
    """Is this a page to look at, such as a login or an error served as 200? `start`: the first bytes of the body."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind in {"text/html", "application/xhtml+xml"} and start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def file_name(disposition: str | None, *urls: str) -> str:
    """The name a file is served under: Content-Disposition's, or else the last segment of the first URL with one."""
    names = [_disposition_name(disposition)] + [unquote(urlsplit(url).path.rpartition("/")[2]) for url in urls]
    return next((safe for name in names if (safe := safe_name(secret.redact(name)))), "download")


def safe_name(name: str) -> str:
    """A file name as one path segment, safe everywhere: no separators, control or glob characters, at most 150 bytes.

    Empty where nothing of the name is left.
    """
    last = re.split(r"[/\\]", name)[-1]
    clean = re.sub(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff:*?"<>|{}\[\]$]', "_", last).strip(". ")
    if len(clean.encode()) > _MAX_NAME_BYTES:
        stem, dot, suffix = clean.rpartition(".")
        suffix = dot + suffix if stem and len(suffix.encode()) < 20 else ""
        clean = clean.encode()[: _MAX_NAME_BYTES - len(suffix.encode())].decode(errors="ignore") + suffix
    return f"file_{clean}" if clean.casefold() in _TAKEN else clean


def _disposition_name(disposition: str | None) -> str:
    message = Message()
    message["Content-Disposition"] = " ".join((disposition or "").split())
    return message.get_filename() or ""
