"""What the full path needs besides this repository's own packages, found, or fetched once into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pharmaetl.aws import packaging
from pharmaetl.aws.deployment import CDK_CLI
from pharmaetl.errors import PharmaetlError

MINISTACK = "PHARMAETL_MINISTACK"
"""Environment variable with the path of a Python that has ministack."""
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
JARS_FROM = "sagemaker-pyspark==1.4.5"
"""A package that carries the jars of s3a for Hadoop 3.3; for tests alone."""
JARS = {
    "hadoop-aws-3.3.1.jar": "6be50ad8a8b445d2802381b085b2a3ede5c29d353450a6a21f16b2fefa962b6e",
    "aws-java-sdk-bundle-1.11.901.jar": "b87175b32a16544cc1b37cf40390eb375833e62bed67f8ce6cde4b7ad6429ead",
}


class MissingError(Exception):
    """A tool is not there and can't be had; says which and why."""


@dataclass(frozen=True)
class Tools:
    """Where everything is."""

    ministack: Path
    cdk: Path
    jars: tuple[Path, ...]
    java: Path
    libraries: Path


def find() -> Tools:
    """All tools, those that are missing installed; MissingError for the first that can't be had."""
    if sys.version_info[:2] != (3, 11) or sys.platform != "linux":
        raise MissingError("the functions' libraries are those of Python 3.11 on Linux")
    java = _program("java", "Java 17 for Spark")
    _program("node", "Node for the CDK")
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    try:
        libraries = packaging.libraries()
    except PharmaetlError as error:
        raise MissingError(error.reason) from error
    return Tools(_ministack(cache), _cdk(cache), _jars(cache), java, libraries)


def _cache() -> Path:
    asked = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(asked) if asked else Path.home() / ".cache") / "pharmaetl" / "e2e"


def _program(name: str, purpose: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is not installed ({purpose})")
    return Path(found)


def _ministack(cache: Path) -> Path:
    if asked := os.environ.get(MINISTACK):
        if not Path(asked).is_file():
            raise MissingError(f"{MINISTACK} names {asked}, which is not there")
        return Path(asked)
    python = cache / f"ministack-{_digest(REQUIREMENTS.read_bytes())[:12]}" / "bin" / "python"
    if not (python.parent / "finished").exists():
        _run(
            [sys.executable, "-m", "venv", "--clear", str(python.parent.parent)], "a virtual environment for ministack"
        )
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--requirement", str(REQUIREMENTS)], "ministack")
        (python.parent / "finished").touch()
    return python


def _cdk(cache: Path) -> Path:
    folder = cache / CDK_CLI.replace("@", "-")
    program = folder / "node_modules" / ".bin" / "cdk"
    if not program.exists():
        npm = _program("npm", "to install the CDK's command line")
        options = ["--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(folder)]
        _run([str(npm), "install", *options, CDK_CLI], CDK_CLI)
    return program


def _jars(cache: Path) -> tuple[Path, ...]:
    found = tuple(cache / name for name in JARS)
    if not all(path.exists() for path in found):
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            pip += ["--dest", folder, JARS_FROM]
            _run(pip, JARS_FROM)
            _unpack(next(Path(folder).glob("*.tar.gz")), cache)
    return found


def _unpack(archive: Path, into: Path) -> None:
    """The jars of an archive, each seen to be the one that is meant before it gets its name."""
    with tarfile.open(archive) as opened:
        for member in opened:
            name = Path(member.name).name
            if name in JARS and (content := opened.extractfile(member)) is not None:
                data = content.read()
                if _digest(data) != JARS[name]:
                    raise MissingError(f"{name} of {JARS_FROM} is not the one that is meant")
                part = into / f"{name}.part"
                part.write_bytes(data)
                part.replace(into / name)


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise MissingError(f"{what} can't be had: {said[-1] if said else done.returncode}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
