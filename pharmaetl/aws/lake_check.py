"""What `doctor` looks at where the lake is on S3: who asks, and how the bucket is set up."""

from __future__ import annotations

from collections.abc import Iterator

from pharmaetl.aws import s3_client
from pharmaetl.aws.s3 import S3Storage
from pharmaetl.aws.s3_errors import asking
from pharmaetl.doctor import Diagnosis
from pharmaetl.errors import PharmaetlError
from pharmaetl.lake.storage import Storage


def diagnoses(storage: Storage) -> Iterator[Diagnosis]:
    """Identity, bucket and versioning of a lake on S3; nothing for another lake. Changes nothing."""
    if isinstance(storage, S3Storage):
        yield _identity()
        yield _bucket(storage)
        yield _versioning(storage)


def _identity() -> Diagnosis:
    try:
        with asking("sts:GetCallerIdentity", "AWS"):
            found = s3_client.session().client("sts", config=s3_client.patience()).get_caller_identity()
    except PharmaetlError as error:
        # a server that is only S3 can't tell, and a lake needs no more than S3
        return Diagnosis("aws identity", "warn" if s3_client.endpoint() else "fail", error.reason, error.hint)
    return Diagnosis("aws identity", "ok", str(found["Arn"]))


def _bucket(storage: S3Storage) -> Diagnosis:
    try:
        with asking("s3:ListBucket", f"s3://{storage.bucket}"):
            headers = storage.client.head_bucket(Bucket=storage.bucket)["ResponseMetadata"]["HTTPHeaders"]
    except PharmaetlError as error:
        return Diagnosis("bucket", "fail", error.reason, error.hint)
    at = s3_client.endpoint() or headers.get("x-amz-bucket-region", "AWS")
    return Diagnosis("bucket", "ok", f"{storage.bucket} answers, at {at}")


def _versioning(storage: S3Storage) -> Diagnosis:
    """Versions of objects are what brings back a file that somebody deleted or overwrote by hand."""
    try:
        with asking("s3:GetBucketVersioning", f"s3://{storage.bucket}"):
            status = storage.client.get_bucket_versioning(Bucket=storage.bucket).get("Status")
    except PharmaetlError as error:
        return Diagnosis("bucket versioning", "warn", error.reason, error.hint)
    if status == "Enabled":
        return Diagnosis("bucket versioning", "ok", "on")
    fix = f"aws s3api put-bucket-versioning --bucket {storage.bucket} --versioning-configuration Status=Enabled"
    return Diagnosis("bucket versioning", "warn", "off: a deleted file can't be brought back", fix)
