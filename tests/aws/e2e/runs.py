"""The runs that the tests look at, one after the other: each finds what the one before has left."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import served
from deployed import Cloud, Ended, Finished, finished

REAL = Path(os.environ.get("PHARMAETL_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))


@dataclass(frozen=True)
class First:
    """What came of the first runs."""

    executions: tuple[Ended, Ended]
    """Of nsde, both started at the same time with the same source."""
    command: Finished
    """`run cder --target aws`, which looks on."""
    nsde: dict[str, Any]
    cder: dict[str, Any]
    """The manifests after that."""


@dataclass(frozen=True)
class Unchanged:
    """What came of a source that is published already."""

    command: Finished
    objects: tuple[list[str], list[str]]
    """What lies in the lake outside of `runs` and `lineage`, before and after."""


@dataclass(frozen=True)
class Refused:
    """What came of a source that the gate refuses."""

    command: Finished
    execution: Ended
    before: dict[str, Any]
    after: dict[str, Any]
    """The manifest before and after."""
    alerts: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]]


def first(cloud: Cloud, folder: Path, url: str) -> First:
    """Everything at once."""
    served.nsde(folder / "nsde.zip", range(40), "0037-0022-98,00037002298,too,short")
    served.cder(folder / "cder.zip", 30)
    command = cloud.command(*_CLI, "run", "cder", "--target", "aws")
    given = {"dataset": "nsde", "source_url": f"{url}/nsde.zip", "force": False}
    started = [cloud.start("nsde", given, name) for name in ("one", "other")]
    one, other = (cloud.wait(arn) for arn in started)
    return First((one, other), finished(command), cloud.manifest("nsde"), cloud.manifest("cder"))


def unchanged(cloud: Cloud) -> Unchanged:
    """With the source's own URL."""
    before = _objects(cloud)
    command = cloud.pharmaetl("run", "nsde", "--target", "aws")
    return Unchanged(command, (before, _objects(cloud)))


def forced(cloud: Cloud) -> Ended:
    """By `aws lambda invoke --function-name nsde-trigger --payload '{"force": true}'`."""
    failure, answer = cloud.invoke("nsde-trigger", {"force": True})
    assert not failure, answer
    return cloud.wait(answer["execution_arn"])


def changed(cloud: Cloud, folder: Path, url: str) -> Ended:
    """By an input as it stands in the design: dataset, source_url, force."""
    real = REAL / "nsde_2019-04-29.zip"
    if real.is_file():
        shutil.copyfile(real, folder / "second.zip")
    else:
        served.nsde(folder / "second.zip", range(95), name="Other drug")
    given = {"dataset": "nsde", "source_url": f"{url}/second.zip", "force": False}
    return cloud.wait(cloud.start("nsde", given, "changed"))


def refused(cloud: Cloud, folder: Path) -> Refused:
    """Shrunk to a few rows, which nobody accepted."""
    before = cloud.manifest("nsde")
    served.nsde(folder / "nsde.zip", range(5))
    command = cloud.pharmaetl("run", "nsde", "--target", "aws", code=4)
    newest = cloud.pharmaetl("aws", "status", "nsde", "--json").json["datasets"][0]["last_execution"]
    ended = cloud.wait(newest["execution_arn"])
    return Refused(command, ended, before, cloud.manifest("nsde"), cloud.alerts(2), cloud.dead_letters("nsde"))


def locally(cloud: Cloud, source: Path, dataset: str, lake: Path) -> dict[str, Any]:
    """The manifest of a run of the same file on this machine."""
    cloud.pharmaetl("run", dataset, "--source", str(source), "--lake", str(lake), "--engine", "sail")
    shown = cloud.pharmaetl("manifest", "show", dataset, "--lake", str(lake), "--json")
    found: dict[str, Any] = shown.json["current"]
    return found


def _objects(cloud: Cloud) -> list[str]:
    return [key for key in cloud.keys("") if not key.startswith(("runs/", "lineage/"))]


_CLI = (sys.executable, "-m", "pharmaetl")
