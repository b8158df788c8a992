"""A lake on S3. Objects appear whole or not at all, so that a write needs no temporary name (see `s3_writes`)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl.aws import s3_client, s3_url
from pharmaetl.aws.s3_errors import asking, is_taken
from pharmaetl.aws.s3_writes import Writer
from pharmaetl.errors import ConflictError, LocalIOError, NotStoredError, UnavailableError
from pharmaetl.lake.storage import Stored, checked

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KMS_KEY_VARIABLE = "PHARMAETL_S3_KMS_KEY_ID"
"""Environment variable with the KMS key for what is written; without it, the bucket's own default holds."""
_CHUNK_BYTES = 1024**2
_READ_ATTEMPTS = 4
_AT_ONCE = 8


def open_s3(url: str) -> S3Storage:
    """The lake at s3://bucket/prefix; ConfigError where the URL is none, or boto3 or a profile is missing."""
    bucket, prefix = s3_url.bucket_and_prefix(url)
    return S3Storage(s3_client.client(), bucket, prefix, kms_key=os.environ.get(KMS_KEY_VARIABLE) or None)


class S3Storage:
    """A lake below a prefix of a bucket; may be used by several threads."""

    def __init__(self, client: S3Client, bucket: str, prefix: str = "", *, kms_key: str | None = None) -> None:
        self.client, self.bucket = client, bucket
        self.root = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        self._below = f"{prefix}/" if prefix else ""
        encryption: dict[str, Any] = {}
        if kms_key:
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key, "BucketKeyEnabled": True}
        self._writer = Writer(client, bucket, encryption)

    def url(self, path: str) -> str:
        """The s3:// URL; the root itself for an empty path."""
        return f"{self.root}/{checked(path)}" if path else self.root

    def read(self, path: str) -> bytes:
        """The object's bytes."""
        return b"".join(self._chunks(path))

    def size(self, path: str) -> int:
        """The object's length in bytes."""
        return int(self._head(path)["ContentLength"])

    def exists(self, path: str) -> bool:
        """Is there an object?"""
        try:
            self._head(path)
        except NotStoredError:
            return False
        return True

    def list(self, prefix: str) -> Iterator[Stored]:
        """Every object below a folder, sorted by path; names that no lake gives (`a//b`, `folder/`) are passed over."""
        folder = prefix.rstrip("/")
        below = f"{self._below}{checked(folder)}/" if folder else self._below
        found: list[Stored] = []
        with asking("s3:ListBucket", f"{self.root}/{folder}" if folder else self.root):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=below)
            for page in pages:
                found += [stored for listed in page.get("Contents", []) if (stored := self._stored(listed))]
        # S3 sorts by key, other servers folder by folder
        yield from sorted(found, key=lambda stored: stored.path)

    def create(self, path: str, data: bytes) -> bool:
        """Write a new object; False where one is already."""
        with self._writing(path) as key:
            return self._writer.put_if_absent(key, data)

    def replace(self, path: str, data: bytes) -> None:
        """Write an object, over the one that may be there."""
        with self._writing(path) as key:
            self._writer.put(key, data)

    def put(self, path: str, local: Path) -> None:
        """Upload a file with checksums, in parts where it is large; then remove the local one."""
        with self._writing(path) as key, _on_disk(local):
            self._writer.upload_if_absent(key, local)
            local.unlink(missing_ok=True)

    def copy(self, source: str, target: str) -> bool:
        """Copy an object inside S3 if none is at the target; False where the same bytes are there already."""
        head = self._head(source)
        with self._writing(target) as key:
            made = self._writer.copy_if_absent(self._key(source), key, int(head["ContentLength"]), str(head["ETag"]))
        if not made and not self._same(source, head, target):
            raise ConflictError(
                f"{self.url(target)} is there already, with other bytes than {self.url(source)}",
                hint="nothing was overwritten; `pharmaetl prune` removes what no version lists",
            )
        return made

    def sync(self, paths: Iterable[str]) -> None:
        """Nothing to flush: what S3 has acknowledged is durable. NotStoredError where one is missing."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(self._head, list(paths)):
                pass

    def fetch(self, path: str, local: Path) -> None:
        """Download an object, whole or not at all."""
        partial = local.with_name(f"{local.name}.partial")
        chunks = self._chunks(path)
        with _on_disk(local):
            try:
                with partial.open("wb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                partial.replace(local)
            finally:
                partial.unlink(missing_ok=True)

    def sha256(self, path: str) -> str:
        """The object's digest, from its bytes as they come now."""
        digest = hashlib.sha256()
        for chunk in self._chunks(path):
            digest.update(chunk)
        return digest.hexdigest()

    def delete(self, path: str) -> None:
        """Remove an object; in a versioned bucket, the bucket keeps it as an old version."""
        with asking("s3:DeleteObject", self.url(path)):
            self.client.delete_object(Bucket=self.bucket, Key=self._key(path))

    def _key(self, path: str) -> str:
        return f"{self._below}{checked(path)}"

    def _stored(self, listed: Any) -> Stored | None:
        path = str(listed["Key"]).removeprefix(self._below)
        try:
            return Stored(checked(path), int(listed["Size"]), listed["LastModified"].timestamp())
        except ValueError:
            return None

    def _head(self, path: str) -> dict[str, Any]:
        with asking("s3:GetObject", self.url(path)):
            return dict(self.client.head_object(Bucket=self.bucket, Key=self._key(path)))

    def _same(self, source: str, head: dict[str, Any], target: str) -> bool:
        there = self._head(target)
        if there["ContentLength"] != head["ContentLength"]:
            return False
        return bool(there["ETag"] == head["ETag"]) or self.sha256(source) == self.sha256(target)

    @contextmanager
    def _writing(self, path: str) -> Iterator[str]:
        """The key of a path that is written inside."""
        key = self._key(path)
        with asking("s3:PutObject", self.url(path)):
            yield key

    def _chunks(self, path: str) -> Iterator[bytes]:
        """The object's bytes. Where a connection breaks, the rest of the same version of the object is asked for."""
        key, have, etag = self._key(path), 0, ""
        for attempt in range(_READ_ATTEMPTS):
            try:
                with asking("s3:GetObject", self.url(path)):
                    answer = self._get(key, have, etag)
                    etag = str(answer["ETag"])
                    for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                        have += len(chunk)
                        yield chunk
                return
            except UnavailableError:
                if attempt == _READ_ATTEMPTS - 1 or not etag:
                    raise

    def _get(self, key: str, have: int, etag: str) -> Any:
        """The object, or what comes after its first bytes as long as it is the same."""
        from botocore.exceptions import ClientError

        if not have:
            return self.client.get_object(Bucket=self.bucket, Key=key)
        try:
            return self.client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes={have}-", IfMatch=etag)
        except ClientError as error:
            if is_taken(error):
                raise UnavailableError(f"{key} was replaced while it was read", hint="run again") from error
            raise


@contextmanager
def _on_disk(local: Path) -> Iterator[None]:
    """Failures of the machine's own disk, beside those of S3."""
    try:
        yield
    except OSError as error:
        raise LocalIOError(
            f"{local}: {error.strerror or error}", hint="check the free space and permissions of that folder"
        ) from error
