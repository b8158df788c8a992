"""The URL of a lake on S3: `s3://bucket` or `s3://bucket/prefix`."""

from __future__ import annotations

import re

from pharmaetl.errors import ConfigError

_BUCKET = re.compile(r"(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FOLDER = re.compile(r"[A-Za-z0-9._=+@~-]+")
_SHAPE = "write s3://bucket or s3://bucket/prefix"


def bucket_and_prefix(url: str) -> tuple[str, str]:
    """Bucket and prefix (empty, or without slashes around it) of a lake's URL; ConfigError where it is none.

    Prefixes are of plain characters only, since engines expand `*?[]{}` in the paths that they read. One slash at the
    end is what shells complete, and is taken off. Names of buckets: the rules of the S3 user guide.
    """
    if not url.startswith("s3://"):
        raise ConfigError(f"{url} is no URL of a lake on S3", hint=_SHAPE)
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigError(f"{url} names no bucket", hint=_SHAPE)
    if not _BUCKET.fullmatch(bucket):
        raise ConfigError(
            f"{bucket!r} can't be the name of a bucket",
            hint="3 to 63 lower-case letters, digits, hyphens and dots, as `aws s3 ls` shows it",
        )
    folders = prefix.removesuffix("/").split("/") if prefix else []
    for folder in folders:
        if folder in {".", ".."} or not _FOLDER.fullmatch(folder):
            raise ConfigError(
                f"{url}: {folder!r} can't be a folder of a lake",
                hint=f"{_SHAPE}, where a prefix has letters, digits and . _ - = + @ ~",
            )
    return bucket, "/".join(folders)
