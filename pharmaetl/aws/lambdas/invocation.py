"""One invocation of a Lambda function: where it works, until when, and what of its failure may be told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pharmaetl import catalog, status
from pharmaetl.aws import logs, metrics
from pharmaetl.aws.deadline import Deadline
from pharmaetl.aws.failures import HINT
from pharmaetl.catalog import Dataset
from pharmaetl.errors import ConfigError, PharmaetlError
from pharmaetl.lake import runs
from pharmaetl.lake.storage import Storage
from pharmaetl.place import open_lake
from pharmaetl.secret import redact

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


class Context(Protocol):
    """What Lambda says of an invocation (Lambda developer guide, the context object in Python)."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Time left before the function is cut off."""
        ...


@dataclass(frozen=True)
class Invocation:
    """What a handler works with."""

    dataset_name: str
    log: Logger
    context: Context

    @cached_property
    def storage(self) -> Storage:
        """The lake that PHARMAETL_LAKE names."""
        return open_lake(setting("PHARMAETL_LAKE"))

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset that PHARMAETL_DATASET names, in the folder of PHARMAETL_DATASETS or the one that came along."""
        return self._catalog.find(self.dataset_name)

    @cached_property
    def _catalog(self) -> catalog.Catalog:
        asked = os.environ.get("PHARMAETL_DATASETS")
        return catalog.Catalog(Path(asked) if asked else catalog.shipped())

    @property
    def deadline(self) -> Deadline:
        """When it has to end."""
        return Deadline(lambda: self.context.get_remaining_time_in_millis() / 1000)

    @property
    def watch(self) -> logs.LoggingWatch:
        """Logs the steps."""
        return logs.LoggingWatch(self.log)

    def measure(self, run_id: str, **more: float) -> None:
        """Emit the metrics of a run that has ended."""
        record = runs.read(self.storage, self.dataset_name, run_id)
        age = status.status(self.storage, self._catalog, self.dataset_name).datasets[0].age_hours
        metrics.emit(self.dataset_name, {**metrics.of_run(record, age), **more})


@contextmanager
def invocation(context: Context) -> Iterator[Invocation]:
    """Log what goes wrong inside, and let it out under its class's name, its message `reason, line break, hint: …`.

    That name is what Step Functions retries and catches by. No text that leaves here holds a secret; an exception that
    nobody expected becomes a PharmaetlError, since its own text may.
    """
    dataset = setting("PHARMAETL_DATASET")
    log = logs.logger(dataset, context.aws_request_id)
    try:
        yield Invocation(dataset, log, context)
    except PharmaetlError as error:
        facts = {"code": error.code, "hint": error.hint, "run_id": error.run_id, "error": type(error).__name__}
        log.error(error.reason, extra=facts)
        error.args = (redact(f"{error.reason}{HINT}{error.hint}" if error.hint else error.reason),)
        raise error from None
    except Exception as error:
        log.exception("bug")
        raise PharmaetlError(redact(f"bug: {type(error).__name__}: {error}")) from None


def setting(name: str) -> str:
    """An environment variable of the function; ConfigError where the deployment hasn't set it."""
    value = os.environ.get(name)
    if not value:
        raise ConfigError(f"the environment variable {name} is not set", hint="pharmaetl aws deploy sets it")
    return value
