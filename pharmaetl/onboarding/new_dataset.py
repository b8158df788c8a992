"""A new dataset from a look at a real file: config, README, sample and test, such that `run` works on it at once."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pharmaetl import secret
from pharmaetl.catalog import Catalog, holds_datasets, inside_package, shipped
from pharmaetl.config import configfile
from pharmaetl.download import source
from pharmaetl.download.transfer import Limits, Progress
from pharmaetl.errors import ConfigError, LocalIOError, UsageError
from pharmaetl.onboarding import sample_file, scaffold
from pharmaetl.onboarding.scaffold_readme import TableNotes, checks, readme
from pharmaetl.onboarding.source_look import Found, look
from pharmaetl.onboarding.table_guess import ascii_of
from pharmaetl.text.header import snake_case

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True)
class NewDataset:
    """What was made, and what should be looked at."""

    dataset: str
    organization: str
    folder: Path
    files: tuple[Path, ...]
    tables: tuple[TableNotes, ...]
    checks: tuple[str, ...]
    """What a person should look at."""
    made_folder: bool
    """Was the `datasets` folder made, too?"""


def create(
    target: str,
    origin: str,
    asked: str | None,
    *,
    force: bool = False,
    allow_private_hosts: bool = False,
    progress: Progress | None = None,
) -> NewDataset:
    """Look at a file or URL and write the folder of dataset `target` (ORG/NAME) below a datasets folder.

    `asked`: that folder; None for the nearest one up from here, or a new ./datasets. `allow_private_hosts`: its site
    may redirect into a private network, here and, by the config, in every run. Raises UsageError for names that can't
    be used and for a dataset that is there already (unless `force`), SourceFormatError where nothing delimited is
    found, whatever `source.fetch` raises, and LocalIOError where the folder can't be written.
    """
    organization, name = _names(target)
    root = _root(asked)
    folder = root / organization / name
    _refuse_existing(root, folder, force)
    if secret.holds_secret(origin):
        raise UsageError(
            "a key or password stands in the URL", hint="put ${NAME} there and set NAME in the environment"
        )
    with tempfile.TemporaryDirectory(prefix="pharmaetl-") as spool:
        limits = Limits(allow_private_hosts=allow_private_hosts)
        fetched = source.fetch(origin, Path(spool), limits=limits, progress=progress)
        if isinstance(fetched, source.NotModified):
            raise AssertionError("nothing was known of the source, so it can't be unmodified")
        packaging, tables, remarks = look(fetched, Path(spool), name)
    notes = tuple(found.notes for found in tables)
    to_check = tuple(checks(notes, [*_remarks(origin, name, root), *remarks]))
    settings = {"allow_private_hosts": True} if allow_private_hosts else {}
    files = _files(name, {"source_url": _lasting(origin), **settings}, fetched.file_name, packaging, tables)
    files["README.md"] = readme(name, organization, _lasting(origin), notes, to_check).encode()
    configfile.parse(files["config/dataset.json"].decode(), str(folder / "config" / "dataset.json"), folder=name)
    made = not root.exists()
    written = tuple(_write(folder / path, content) for path, content in files.items())
    return NewDataset(name, organization, folder, written, notes, to_check, made)


def _names(target: str) -> tuple[str, str]:
    organization, slash, name = target.partition("/")
    if not slash or not _NAME.fullmatch(organization) or not _NAME.fullmatch(name):
        parts = [text for text in target.split("/") if text][:2]
        better = "/".join(
            snake_case(ascii_of(part))[:41].rstrip("_") for part in (parts if len(parts) == 2 else ["org", *parts])
        )
        raise UsageError(
            f"{target!r} is no ORG/NAME: each is a small letter, then small letters, digits and _, at most 41 in all",
            hint=f"such as {better}" if parts else "such as fda/orange_book",
        )
    return organization, name


def _root(asked: str | None) -> Path:
    """The datasets folder to write to; it may not be there yet."""
    if asked is not None:
        root = Path(asked).expanduser().absolute()
    else:
        here = Path.cwd()
        near = (folder / "datasets" for folder in (here, *here.parents))
        root = next((folder for folder in near if holds_datasets(folder) or _is_empty(folder)), here / "datasets")
    if inside_package(root):
        raise ConfigError(f"{root} belongs to the installed package", hint="--datasets names a folder of your own")
    return root


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _refuse_existing(root: Path, folder: Path, force: bool) -> None:
    namesake = next((dataset.folder for dataset in Catalog(root) if dataset.name == folder.name), folder)
    if namesake != folder:
        raise UsageError(f"{namesake} has that name already: names are unique", hint="choose another NAME")
    if folder.exists() and not force:
        raise UsageError(f"{folder} is there already", hint="--force overwrites what `dataset new` writes there")


def _remarks(origin: str, name: str, root: Path) -> list[str]:
    found = []
    if "://" not in origin:
        found.append("`source_url` is a file on this machine: put the publisher's URL there")
    if root.resolve() != shipped().resolve() and any(dataset.name == name for dataset in Catalog(shipped())):
        found.append(f"a dataset called {name} comes with pharmaetl: here this one takes its place")
    return found


def _lasting(origin: str) -> str:
    """The source as a config can name it from any folder."""
    return origin if "://" in origin else str(Path(origin).expanduser().absolute())


def _files(
    name: str,
    origin: dict[str, Any],
    file_name: str,
    packaging: sample_file.Packaging,
    tables: Sequence[Found],
) -> dict[str, bytes]:
    """What is written, by path in the dataset's folder."""
    budget = sample_file.BUDGET // len(tables)
    records = {table.notes.name: sample_file.pick(table.notes.survey, table.notes.encoding, budget) for table in tables}
    members = {
        table.notes.member: sample_file.as_bytes(table.notes.survey, records[table.notes.name], table.notes.encoding)
        for table in tables
    }
    checked = {
        table.notes.name: ([column.settings for column in table.notes.guess.columns], records[table.notes.name])
        for table in tables
    }
    sample = f"sample_{file_name}" if file_name.startswith("test_") else file_name
    texts = {
        "config/dataset.json": scaffold.config_text(_config(name, origin, file_name, tables)),
        f"tests/test_{name}.py": scaffold.sample_test(name, sample, checked),
    }
    files = {path: text.encode() for path, text in texts.items()}
    return {**files, f"tests/{sample}": sample_file.packed(members, packaging)}


