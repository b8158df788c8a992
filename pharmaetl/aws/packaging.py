"""What is uploaded to AWS: the functions' code with its libraries, what Glue's jobs import, and the jobs' scripts.

Every archive is made of sorted members with a fixed date, so that equal content is the same file. The libraries are
downloaded once for all datasets, by pip for the platform of Lambda, and kept in the user's cache folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pharmaetl import cache as default_cache
from pharmaetl import hashing
from pharmaetl.aws import jobdocument
from pharmaetl.catalog import Dataset
from pharmaetl.errors import ConfigError, LocalIOError
from pharmaetl.pipeline import Layer

PYTHON = "3.11"
"""Python of the Lambda functions, which is that of Glue 5.1."""
PLATFORM = "manylinux2014_x86_64"
REQUIREMENTS = Path(__file__).with_name("lambda-requirements.txt")
UNBUNDLED = "WITHOUT_LIBRARIES.txt"
"""A member that says of an archive that it lacks the libraries: made for looking at templates, not for deploying."""
MOST_UNZIPPED = 250 * 1024**2
"""Lambda's limit for a function's unzipped code (docs.aws.amazon.com/lambda, quotas)."""

_PACKAGE = Path(__file__).parent.parent
_LEFT_OUT = ("cli", "onboarding", "aws/cdk", "_datasets", "_glue_scripts")
"""Parts of the package that no function runs; the rest goes along, so that the code's hash is the laptop's."""
_MARK = "The libraries of lambda-requirements.txt are not in this archive, so that it can't run on Lambda.\n"
_DATE = (1980, 1, 1, 0, 0, 0)
_STRIPPED = (
    "bin/*", "*/__pycache__/*", "*.pyc", "*.pyi", "*.dist-info/RECORD", "*.dist-info/direct_url.json",
    "*.dist-info/INSTALLER", "*.dist-info/REQUESTED",
    "pyarrow/include/*", "pyarrow/includes/*", "pyarrow/src/*", "pyarrow/tests/*", "pyarrow/*.pxd", "pyarrow/*.pyx",
    "pyarrow/*.pxi", "pyarrow/*.h", "pyarrow/_pyarrow_cpp_tests*", "pyarrow/*flight*", "pyarrow/_gcsfs*",
    "pyarrow/_azurefs*", "pyarrow/_hdfs*", "pyarrow/_orc*", "pyarrow/_dataset_orc*", "pyarrow/libarrow_python*.so",
    "pyarrow/libarrow_python*.so.*.0.0",
)  # fmt: skip
"""Parts of the libraries that the functions do without: sources, tests, a second copy of a library, file systems."""
_PROOF = """
import io, pydantic, requests, boto3, aws_lambda_powertools
import pyarrow, pyarrow.parquet
written = io.BytesIO()
pyarrow.parquet.write_table(pyarrow.table({"a": ["1", "2"]}), written, compression="zstd")
assert pyarrow.parquet.read_metadata(io.BytesIO(written.getvalue())).num_rows == 2
"""


def function_archive(dataset: Dataset, into: Path, libraries: Path | None) -> Path:
    """`<dataset>-functions.zip` with the code of all functions of a dataset, on top of the libraries' archive.

    Without one, the archive holds our own code only, and the member `UNBUNDLED` that says so.
    """
    archive = into / f"{dataset.name}-functions.zip"
    members: dict[str, Path | bytes] = {**_own_code(), **_dataset_files(dataset)}
    if libraries is None:
        archive.unlink(missing_ok=True)
        _add(archive, {**members, UNBUNDLED: _MARK.encode()})
    else:
        shutil.copyfile(libraries, archive)
        _add(archive, members)
    _refuse_too_large(archive)
    return archive


def job_library(dataset: Dataset, into: Path) -> Path:
    """`<dataset>-jobs.zip`: what the Glue scripts import, for `--extra-py-files`, with the dataset's own transforms."""
    archive = into / f"{dataset.name}-jobs.zip"
    archive.unlink(missing_ok=True)
    sources = [_PACKAGE / "__init__.py", _PACKAGE / "errors.py", *sorted((_PACKAGE / "spark").glob("*.py"))]
    members = {f"pharmaetl/{path.relative_to(_PACKAGE).as_posix()}": path.read_bytes() for path in sources}
    if dataset.transforms is not None:
        members[f"{jobdocument.transforms_module(dataset.name)}.py"] = dataset.transforms.read_bytes()
    _add(archive, members)
    return archive


