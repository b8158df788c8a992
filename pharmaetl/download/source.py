"""Where a dataset's bytes come from: fetch a source, on the web or on this machine, into a spool folder, hashed."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from urllib.parse import unquote

from pharmaetl import secret
from pharmaetl.download.answers import Origin, safe_name
from pharmaetl.download.partial import CHUNK, Partial, local_io
from pharmaetl.download.transfer import Fetched, Known, Limits, NotModified, Probed, Progress, Web, now
from pharmaetl.errors import ConfigError, LocalIOError, RefusedError, SourceFormatError, UnavailableError

__all__ = ["Fetched", "Known", "Limits", "NotModified", "Probed", "Progress", "fetch", "probe"]

LIMITS = Limits()
PROBE_LIMITS = Limits(connect_seconds=5, read_seconds=10, total_seconds=20, attempts=2)
"""For a look at a source while someone waits at the terminal."""


@dataclass(frozen=True)
class _Local:
    """A source on this machine, and its file URL as it may be shown."""

    path: Path
    url: str

    def __str__(self) -> str:
        """The path as it may be shown."""
        return secret.redact(str(self.path))


def fetch(
    source: str,
    spool: Path,
    *,
    limits: Limits = LIMITS,
    known: Known | None = None,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched | NotModified:
    """The source's file in the spool, complete and hashed, or NotModified where the site says that `known` is current.

    `source`: https, http or file URL, or a path; `${NAME}` stands for a secret in the environment. What is returned,
    raised or written holds the placeholder, never the secret. A download that was interrupted goes on where it stopped.

    Raises ConfigError for a source that can't be asked for, RefusedError for a redirect, size or web page that is not
    taken, SourceFormatError for an empty file, UnavailableError and DeniedError where the source can't be had,
    LocalIOError where the spool can't be written.
    """
    match _place(source):
        case _Local() as local:
            return _copy(local, spool, limits, progress)
        case Web() as web:
            from pharmaetl.download import download as from_web

            return from_web.download(web, spool, limits=limits, known=known, progress=progress, sleep=sleep)


def probe(source: str, *, limits: Limits = PROBE_LIMITS, known: Known | None = None) -> Probed:
    """What can be said of a source without downloading it; writes nothing, and raises what `fetch` would."""
    match _place(source):
        case _Local() as local:
            with _opened(local, limits) as (file, size):
                sha256 = file_digest(file, "sha256").hexdigest()
            modified = None if known is None else sha256 != known.sha256
            return Probed(local.url, size, sha256, None, None, modified)
        case Web() as web:
            from pharmaetl.download import download as from_web

            return from_web.probe(web, limits=limits, known=known, sleep=time.sleep)


def _place(source: str) -> _Local | Web:
    resolved = secret.resolve(source, os.environ)
    url = resolved.reveal()
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    if scheme is None:
        return _local(Path(url))
    match scheme[1].lower():
        case "https" | "http":
            if secret.holds_userinfo(source):
                hint = "export them as USER and PASSWORD, and write https://${USER}:${PASSWORD}@host/…"
                raise ConfigError("a user name or password stands in the source URL", hint=hint)
            return Web(secret.redact(source), resolved)
        case "file":
            host, slash, path = url[len("file://") :].partition("/")
            if host not in {"", "localhost"}:
                raise ConfigError(f"{secret.redact(source)}: a file URL with a host", hint="write file:///path")
            return _local(Path(slash + unquote(path)))
        case other:
            raise ConfigError(f"{secret.redact(other)} URLs are not supported", hint="use https, http, file or a path")


def _local(path: Path) -> _Local:
    try:
        path = path.expanduser().absolute()
    except RuntimeError:
        raise ConfigError(f"{secret.redact(str(path))}: no such home directory", hint="write the path out") from None
    return _Local(path, secret.redact(path.as_uri()))


def _copy(local: _Local, spool: Path, limits: Limits, progress: Progress | None) -> Fetched:
    name = safe_name(secret.redact(local.path.name)) or "file"
    with _opened(local, limits) as (file, size), Partial(spool, local.url) as partial:
        partial.restart(Origin())
        while chunk := _read(file, local):
            partial.append(chunk)
            if progress:
                progress(partial.size, size)
        if partial.size != size:
            raise UnavailableError(f"{local}: changed while it was read", hint="run again when the file is complete")
        sha256 = partial.sha256
        return Fetched(partial.finish(name), local.url, name, sha256, size, None, None, now())


@contextmanager
def _opened(local: _Local, limits: Limits) -> Iterator[tuple[BufferedReader, int]]:
    """The file, ready to be read, and its size in bytes, neither none nor too many."""
    try:
        state = local.path.stat()
        if not stat.S_ISREG(state.st_mode):
            kind = "a folder" if stat.S_ISDIR(state.st_mode) else "no regular file"
            raise UnavailableError(f"{local}: {kind}", hint="give the path of the source file itself")
        file = local.path.open("rb")
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise UnavailableError(f"{local}: no such file", hint="check the path") from None
    except OSError as error:
        hint = "check the file's permissions" if isinstance(error, PermissionError) else "check the disk that holds it"
        raise LocalIOError(f"{local}: can't be read: {error.strerror}", hint=hint) from error
    with file:
        if state.st_size > limits.max_bytes:
            reason = f"{local}: {state.st_size} bytes, larger than the {limits.max_bytes} that max_bytes allows"
            raise RefusedError(reason, hint="if the file has grown for good, raise max_bytes in the dataset's config")
        if not state.st_size:
            raise SourceFormatError(f"{local}: empty file", hint="check what wrote it, then run again")
        yield file, state.st_size


def _read(file: BufferedReader, local: _Local) -> bytes:
    with local_io(local.path):
        return file.read(CHUNK)