def _config(name: str, origin: dict[str, Any], file_name: str, tables: Sequence[Found]) -> dict[str, Any]:
    keys = {column for table in tables for column in table.notes.guess.key}
    lacking = {
        column.name
        for table in tables
        for column in table.notes.guess.columns
        if "derived" not in column.settings and column.name not in table.notes.guess.complete
    }
    config: dict[str, Any] = {
        "dataset": name,
        "description": f"{name}, from {file_name}",
        "license": "",
        "cadence": "monthly",
        **origin,
        "bronze_job_name": f"{name}-bronze-etl",
        "silver_job_name": f"{name}-silver-etl",
        "bronze_crawler_name": f"{name}-bronze-crawler",
        "database_name": f"{name}_db",
    }
    if required := sorted(keys - lacking):
        config["data_quality"] = {"critical_null_threshold": 0.1, "required_columns": required}
    return {**config, "tables": [_settings(table) for table in tables]}


_FORMATS = {",": "csv", "\t": "tsv", "|": "rrf"}


def _settings(table: Found) -> dict[str, Any]:
    """A table as in dataset.json; what its format says already is left out."""
    dialect, guess = table.notes.survey.sniffed.dialect, table.notes.guess
    kind = _FORMATS.get(dialect.delimiter, "csv")
    kind = "csv" if kind == "rrf" and (dialect.header or not dialect.trailing_delimiter) else kind
    usual = {
        "csv": (",", '"', True, False),
        "tsv": ("\t", "", True, False),
        "rrf": ("|", "", False, True),
    }[kind]
    settings: dict[str, Any] = {"name": table.notes.name}
    if table.pattern is not None:
        settings["member"] = table.pattern
    settings["format"] = kind
    for key, default in zip(("delimiter", "quote", "header", "trailing_delimiter"), usual, strict=True):
        if (value := getattr(dialect, key)) != default:
            settings[key] = value
    quality: list[dict[str, Any]] = [{"rule": "IsComplete", "column": column} for column in guess.key]
    quality += [{"rule": "IsUnique", "columns": list(guess.key)}] if guess.key else []
    return {**settings, "columns": [c.settings for c in guess.columns], "key": list(guess.key), "quality": quality}


def _write(path: Path, content: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise LocalIOError(f"{path}: can't be written: {error.strerror}", hint="choose another --datasets") from error
    return path
