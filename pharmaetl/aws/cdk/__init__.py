"""What is deployed to AWS, as a CDK app: the only part of pharmaetl that needs aws-cdk-lib, and Node to drive it."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from pharmaetl.aws.cdk.settings import Settings
from pharmaetl.catalog import Catalog
from pharmaetl.errors import ConfigError

__all__ = ["Settings", "require", "synth"]


def synth(catalog: Catalog, out: Path, settings: Settings | None = None) -> tuple[Path, ...]:
    """Write the template of every stack and the state machine of every dataset to a folder; no account, no network.

    The functions' archives lack their libraries unless the settings ask for them (`bundle`), for which pip may need
    the network. Raises ConfigError where Node or aws-cdk-lib is missing.
    """
    require()
    from pharmaetl.aws.cdk import assembly

    return assembly.write(catalog, out, settings or Settings(bundle=False))


def require() -> None:
    """ConfigError where the CDK can't work on this machine."""
    if importlib.util.find_spec("aws_cdk") is None:
        raise ConfigError("aws-cdk-lib is not installed", hint="pip install 'pharmaetl[cdk]'")
    if shutil.which("node") is None:
        raise ConfigError("the CDK needs Node", hint="install Node 20 or newer")
