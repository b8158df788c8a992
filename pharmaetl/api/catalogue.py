"""Keeping a Glue catalogue in step with a lake on S3 that commands of this machine publish to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pharmaetl.errors import PharmaetlError, UsageError
from pharmaetl.lake.storage import Storage

if TYPE_CHECKING:
    from pharmaetl.config.dataset_config import DatasetConfig

_log = logging.getLogger(__name__)


def follow(storage: Storage, config: DatasetConfig) -> None:
    """Show in Glue what the publish log says now. That it can't be done is a warning: the log alone decides."""
    if not storage.root.startswith("s3://"):
        return
    from pharmaetl.aws import glue_catalogue

    try:
        glue_catalogue.refresh(storage, config)
    except UsageError:  # a lake without a catalogue
        return
    except PharmaetlError as error:
        _log.warning("the Glue catalogue still shows the version before: %s", error.reason)
