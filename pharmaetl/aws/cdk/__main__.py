"""The app that the `cdk` command line runs, as `cdk.json` says: `python -m pharmaetl.aws.cdk`.

Context: `prefix`, `emulated`, `bundle`, `reserved_concurrency`, `partition` as in `Settings`. PHARMAETL_DATASETS names
the datasets' folder, as for every command.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from pharmaetl import catalog
from pharmaetl.aws import cdk as deployment
from pharmaetl.aws.naming import PREFIX
from pharmaetl.errors import ConfigError, PharmaetlError


def main() -> int:
    """Synthesise to where the command line wants it; the exit code of the error, if there is one."""
    try:
        _synthesise()
    except PharmaetlError as error:
        sys.stderr.write(f"pharmaetl: {error.reason}\n" + (f"  {error.hint}\n" if error.hint else ""))
        return error.exit_code
    return 0


def _synthesise() -> None:
    deployment.require()
    import aws_cdk as cdk

    from pharmaetl.aws.cdk import assembly

    datasets = list(catalog.open_catalog(os.environ.get("PHARMAETL_DATASETS")))
    with tempfile.TemporaryDirectory(prefix="pharmaetl-cdk-") as work:
        app = cdk.App(analytics_reporting=False)
        assembly.build(app, datasets, settings_from(app.node.try_get_context), Path(work))
        app.synth()


def settings_from(context: object) -> deployment.Settings:
    """The settings that the context of an app asks for; ConfigError for a value that is none."""
    ask = context if callable(context) else (lambda _: None)
    return deployment.Settings(
        prefix=str(ask("prefix") or os.environ.get("PHARMAETL_AWS_PREFIX") or PREFIX),
        emulated=_flag("emulated", ask("emulated"), default=False),
        bundle=_flag("bundle", ask("bundle"), default=True),
        reserved_concurrency=_number("reserved_concurrency", ask("reserved_concurrency"), default=2),
        partition=str(ask("partition") or "aws"),
    )


def _flag(name: str, value: object, *, default: bool) -> bool:
    if value is None:
        return default
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in known:
        raise ConfigError(f"context {name}: {value!r} is neither true nor false", hint=f"-c {name}=true")
    return known[str(value).lower()]


def _number(name: str, value: object, *, default: int) -> int:
    if value is None:
        return default
    if not str(value).isdigit():
        raise ConfigError(f"context {name}: {value!r} is no number", hint=f"-c {name}={default}")
    return int(str(value))


if __name__ == "__main__":
    sys.exit(main())
