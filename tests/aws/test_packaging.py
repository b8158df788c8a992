"""What is uploaded: archives with all that a function or a job needs, the same bytes for the same content."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from pharmaetl.aws import packaging
from pharmaetl.catalog import Catalog, Dataset, shipped
from pharmaetl.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def nsde() -> Dataset:
    return Catalog(shipped()).find("nsde")


@pytest.fixture(scope="session")
def libraries() -> Path:
    """The libraries' archive; downloaded once, then from the cache."""
    try:
        return packaging.libraries()
    except ConfigError as error:
        pytest.skip(f"NOT TESTED: the functions with their libraries. {error.reason}")


@pytest.fixture
def with_transforms(tmp_path: Path, nsde: Dataset) -> Dataset:
    folder = tmp_path / "fda" / "nsde"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "dataset.json").write_bytes(nsde.config_path.read_bytes())
    (folder / "transforms.py").write_text("SILVER = ()\n")
    return Dataset(folder)


def test_the_same_content_is_the_same_archive(tmp_path: Path, nsde: Dataset) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        packaging.function_archive(nsde, folder, None)
        packaging.job_library(nsde, folder)
    for name in ("nsde-functions.zip", "nsde-jobs.zip"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_making_an_archive_again_replaces_it(tmp_path: Path, nsde: Dataset) -> None:
    once = packaging.function_archive(nsde, tmp_path, None).read_bytes()
    assert packaging.function_archive(nsde, tmp_path, None).read_bytes() == once


def test_an_archive_holds_the_handlers_and_the_datasets_own_folder_but_no_command_line(
    tmp_path: Path, nsde: Dataset
) -> None:
    names = zipfile.ZipFile(packaging.function_archive(nsde, tmp_path, None)).namelist()
    assert "pharmaetl/aws/lambdas/fetch_and_hash.py" in names
    assert "datasets/fda/nsde/config/dataset.json" in names
    left_out = ("pharmaetl/cli/", "pharmaetl/onboarding/", "pharmaetl/aws/cdk/", "datasets/fda/cder/")
    assert not [name for name in names if name.startswith(left_out) or name.endswith(".pyc")]
    assert len(names) == len(set(names))


def test_code_and_config_have_the_same_hash_inside_the_archive_as_on_the_laptop(
    tmp_path: Path, with_transforms: Dataset
) -> None:
    tree = _unpacked(packaging.function_archive(with_transforms, tmp_path, None), tmp_path / "task")
    script = (
        "from pharmaetl.catalog import Catalog, shipped\n"
        "found = Catalog(shipped()).find('nsde')\n"
        "print(shipped(), found.code_sha256, found.config_sha256)"
    )
    said = _python(script, tree, cwd=tree).split()
    assert said == [str(tree / "datasets"), with_transforms.code_sha256, with_transforms.config_sha256]


@pytest.mark.parametrize("module", ["fetch_and_hash", "update_manifest", "trigger", "freshness"])
def test_a_handler_imports_with_the_libraries_of_its_archive_and_nothing_else(
    module: str, tmp_path_factory: pytest.TempPathFactory, libraries: Path, nsde: Dataset
) -> None:
    if sys.version_info[:2] != (3, 11) or sys.platform != "linux":
        pytest.skip("NOT TESTED: the wheels are for Python 3.11 on Linux")
    tree = _task(tmp_path_factory, libraries, nsde)
    script = (
        f"import sys; sys.path.insert(0, {str(tree)!r})\nimport pharmaetl.aws.lambdas.{module} as m; print(m.handler)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("<function handler")


_TASKS: dict[Path, Path] = {}


def _task(factory: pytest.TempPathFactory, libraries: Path, dataset: Dataset) -> Path:
    if libraries not in _TASKS:
        folder = factory.mktemp("function")
        archive = packaging.function_archive(dataset, folder, libraries)
        assert packaging.is_bundled(archive)
        _TASKS[libraries] = _unpacked(archive, folder / "task")
    return _TASKS[libraries]


def test_a_function_with_its_libraries_is_far_below_the_limits_of_lambda(
    tmp_path: Path, libraries: Path, nsde: Dataset
) -> None:
    archive = packaging.function_archive(nsde, tmp_path, libraries)
    unzipped = sum(member.file_size for member in zipfile.ZipFile(archive).infolist())
    assert archive.stat().st_size < 70 * 1024**2
    assert unzipped < 200 * 1024**2 < packaging.MOST_UNZIPPED


def test_an_archive_that_lambda_would_refuse_is_refused_here(
    tmp_path: Path, with_transforms: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaging, "MOST_UNZIPPED", 1000)
    with pytest.raises(ConfigError, match=r"nsde-functions\.zip is .* MiB unzipped"):
        packaging.function_archive(with_transforms, tmp_path, None)


def test_an_archive_without_libraries_says_so(tmp_path: Path, nsde: Dataset) -> None:
    assert not packaging.is_bundled(packaging.function_archive(nsde, tmp_path, None))


def test_where_pip_can_not_download_the_reason_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "requirements.txt"
    missing.write_text("there-is-no-such-package-anywhere==1.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(packaging, "REQUIREMENTS", missing)
    for name in ("PIP_NO_INDEX",):
        monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match="pip can't download the libraries of the Lambda functions: ERROR"):
        packaging.libraries(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_library_of_the_jobs_runs_without_anything_else_of_this_package(
    tmp_path: Path, with_transforms: Dataset
) -> None:
    archive = packaging.job_library(with_transforms, tmp_path)
    names = zipfile.ZipFile(archive).namelist()
    assert {name.rsplit("/", 1)[0] for name in names if "/" in name} == {"pharmaetl", "pharmaetl/spark"}
    assert "pharmaetl_transforms_nsde.py" in names
    script = "import pharmaetl.spark.glue, pharmaetl_transforms_nsde; print(pharmaetl_transforms_nsde.SILVER)"
    assert _python(script, archive, cwd=tmp_path) == "()\n"


@pytest.mark.parametrize("layer", ["bronze", "silver", "gold"])
def test_every_layer_has_its_script(layer: str) -> None:
    assert packaging.job_script(layer).read_text().startswith('"""Glue entry point')  # type: ignore[arg-type]


def test_the_pinned_libraries_are_what_the_project_asks_for() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [Requirement(line) for line in (*project["dependencies"], *extras["aws"], *extras["lambda"])]
    lines = [line for line in packaging.REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    pinned = {line.split("==")[0]: line.split("==")[1].split()[0] for line in lines}
    needed = {"pydantic", "requests", "urllib3", "pyarrow", "boto3", "aws-lambda-powertools"}
    assert needed <= set(pinned)
    assert all("--hash=sha256:" in line for line in lines)
    wrong = [str(one) for one in asked if one.name in pinned and pinned[one.name] not in one.specifier]
    assert wrong == []


def _unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


def _python(script: str, path: Path, *, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        env={"PYTHONPATH": str(path)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_metrics_of_freshness_are_in_the_format_that_cloudwatch_reads() -> None:
    from pharmaetl.aws.lambdas import freshness

    assert json.loads(json.dumps(freshness.embedded("nsde", {"Stale": 1, "AgeHours": 50.5}, 1_700_000_000_000))) == {
        "_aws": {
            "Timestamp": 1_700_000_000_000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "pharmaetl",
                    "Dimensions": [["dataset"]],
                    "Metrics": [{"Name": "Stale", "Unit": "None"}, {"Name": "AgeHours", "Unit": "None"}],
                }
            ],
        },
        "dataset": "nsde",
        "Stale": 1,
        "AgeHours": 50.5,
    }
