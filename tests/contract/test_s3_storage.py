"""S3 as a storage: the contract on two servers, and what only a network and a bucket can do wrong."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_servers import S3Server
from storage_contract import StorageContract

from pharmaetl.aws import s3, s3_writes
from pharmaetl.aws.s3 import S3Storage, open_s3
from pharmaetl.errors import (
    ConfigError,
    ConflictError,
    DeniedError,
    LocalIOError,
    NotStoredError,
    PharmaetlError,
    UnavailableError,
)
from pharmaetl.lake.storage import Storage
from pharmaetl.place import open_lake

pytest_plugins = ["s3_fixtures"]

MIB = 1024**2


@pytest.fixture
def storage(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    return lake_on(s3_server, monkeypatch)


@pytest.fixture
def moto_lake(moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    """One server is enough where the answer is the test's own."""
    return lake_on(moto_s3, monkeypatch)


def lake_on(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return open_s3(f"s3://{server.new_bucket()}/drugs")


class TestS3Storage(StorageContract):
    @pytest.fixture
    def storage(self, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
        return lake_on(s3_server, monkeypatch)


class TestS3StorageAtTheRootOfABucket(StorageContract):
    @pytest.fixture
    def storage(self, moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
        lake = lake_on(moto_s3, monkeypatch)
        return S3Storage(lake.client, lake.bucket)


def keys_of(storage: S3Storage) -> list[str]:
    listed = storage.client.list_objects_v2(Bucket=storage.bucket).get("Contents", [])
    return sorted(found["Key"] for found in listed)


def test_a_listing_says_when_a_file_was_written(storage: S3Storage) -> None:
    begun = time.time()
    storage.create("raw/a", b"")
    (stored,) = storage.list("raw")
    assert begun - 2 <= stored.modified <= time.time() + 2


def uploads_of(storage: S3Storage) -> list[Any]:
    return list(storage.client.list_multipart_uploads(Bucket=storage.bucket).get("Uploads", []))


def test_the_objects_of_a_lake_lie_below_its_prefix(storage: S3Storage) -> None:
    storage.create("manifests/nsde/00000001.json", b"{}")
    assert keys_of(storage) == ["drugs/manifests/nsde/00000001.json"]
    assert storage.url("silver/nsde") == f"s3://{storage.bucket}/drugs/silver/nsde"


def test_a_large_file_goes_up_in_parts_and_comes_back(storage: S3Storage, tmp_path: Path) -> None:
    data = os.urandom(s3_writes.PART_BYTES + 5 * MIB)
    (tmp_path / "large").write_bytes(data)
    storage.put("raw/large", tmp_path / "large")
    assert not (tmp_path / "large").exists()
    assert storage.size("raw/large") == len(data)
    assert storage.sha256("raw/large") == hashlib.sha256(data).hexdigest()
    storage.fetch("raw/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    assert uploads_of(storage) == []


def test_a_large_file_keeps_what_is_there_and_leaves_no_upload(
    storage: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.create("raw/large", b"there")
    monkeypatch.setattr(s3_writes.Writer, "_is_there", lambda *_: False)  # it came while the parts went up
    (tmp_path / "large").write_bytes(bytes(s3_writes.PART_BYTES + 1))
    storage.put("raw/large", tmp_path / "large")
    assert storage.read("raw/large") == b"there"
    assert uploads_of(storage) == []


def test_a_failed_upload_is_aborted_and_the_local_file_stays(moto_lake: S3Storage, tmp_path: Path) -> None:
    answer(moto_lake, "UploadPart", 403, "AccessDenied", after=1)
    (tmp_path / "large").write_bytes(bytes(s3_writes.PART_BYTES * 2))
    with pytest.raises(DeniedError, match=r"s3:PutObject on s3://.*/drugs/raw/large is not allowed"):
        moto_lake.put("raw/large", tmp_path / "large")
    assert (tmp_path / "large").exists()
    assert keys_of(moto_lake) == []
    assert uploads_of(moto_lake) == []


def test_a_copy_is_made_inside_the_lake(storage: S3Storage) -> None:
    storage.create(".work/run/silver/part-0 of [a].parquet", b"rows")
    assert storage.copy(".work/run/silver/part-0 of [a].parquet", "silver/part-00000.parquet") is True
    assert storage.read("silver/part-00000.parquet") == b"rows"
    assert storage.exists(".work/run/silver/part-0 of [a].parquet")


def test_a_copy_made_twice_is_one_copy(storage: S3Storage) -> None:
    storage.create("a", b"rows")
    assert [storage.copy("a", "b"), storage.copy("a", "b")] == [True, False]


def test_a_copy_never_goes_over_another_file(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.create("a", b"rows")
    storage.create("b", b"ROWS")
    with pytest.raises(ConflictError, match="is there already, with other bytes"):
        storage.copy("a", "b")
    monkeypatch.setattr(s3_writes.Writer, "_is_there", lambda *_: False)  # it came while the copy was made
    with pytest.raises(ConflictError):
        storage.copy("a", "b")
    assert storage.read("b") == b"ROWS"
    assert uploads_of(storage) == []


def test_an_empty_file_can_be_copied_and_a_missing_one_can_not(storage: S3Storage) -> None:
    storage.create("empty", b"")
    assert storage.copy("empty", "copy") is True
    assert storage.size("copy") == 0
    with pytest.raises(NotStoredError):
        storage.copy("nothing", "other")


def test_a_large_copy_goes_in_parts(storage: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_writes, "COPY_PART_BYTES", 5 * MIB)
    data = os.urandom(12 * MIB)
    (tmp_path / "large").write_bytes(data)
    storage.put("a", tmp_path / "large")
    storage.copy("a", "b")
    assert storage.sha256("b") == hashlib.sha256(data).hexdigest()


def test_a_listing_of_many_pages_is_whole_and_sorted(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"runs/nsde/{number}.json" for number in range(25)]
    for name in names:
        storage.create(name, b"{}")
    small_pages(storage)
    assert [stored.path for stored in storage.list("runs")] == sorted(names)


def small_pages(storage: S3Storage) -> None:
    def two(params: dict[str, Any], **_: Any) -> None:
        params["query_string"]["max-keys"] = "4"

    storage.client.meta.events.register("before-call.s3.ListObjectsV2", two)


def test_names_that_no_lake_gives_are_passed_over(storage: S3Storage) -> None:
    storage.create("raw/a", b"")
    storage.client.put_object(Bucket=storage.bucket, Key="drugs/raw/folder/", Body=b"")
    assert [stored.path for stored in storage.list("raw")] == ["raw/a"]


def answer(storage: S3Storage, operation: str, status: int, code: str, *, after: int = 0, times: int = 99) -> list[str]:
    """Let S3 answer an operation with an error, from the n-th request on; the list gets a word for each request."""
    from botocore.awsrequest import AWSResponse

    asked: list[str] = []

    def instead(request: Any, **_: Any) -> AWSResponse | None:
        asked.append(operation)
        if not after < len(asked) <= after + times:
            return None
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        raw = type("Raw", (), {"stream": lambda *_, **__: iter([body]), "read": lambda *_, **__: body})()
        return AWSResponse(request.url, status, {"content-type": "application/xml"}, raw)

    storage.client.meta.events.register(f"before-send.s3.{operation}", instead)
    return asked


def lose_answer(storage: S3Storage, operation: str, *, times: int = 1) -> list[str]:
    """Let requests reach S3 and be done, and their answers never arrive."""
    from botocore.exceptions import ReadTimeoutError
    from botocore.httpsession import URLLib3Session

    lost: list[str] = []

    def instead(request: Any, **_: Any) -> None:
        if len(lost) < times:
            lost.append(operation)
            URLLib3Session().send(request)
            raise ReadTimeoutError(endpoint_url=request.url)

    storage.client.meta.events.register(f"before-send.s3.{operation}", instead)
    return lost


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_writes, "_CROSSED_SECONDS", 0.001)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


def test_a_conditional_write_that_crossed_another_is_sent_again(moto_lake: S3Storage) -> None:
    asked = answer(moto_lake, "PutObject", 409, "ConditionalRequestConflict", times=3)
    assert moto_lake.create("log/00000001.json", b"ours") is True
    assert len(asked) == 4


def test_conditional_writes_that_always_cross_end_as_unavailable(moto_lake: S3Storage) -> None:
    answer(moto_lake, "PutObject", 409, "ConditionalRequestConflict")
    with pytest.raises(UnavailableError, match="409"):
        moto_lake.create("log/00000001.json", b"ours")


def test_throttling_is_waited_out(moto_lake: S3Storage) -> None:
    asked = answer(moto_lake, "PutObject", 503, "SlowDown", times=3)
    assert moto_lake.create("log/00000001.json", b"ours") is True
    assert len(asked) == 4


@pytest.mark.parametrize("there", [False, True])
def test_a_create_whose_answer_was_lost_knows_its_own_object(moto_lake: S3Storage, there: bool) -> None:
    if there:
        moto_lake.create("log/00000001.json", b"them")
    lose_answer(moto_lake, "PutObject")
    assert moto_lake.create("log/00000001.json", b"ours") is not there
    assert moto_lake.read("log/00000001.json") == (b"them" if there else b"ours")


def test_a_create_whose_answers_are_all_lost_is_unavailable(moto_lake: S3Storage) -> None:
    lose_answer(moto_lake, "PutObject", times=99)
    with pytest.raises(UnavailableError, match=r"no answer from S3 for s3://.*/log/00000001.json \(read timeout\)"):
        moto_lake.create("log/00000001.json", b"ours")


def test_a_large_upload_whose_last_answer_was_lost_is_done(moto_lake: S3Storage, tmp_path: Path) -> None:
    lost = lose_answer(moto_lake, "CompleteMultipartUpload")
    (tmp_path / "large").write_bytes(bytes(s3_writes.PART_BYTES + 1))
    moto_lake.put("raw/large", tmp_path / "large")
    assert lost == ["CompleteMultipartUpload"]
    assert moto_lake.size("raw/large") == s3_writes.PART_BYTES + 1


class Cut:
    """A body whose connection breaks after some bytes."""

    def __init__(self, body: Any, after: int) -> None:
        self.body, self.after = body, after

    def iter_chunks(self, _: int) -> Iterator[bytes]:
        from botocore.exceptions import ResponseStreamingError

        yield self.body.read(self.after)
        raise ResponseStreamingError(error="cut")


def cut_bodies(storage: S3Storage, monkeypatch: pytest.MonkeyPatch, *, times: int) -> list[str]:
    asked: list[str] = []
    real = storage.client.get_object

    def get(**words: Any) -> Any:
        asked.append(words.get("Range", "all"))
        got = real(**words)
        return {**got, "Body": Cut(got["Body"], 4)} if len(asked) <= times else got

    monkeypatch.setattr(storage.client, "get_object", get)
    return asked


def test_a_broken_download_goes_on_where_it_broke(
    storage: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.create("raw/file", b"0123456789")
    asked = cut_bodies(storage, monkeypatch, times=2)
    storage.fetch("raw/file", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"0123456789"
    assert asked == ["all", "bytes=4-", "bytes=8-"]


def test_a_download_that_keeps_breaking_leaves_nothing(
    moto_lake: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_lake.create("raw/file", bytes(100))
    cut_bodies(moto_lake, monkeypatch, times=99)
    with pytest.raises(UnavailableError, match="response streaming"):
        moto_lake.fetch("raw/file", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_file_replaced_while_it_is_read_is_never_spliced(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.replace("state.json", b"old and long")
    cut_bodies(storage, monkeypatch, times=1)
    chunks = storage._chunks("state.json")
    assert next(chunks) == b"old "
    storage.replace("state.json", b"new and long")
    with pytest.raises(UnavailableError, match="replaced while it was read"):
        next(chunks)


@pytest.mark.parametrize(
    ("status", "code", "error", "reason", "hint"),
    [
        (403, "AccessDenied", DeniedError, r"s3:GetObject on s3://.*/a is not allowed", "allow s3:GetObject"),
        (403, "InvalidAccessKeyId", DeniedError, r"AWS doesn't know these credentials \(InvalidAccessKeyId\)", "aws"),
        (400, "ExpiredToken", DeniedError, "the AWS session has expired", "aws sso login"),
        (404, "NoSuchBucket", ConfigError, "there is no bucket for s3://", "--lake"),
        (301, "PermanentRedirect", ConfigError, "in another region", "AWS_REGION"),
        (403, "RequestTimeTooSkewed", ConfigError, "clock is wrong", "set the clock"),
        (400, "KMS.DisabledException", ConfigError, r"the KMS key can't be used", "PHARMAETL_S3_KMS_KEY_ID"),
        (503, "SlowDown", UnavailableError, r"S3 answers SlowDown \(no\)", "run again"),
        (500, "InternalError", UnavailableError, "S3 answers InternalError", "run again"),
        (404, "NoSuchKey", NotStoredError, "is not there", "manifest verify"),
    ],
)
def test_what_s3_refuses_is_an_error_with_a_hint(
    moto_lake: S3Storage, status: int, code: str, error: type[PharmaetlError], reason: str, hint: str
) -> None:
    answer(moto_lake, "GetObject", status, code)
    with pytest.raises(error, match=reason) as failed:
        moto_lake.read("a")
    assert type(failed.value) is error
    assert hint in failed.value.hint


def test_a_bucket_that_is_not_there_is_a_config_error(moto_lake: S3Storage) -> None:
    other = S3Storage(moto_lake.client, f"{moto_lake.bucket}-not")
    calls: list[Callable[[], object]] = [lambda: list(other.list("manifests")), lambda: other.create("a", b"")]
    for call in calls:
        with pytest.raises(ConfigError, match="there is no bucket for"):
            call()


def test_without_credentials_nothing_is_guessed(moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    lake_on(moto_s3, monkeypatch)
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=r"no AWS credentials for s3://some-bucket: Unable to locate") as failed:
        list(open_s3("s3://some-bucket").list(""))
    assert "aws configure" in failed.value.hint


def test_a_server_that_is_not_there_is_unavailable(moto_lake: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match=r"no answer from S3 for s3://b23/a \(endpoint connection\)"):
        open_s3("s3://b23").read("a")


def test_wrong_keys_are_denied_by_a_server_that_checks_them(
    seaweed_s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake_on(seaweed_s3, monkeypatch)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-canary")
    with pytest.raises(DeniedError, match="SignatureDoesNotMatch") as failed:
        list(open_s3(f"s3://{seaweed_s3.new_bucket()}").list(""))
    assert "canary" not in f"{failed.value.reason} {failed.value.hint}"


def test_a_kms_key_is_asked_for_with_every_write(
    moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = lake_on(moto_s3, monkeypatch)
    monkeypatch.setenv("PHARMAETL_S3_KMS_KEY_ID", "alias/pp-raws-lake")
    lake = open_s3(first.root)
    (tmp_path / "small").write_bytes(b"1")
    (tmp_path / "large").write_bytes(bytes(s3_writes.PART_BYTES + 1))
    lake.create("created", b"1")
    lake.replace("replaced", b"1")
    lake.put("small", tmp_path / "small")
    lake.put("large", tmp_path / "large")
    lake.copy("small", "copied")
    for path in ["created", "replaced", "small", "large", "copied"]:
        head = lake.client.head_object(Bucket=lake.bucket, Key=f"drugs/{path}")
        assert (path, head.get("ServerSideEncryption")) == (path, "aws:kms")
        assert head["SSEKMSKeyId"].endswith("alias/pp-raws-lake")


def test_a_local_file_that_can_not_be_read_is_a_local_io_error(moto_lake: S3Storage, tmp_path: Path) -> None:
    with pytest.raises(LocalIOError, match="No such file"):
        moto_lake.put("raw/file", tmp_path / "nothing")


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///x",
        "s3:///",
        "s3://Bucket/x",
        "s3://ab",
        "s3://a..b/x",
        "s3://192.168.0.1/x",
        "s3://bucket/../x",
        "s3://bucket/x/..",
        "s3://bucket//x",
        "s3://bucket/x//",
        "s3://bucket/a*b",
        "s3://bucket/x?versionId=1",
        "s3://user:secret@bucket/x",
        "s3a://bucket/x",
        "s3n://bucket/x",
    ],
)
def test_urls_that_name_no_lake_are_config_errors(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_lake(url)
    assert "s3://bucket" in refused.value.hint or "lower-case" in refused.value.hint


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("s3://my-bucket", "s3://my-bucket"),
        ("s3://my-bucket/", "s3://my-bucket"),
        ("s3://my-bucket/a/b=1/", "s3://my-bucket/a/b=1"),
        ("S3://my.bucket/a", "s3://my.bucket/a"),
    ],
)
def test_urls_that_name_a_lake_open_it_without_a_request(
    url: str, root: str, moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake_on(moto_s3, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert open_lake(url).root == root


def test_a_missing_profile_and_a_malformed_endpoint_are_config_errors(
    moto_lake: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no url")
    with pytest.raises(ConfigError, match="Invalid endpoint"):
        open_s3("s3://bucket")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigError, match="nobody"):
        open_s3("s3://bucket")


def test_without_boto3_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError) as refused:
        open_s3("s3://bucket")
    assert refused.value.hint == "pip install 'pharmaetl[aws]'"


def test_aws_itself_is_asked_by_the_name_of_the_bucket(moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    lake_on(moto_s3, monkeypatch)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    urls: list[str] = []
    lake = open_s3("s3://my-bucket/drugs")
    lake.client.meta.events.register("before-send.s3", lambda request, **_: urls.append(request.url))
    answer(lake, "HeadObject", 404, "404")
    assert not lake.exists("a")
    assert urls == ["https://my-bucket.s3.amazonaws.com/drugs/a"]
    assert s3.KMS_KEY_VARIABLE == "PHARMAETL_S3_KMS_KEY_ID"
