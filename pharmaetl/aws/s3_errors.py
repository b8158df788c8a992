"""What S3's answers mean: botocore's exceptions as errors with a reason and a hint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pharmaetl.errors import ConfigError, DeniedError, NotStoredError, PharmaetlError, UnavailableError
from pharmaetl.secret import redact

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_CREDENTIALS_HINT = "`aws configure` or `aws sso login` sets them up; `pharmaetl doctor` shows whose they are"

_Meaning = tuple[type[PharmaetlError], str, str]

_NOT_THERE: _Meaning = (
    NotStoredError,
    "{where} is not there",
    "`pharmaetl manifest verify DATASET` lists what is missing",
)
_OTHER_REGION: _Meaning = (
    ConfigError,
    "the bucket of {where} is in another region",
    "set AWS_REGION to the bucket's region",
)
_EXPIRED: _Meaning = (
    DeniedError,
    "{action} on {where}: the AWS session has expired",
    "`aws sso login`, then run again",
)
_BAD_KEYS: _Meaning = (
    DeniedError,
    "{action} on {where}: AWS doesn't know these credentials ({code})",
    _CREDENTIALS_HINT,
)
_DENIED: _Meaning = (
    DeniedError,
    "{action} on {where} is not allowed",
    "allow {action} (and s3:ListBucket) for this identity",
)
_KMS: _Meaning = (
    ConfigError,
    "{action} on {where}: the KMS key can't be used ({code})",
    "check PHARMAETL_S3_KMS_KEY_ID",
)
_MEANINGS: dict[str, _Meaning] = {
    "NoSuchBucket": (
        ConfigError,
        "there is no bucket for {where}",
        "check the name in --lake; `aws s3 ls` lists yours",
    ),
    "RequestTimeTooSkewed": (
        ConfigError,
        "{action} on {where}: this machine's clock is wrong",
        "set the clock, then run again",
    ),
    **dict.fromkeys(("NoSuchKey", "404", "NotFound", "NoSuchVersion"), _NOT_THERE),
    **dict.fromkeys(("PermanentRedirect", "301", "AuthorizationHeaderMalformed"), _OTHER_REGION),
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"), _BAD_KEYS),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"), _EXPIRED),
    **dict.fromkeys(("AccessDenied", "401", "403", "Forbidden", "AllAccessDisabled", "AccountProblem"), _DENIED),
}
"""By S3's own error code, or the HTTP status of an answer without a body."""


@contextmanager
def asking(action: str, where: str) -> Iterator[None]:
    """Turn what botocore raises inside into our errors; `action` is the IAM action, `where` the URL asked about."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _answered(error, action, where) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as error:
        raise ConfigError(f"no AWS credentials for {where}: {_one_line(error)}", hint=_CREDENTIALS_HINT) from error
    except exceptions.NoRegionError as error:
        raise ConfigError(f"no AWS region is set for {where}", hint="export AWS_REGION=us-east-1") from error
    except (
        exceptions.CredentialRetrievalError,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
        exceptions.MetadataRetrievalError,
    ) as error:
        raise DeniedError(
            f"the AWS credentials for {where} can't be had: {_one_line(error)}", hint=_CREDENTIALS_HINT
        ) from error
    except exceptions.FlexibleChecksumError as error:
        raise UnavailableError(
            f"{where}: the bytes that came are not those that were stored (checksum)", hint="run again"
        ) from error
    except (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        exceptions.ResponseStreamingError,
    ) as error:
        raise UnavailableError(
            f"no answer from S3 for {where} ({_kind(error)})", hint="check the network, then run again"
        ) from error


def code_of(error: ClientError) -> str:
    """S3's own name for what went wrong, or the HTTP status where there is no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """The HTTP status; 0 where it is not known."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_taken(error: ClientError) -> bool:
    """Does the answer say that If-None-Match met an object?"""
    return status_of(error) == 412 or code_of(error) == "PreconditionFailed"


def is_crossed(error: ClientError) -> bool:
    """Does it say that another conditional request for the same key is under way, and this one is to be sent again?"""
    return code_of(error) == "ConditionalRequestConflict"


def was_asked_again(error: ClientError) -> bool:
    """Had botocore sent the request more than once, so that an answer to an earlier one may have been lost?"""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


def _answered(error: ClientError, action: str, where: str) -> PharmaetlError:
    code, status = code_of(error), status_of(error)
    meaning = _MEANINGS.get(code) or (_DENIED if status in {401, 403} else _KMS if code.startswith("KMS.") else None)
    if meaning is not None:
        kind, reason, hint = meaning
        return kind(reason.format(action=action, where=where, code=code), hint=hint.format(action=action))
    said = redact(_one_line_of(str(error.response.get("Error", {}).get("Message", ""))))
    return UnavailableError(
        f"{action} on {where}: S3 answers {code or status}{f' ({said})' if said else ''}",
        hint="run again; if it stays so, look at the AWS Health Dashboard",
    )


def _kind(error: Exception) -> str:
    """The failure's class in words; its text may hold whole signed URLs."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _one_line(error: Exception) -> str:
    return redact(_one_line_of(str(error)))


def _one_line_of(text: str) -> str:
    return " ".join(text.split())[:200]
