"""Digests that name things: sources, configs, code. All are SHA-256 in lower-case hex.

Standard library only, so that jobs and Lambdas can use it anywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def of_bytes(data: bytes) -> str:
    """Digest of bytes."""
    return hashlib.sha256(data).hexdigest()


def of_json(value: object) -> str:
    """Digest of a JSON value, free of key order and of white space. Raises ValueError for NaN and infinity."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return of_bytes(text.encode("ascii"))


def of_file(path: Path) -> str:
    """Digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_members(members: Iterable[tuple[str, str]]) -> str:
    """Digest of (name, sha256) pairs in any order: what is inside an archive, whatever wraps it."""
    return of_json(sorted(members))


def of_files(paths: Iterable[Path], *, base: Path) -> str:
    """Digest of files by their contents and their names below `base`, in any order: the digest of a piece of code."""
    return of_members((path.relative_to(base).as_posix(), of_file(path)) for path in paths)
