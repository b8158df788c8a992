"""How long a state may take, and which errors are tried again: by name, never refused data, config or conflicts."""

from __future__ import annotations

from typing import Any

Retrier = dict[str, Any]

LAMBDA_SECONDS = 900
"""Timeout of the Lambda functions that fetch and publish: the most that Lambda grants."""
LAMBDA_STATE_SECONDS = LAMBDA_SECONDS + 30
"""Longer than the function's own limit, so that a function that is cut off says so itself."""
RECORDING_STATE_SECONDS = 300
"""Writing one record and its lineage takes seconds; the notices that follow shouldn't wait for more."""
GLUE_MINUTES = 60
"""Timeout of a Glue job run: start-up and the largest shipped source take a few minutes; more is a hanging job."""
GLUE_STATE_SECONDS = GLUE_MINUTES * 60 + 600
"""Longer than the job's own limit by its start-up, which that doesn't count."""
CALL_SECONDS = 60
"""One call of a service that answers at once: a message, a notice, a crawler's start."""
MACHINE_SECONDS = 20 * 3600
"""More than all tries and waits of one execution together, since this limit skips the failure path; under a day, so
that an execution is over before a daily schedule starts the next."""


def _retrier(errors: tuple[str, ...], *, first: int, tries: int, longest: int, rate: float = 2.0) -> Retrier:
    """Up to `tries` more tries, with full jitter after `first` seconds, then `rate` times as many up to `longest`."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": first,
        "BackoffRate": rate,
        "MaxDelaySeconds": longest,
        "MaxAttempts": tries,
        "JitterStrategy": "FULL",
    }


def of_lambda() -> list[Retrier]:
    """Lambda's own errors soon, a source or service that can't be reached later; no other error of the handler."""
    return [
        _retrier(
            (
                "Lambda.ClientExecutionTimeoutException",
                "Lambda.ServiceException",
                "Lambda.AWSLambdaException",
                "Lambda.SdkClientException",
                "Lambda.TooManyRequestsException",
            ),
            first=2,
            tries=6,
            longest=60,
        ),
        _retrier(("UnavailableError",), first=30, tries=4, longest=600),
    ]


def of_glue() -> list[Retrier]:
    """Another run of the job is waited for, longer than one may take; a failed job run is tried once more.

    States.TaskFailed stands for every error but a timeout, so what a second try can't mend is named before it.
    """
    return [
        _retrier(
            ("Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"),
            first=60,
            tries=30,
            longest=300,
            rate=1.5,
        ),
        _retrier(
            ("Glue.InternalServiceException", "Glue.OperationTimeoutException", "Glue.ThrottlingException"),
            first=5,
            tries=5,
            longest=60,
        ),
        {
            "ErrorEquals": ["Glue.EntityNotFoundException", "Glue.InvalidInputException", "Glue.AccessDeniedException"],
            "MaxAttempts": 0,
        },
        _retrier(("States.TaskFailed",), first=30, tries=1, longest=60),
    ]


def of_notice() -> list[Retrier]:
    """A message that says that a run failed is worth a few tries, whatever was wrong with the last."""
    return [_retrier(("States.TaskFailed", "States.Timeout"), first=2, tries=4, longest=30)]
