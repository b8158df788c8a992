"""What a download is asked to do, and what comes back from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pharmaetl.secret import Secret


@dataclass(frozen=True)
class Web:
    """A source on the web: its URL as it may be shown, and the one to request, with its secrets filled in."""

    shown: str
    url: Secret


@dataclass(frozen=True)
class Known:
    """What the published version says of its source: a hint that may save the download."""

    url: str
    sha256: str
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class Limits:
    """How large, how slow and how often: bounds that keep a bad site from holding up a run."""

    max_bytes: int = 4 * 1024**3
    connect_seconds: float = 15
    read_seconds: float = 30
    """Longest wait for the next bytes."""
    total_seconds: float = 3600
    """For everything together, retries and waits included."""
    min_bytes_per_second: int = 1024
    """On average over each window of `window_seconds`."""
    window_seconds: float = 60
    attempts: int = 6
    """Requests in a row that bring no new byte; a download that gets further starts counting anew."""
    backoff_seconds: float = 1
    max_backoff_seconds: float = 60
    """Longest wait between two attempts where the site asks for none."""
    max_retry_after_seconds: float = 300
    """Longest wait that a site may ask for; where it asks for more, or for more than is left, the download ends."""
    allow_private_hosts: bool = False
    """May a redirect lead to a private, loopback or link-local address? The URL given by the user always may, except
    that link-local ones, where clouds keep a machine's credentials, need this word too."""


@dataclass(frozen=True)
class Fetched:
    """A source file in the spool, complete and hashed."""

    path: Path
    url: str
    """Where it came from, with placeholders instead of secrets."""
    file_name: str
    """As served, made safe to use as one path segment."""
    sha256: str
    bytes: int
    etag: str | None
    last_modified: str | None
    fetched_at: str
    """UTC, ISO 8601 with a trailing Z."""


@dataclass(frozen=True)
class NotModified:
    """The site says that the known version is still its current one."""

    known: Known


@dataclass(frozen=True)
class Probed:
    """What can be said of a source that answers, without downloading it. None: it doesn't say."""

    url: str
    bytes: int | None
    sha256: str | None
    """Local files only."""
    etag: str | None
    last_modified: str | None
    modified: bool | None
    """Against the known version."""


def now() -> str:
    """The time, UTC, as ISO 8601 with a trailing Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Progress(Protocol):
    """Is told how far a transfer is; `total` in bytes is None where the site doesn't say."""

    def __call__(self, done: int, total: int | None) -> None:
        """Called after each chunk."""
        ...
