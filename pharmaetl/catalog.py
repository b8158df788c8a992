"""Find dataset folders: `<datasets>/<organisation>/<dataset>/config/dataset.json`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pharmaetl import hashing
from pharmaetl.config import cadence
from pharmaetl.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pharmaetl.config.configfile import Problem
    from pharmaetl.config.dataset_config import DatasetConfig

CONFIG = Path("config", "dataset.json")
TRANSFORMS = "transforms.py"
_PACKAGE = Path(__file__).parent
DATA_CODE = (
    "text/unpack", "text/ziparchive", "text/inflate", "text/sniff", "text/encoding", "text/delimited", "text/blocks",
    "text/records", "text/lines", "text/header", "text/served", "text/undeclared", "text/beside", "text/ordinary",
    "text/columns", "local/bronze", "config/jobspec", "config/dates",
    "engine/duck/column", "engine/duck/frame", "engine/duck/functions", "engine/duck/session", "engine/duck/window",
)  # fmt: skip
"""Modules beside `pharmaetl.spark` whose change may change the data, so that a dataset is made anew."""


@dataclass(frozen=True)
class Dataset:
    """One dataset folder: its config, and what its data depends on."""

    folder: Path
    twin: Path | None = None
    """Another folder of the same name in the catalog: none of the two can be run."""
    others: tuple[Path, ...] = field(default=(), compare=False)
    """The folders of the catalog's other datasets, none of which may have a gold table of the same name."""

    @property
    def name(self) -> str:
        """The folder's name, which is the dataset's."""
        return self.folder.name

    @property
    def organization(self) -> str:
        """The folder above: who publishes the data."""
        return self.folder.parent.name

    @property
    def config_path(self) -> Path:
        """The config file."""
        return self.folder / CONFIG

    @cached_property
    def config(self) -> DatasetConfig:
        """The config, read once; InvalidConfigError with every problem in it, and in what it says of transforms.py."""
        from pharmaetl.config import configfile

        config = configfile.read(self.config_path, folder=self.name)
        problems = self._gold_problems(config) if config.gold else []
        if self.twin is not None:
            message = f"dataset {self.name} is there twice, here and in {self.twin}"
            problems.insert(0, configfile.Problem(str(self.config_path), 1, 1, message, "rename one of them"))
        if problems:
            raise configfile.InvalidConfigError(problems)
        return config

    def _gold_problems(self, config: DatasetConfig) -> list[Problem]:
        from pharmaetl.config import goldfunctions

        others = [other / CONFIG for other in self.others]
        return [
            *goldfunctions.problems(config.gold, self.config_path, self.folder / TRANSFORMS),
            *goldfunctions.claimed_twice(config.gold, self.config_path, others),
        ]

    @cached_property
    def cadence(self) -> cadence.Cadence:
        """How often the source changes; whatever else is wrong in the config doesn't matter to that."""
        stated = cadence.stated(self.config_path) if self.twin is None else None
        return stated or self.config.cadence

    @property
    def transforms(self) -> Path | None:
        """The dataset's own transforms.py, where it has one."""
        path = self.folder / TRANSFORMS
        return path if path.is_file() else None

    @cached_property
    def config_sha256(self) -> str:
        """Hash of what in the config decides the data."""
        return hashing.of_json(self.config.data_settings())

    @cached_property
    def code_sha256(self) -> str:
        """Hash of the code that decides the data: the transforms, the splitter, the NDC rules, the dataset's own."""
        shared = [*(_PACKAGE / "spark").glob("*.py"), *(_PACKAGE / f"{name}.py" for name in DATA_CODE)]
        parts = [hashing.of_files(shared, base=_PACKAGE)]
        if self.transforms is not None:
            parts.append(hashing.of_file(self.transforms))
        return hashing.of_json(parts)


class Catalog:
    """The dataset folders below one folder, and those below a second one whose names the first one doesn't have."""

    def __init__(self, root: Path, behind: Path | None = None) -> None:
        self.root = root
        self.behind = behind

    def __iter__(self) -> Iterator[Dataset]:
        own = _dataset_folders(self.root)
        names = {folder.name for folder in own}
        others = _dataset_folders(self.behind) if self.behind else []
        behind = [folder for folder in others if folder.name not in names]
        for folders in (own, behind):
            for folder in folders:
                twin = next((other for other in folders if other.name == folder.name and other != folder), None)
                yield Dataset(folder, twin, tuple(other for other in (*own, *behind) if other not in {folder, twin}))

    def names(self) -> list[str]:
        """The datasets' names, sorted."""
        return sorted(dataset.name for dataset in self)

    def find(self, name: str) -> Dataset:
        """The dataset of a name; UsageError with the nearest one, ConfigError where two folders have it."""
        found = [dataset for dataset in self if dataset.name == name]
        if len(found) > 1:
            raise ConfigError(
                f"dataset {name} is there twice: {found[0].folder} and {found[1].folder}", hint="rename one of them"
            )
        if not found:
            near = difflib.get_close_matches(name, self.names(), n=1)
            known = ", ".join(self.names()) or "none"
            raise UsageError(
                f"no dataset {name!r} in {self.root}", hint=f"did you mean {near[0]}?" if near else f"known: {known}"
            )
        return found[0]


def open_catalog(asked: str | None) -> Catalog:
    """The catalog in the folder asked for; else of the nearest `datasets/` up from here, the shipped one behind it."""
    if asked is not None:
        return Catalog(_folder(asked))
    here = Path.cwd()
    near = (folder / "datasets" for folder in (here, *here.parents))
    own = next((folder for folder in near if holds_datasets(folder)), None)
    return Catalog(shipped()) if own is None else Catalog(own, behind=shipped())


def holds_datasets(folder: Path) -> bool:
    """Is there at least one `<organisation>/<dataset>/config/dataset.json` in a folder?"""
    return any(folder.glob(f"*/*/{CONFIG}"))


def _dataset_folders(root: Path) -> list[Path]:
    return [config.parent.parent for config in sorted(root.glob(f"*/*/{CONFIG}"))]


def _folder(asked: str) -> Path:
    try:
        root = Path(asked).expanduser()
    except RuntimeError:  # ~somebody, who has no home here
        root = Path(asked)
    if not asked or not root.is_dir():
        raise ConfigError(
            f"datasets folder {asked!r} is not there",
            hint="--datasets or PHARMAETL_DATASETS names the folder with <org>/<dataset>/config/dataset.json",
        )
    return root


def shipped() -> Path:
    """The datasets that come with the package: inside the wheel, or beside the package in a checkout."""
    installed = _PACKAGE / "_datasets"
    return installed if installed.is_dir() else _PACKAGE.parent / "datasets"


def inside_package(path: Path) -> bool:
    """Does a path lie in the installed package, which nothing is ever written to?"""
    return path.resolve().is_relative_to(_PACKAGE)