def job_script(layer: Layer) -> Path:
    """The Glue script of a layer: inside the wheel, or beside the package in a checkout. ConfigError without one."""
    installed = _PACKAGE / "_glue_scripts"
    folder = installed if installed.is_dir() else _PACKAGE.parent / "glue_scripts"
    script = folder / f"{layer}_job.py"
    if not script.is_file():
        raise ConfigError(f"the Glue script {script} is not there", hint="install pharmaetl anew")
    return script


def is_bundled(archive: Path) -> bool:
    """Has a function's archive its libraries?"""
    with zipfile.ZipFile(archive) as opened:
        return UNBUNDLED not in opened.namelist()


def libraries(cache: Path | None = None) -> Path:
    """The archive of the functions' libraries, downloaded where the cache hasn't got it. ConfigError where pip fails.

    The cache folder is `pharmaetl` below XDG_CACHE_HOME, else below ~/.cache.
    """
    folder = cache or default_cache.folder()
    digest = hashing.of_json([hashing.of_file(REQUIREMENTS), PLATFORM, PYTHON, _STRIPPED])
    archive = folder / f"lambda-{digest[:16]}.zip"
    if archive.is_file():
        return archive
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            tree = Path(work, "tree")
            _download(tree)
            _strip(tree)
            _prove(tree)
            finished = Path(work, "finished.zip")
            _add(finished, {path.relative_to(tree).as_posix(): path for path in tree.rglob("*") if path.is_file()})
            finished.replace(archive)
    except OSError as error:
        raise LocalIOError(
            f"the libraries of the Lambda functions can't be kept in {folder}: {error}",
            hint="XDG_CACHE_HOME names another folder; about 300 MB are needed",
        ) from error
    return archive


def _download(tree: Path) -> None:
    options = ["--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:", "--implementation", "cp"]
    # where there is no network, that is to be known soon
    options += ["--retries", "1", "--timeout", "15"]
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options,
        "--platform", PLATFORM, "--python-version", PYTHON, "--target", str(tree), "--requirement", str(REQUIREMENTS),
    ]  # fmt: skip
    # words of our own making, and no shell
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
        raise ConfigError(
            f"pip can't download the libraries of the Lambda functions: {said[-1] if said else 'it says nothing'}",
            hint="check network, proxy and pip's index; `pharmaetl aws synth` works without them",
        )


def _strip(tree: Path) -> None:
    for pattern in _STRIPPED:
        for path in tree.glob(pattern if "/" in pattern else f"**/{pattern}"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    for cache in [*tree.rglob("__pycache__")]:
        shutil.rmtree(cache, ignore_errors=True)


def _prove(tree: Path) -> None:
    """Where this interpreter is that of Lambda, see that the stripped libraries still import and read Parquet."""
    if sys.version_info[:2] != (3, 11) or sys.platform != "linux" or os.uname().machine != "x86_64":
        return
    command = [sys.executable, "-I", "-S", "-B", "-c", f"import sys; sys.path.insert(0, {str(tree)!r})\n{_PROOF}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise ConfigError(
            f"the libraries for Lambda don't work once stripped: {said[-1] if said else 'no message'}",
            hint=f"the list in {Path(__file__).name} leaves out too much for the versions in {REQUIREMENTS.name}",
        )


def _own_code() -> dict[str, Path]:
    return {f"pharmaetl/{name}": path for name, path in _files(_PACKAGE) if not name.startswith(_left_out())}


def _left_out() -> tuple[str, ...]:
    return tuple(f"{part}/" for part in _LEFT_OUT)


def _dataset_files(dataset: Dataset) -> dict[str, Path]:
    place = f"datasets/{dataset.organization}/{dataset.name}"
    return {f"{place}/{name}": path for name, path in _files(dataset.folder)}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder with its name there; no caches and no hidden files."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            yield path.relative_to(folder).as_posix(), path


def _add(archive: Path, members: Mapping[str, Path | bytes]) -> None:
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED, compresslevel=6) as opened:
        for name, content in sorted(members.items()):
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
            opened.writestr(info, content if isinstance(content, bytes) else content.read_bytes())


def _refuse_too_large(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        unzipped = sum(member.file_size for member in opened.infolist())
    if unzipped > MOST_UNZIPPED:
        raise ConfigError(
            f"{archive.name} is {unzipped / 1024**2:.0f} MiB unzipped; Lambda takes {MOST_UNZIPPED // 1024**2} MiB",
            hint="keep sample files out of the dataset's folder",
        )
