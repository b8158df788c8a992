"""Conditional writes to S3: an object appears whole and only where none is, or not at all.

Every one is sent with `If-None-Match: *`. 412 means that an object is there. 409 means that another conditional write
of the same key is under way: the request is sent again after a wait. Where a request was sent more than once, an answer
to an earlier one may have been lost, so a 412 is settled by comparing bytes.
"""

from __future__ import annotations

import base64
import hashlib
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmaetl.aws.s3_errors import is_crossed, is_taken, status_of, was_asked_again
from pharmaetl.errors import UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES = 16 * 1024**2
"""Files up to this size go up in one request, larger ones in parts of at least this size."""
COPY_PART_BYTES = 1024**3
"""S3 copies up to 5 GiB in one request; parts of 1 GiB are copied side by side."""
MAX_PARTS = 10_000
_SIDE_BY_SIDE = 4
_CROSSED_ATTEMPTS = 8
_CROSSED_SECONDS = 0.1


@dataclass(frozen=True)
class Writer:
    """Writes to one bucket; `encryption` are the parameters that ask for a KMS key, empty for the bucket's default."""

    client: S3Client
    bucket: str
    encryption: dict[str, Any]

    def put(self, key: str, data: bytes) -> None:
        """Write an object whole, over the one that may be there."""
        self.client.put_object(**self._target(key), Body=data, ChecksumAlgorithm="SHA256", **self.encryption)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object if none is there; False where another one is."""

        def send() -> object:
            return self.client.put_object(
                **self._target(key), Body=data, ChecksumAlgorithm="SHA256", IfNoneMatch="*", **self.encryption
            )

        return _settled(send, lambda: self._is(key, hashlib.sha256(data).hexdigest(), len(data)))

    def upload_if_absent(self, key: str, local: Path) -> bool:
        """Write a local file if no object is there; False where one is. A failure leaves no parts behind."""
        size = local.stat().st_size
        if size <= PART_BYTES:
            return self.put_if_absent(key, local.read_bytes())
        if self._is_there(key):  # spares the upload of what would not be taken
            return False
        step = max(PART_BYTES, -(-size // MAX_PARTS))

        def send(upload: str, number: int, begin: int, end: int) -> CompletedPartTypeDef:
            with local.open("rb") as file:
                file.seek(begin)
                data = file.read(end - begin)
            checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
            sent = self.client.upload_part(
                **self._target(key), UploadId=upload, PartNumber=number, Body=data, ChecksumSHA256=checksum
            )
            return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": checksum}

        return self._in_parts(key, list(_ranges(size, step)), send, {"ChecksumAlgorithm": "SHA256"})

    def copy_if_absent(self, source: str, key: str, size: int, etag: str) -> bool:
        """Copy exactly this object inside S3, if no object is at the target; False where one is."""
        if size == 0:
            return self.put_if_absent(key, b"")
        if self._is_there(key):
            return False

        def send(upload: str, number: int, begin: int, end: int) -> CompletedPartTypeDef:
            copied = self.client.upload_part_copy(
                **self._target(key),
                UploadId=upload,
                PartNumber=number,
                CopySource={"Bucket": self.bucket, "Key": source},
                CopySourceIfMatch=etag,
                CopySourceRange=f"bytes={begin}-{end - 1}",
            )
            return {"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]}

        return self._in_parts(key, list(_ranges(size, COPY_PART_BYTES)), send, {})

    def _in_parts(
        self,
        key: str,
        ranges: list[tuple[int, int, int]],
        send: Callable[[str, int, int, int], CompletedPartTypeDef],
        options: dict[str, Any],
    ) -> bool:
        """A multipart upload, completed if no object is there; in all other cases aborted."""
        made = self.client.create_multipart_upload(**self._target(key), **options, **self.encryption)
        upload = made["UploadId"]
        with self._aborted_on_failure(key, upload), ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            try:
                parts = list(pool.map(lambda part: send(upload, *part), ranges))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            completed = _settled(lambda: self._complete(key, upload, parts), lambda: self._was_completed(key, parts))
        if not completed:
            self._abort(key, upload)
        return completed

    def _complete(self, key: str, upload: str, parts: list[CompletedPartTypeDef]) -> None:
        self.client.complete_multipart_upload(
            **self._target(key), UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
        )

    def _was_completed(self, key: str, parts: list[CompletedPartTypeDef]) -> bool:
        """Is the object that is there made of exactly these parts? (S3 user guide, ETags of multipart uploads)"""
        digests = b"".join(bytes.fromhex(part["ETag"].strip('"')) for part in parts)
        ours = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
        return bool(self.client.head_object(**self._target(key))["ETag"].strip('"') == ours)

    def _is_there(self, key: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self.client.head_object(**self._target(key))
        except ClientError as error:
            if status_of(error) == 404:
                return False
            raise
        return True

    def _is(self, key: str, sha256: str, size: int) -> bool:
        answer = self.client.get_object(**self._target(key))
        return answer["ContentLength"] == size and hashlib.sha256(answer["Body"].read()).hexdigest() == sha256

    @contextmanager
    def _aborted_on_failure(self, key: str, upload: str) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._abort(key, upload)
            raise

    def _abort(self, key: str, upload: str) -> None:
        """Give up an upload; where even that fails, the bucket's lifecycle rule ends it."""
        from botocore.exceptions import BotoCoreError, ClientError

        with suppress(BotoCoreError, ClientError):
            self.client.abort_multipart_upload(**self._target(key), UploadId=upload)

    def _target(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": key}


def _ranges(size: int, step: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of every part."""
    for number, begin in enumerate(range(0, size, step), start=1):
        yield number, begin, min(begin + step, size)


def _settled(send: Callable[[], object], is_ours: Callable[[], bool]) -> bool:
    """Send a conditional write until it is answered: True where our object is there, False where another one is."""
    from botocore.exceptions import ClientError

    for attempt in range(_CROSSED_ATTEMPTS):
        try:
            send()
        except ClientError as error:
            if is_taken(error):
                return (attempt > 0 or was_asked_again(error)) and is_ours()
            if not is_crossed(error):
                raise
            time.sleep(random.SystemRandom().uniform(0, _CROSSED_SECONDS * 2**attempt))
        else:
            return True
    raise UnavailableError(
        "S3 answers 409 (ConditionalRequestConflict) again and again: other writers are at the same object",
        hint="run again in a minute",
    )
