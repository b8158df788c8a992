"""Where a config may say that a dataset's source is: a URL without secrets, or a path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pharmaetl import secret
from pharmaetl.config.mistakes import Mistake

_PLACEHOLDER = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


def mistakes(url: str) -> Iterator[Mistake]:
    """What is wrong with a source URL; no message repeats the URL, which may hold a secret."""
    if not url.strip() or not url.isprintable():
        yield Mistake("expected a URL or a path, without line breaks or control characters")
        return
    bare = _PLACEHOLDER.sub("x", url)
    if "${" in bare:
        yield Mistake("a placeholder is written ${NAME}: letters, digits and _")
    scheme, colon, rest = bare.partition(":")
    if colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme) and scheme.lower() not in {"https", "http", "file"}:
        if rest.startswith("//"):
            yield Mistake(f"{scheme.lower()} URLs are not supported: use https, http, file or a path")
    elif colon and scheme.lower() in {"https", "http", "file"}:
        if not rest.startswith("//"):
            yield Mistake(f"after {scheme}: come two slashes (three in file:///path)")
        elif scheme.lower() != "file" and not _host(bare):
            yield Mistake("the URL names no host, or one that can't be read")
    if secret.holds_secret(url):
        yield Mistake(
            "a key, user name or password stands in the URL", hint="put ${NAME} there and set NAME in the environment"
        )


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.port != 0 else None
    except ValueError:
        return None
