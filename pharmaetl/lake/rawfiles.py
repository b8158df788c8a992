"""Are the sources of published versions still there, byte for byte? A raw file's folder carries its hash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pharmaetl.errors import LocalIOError, NotStoredError
from pharmaetl.lake import layout
from pharmaetl.lake.documents import Source
from pharmaetl.lake.finding import Finding
from pharmaetl.lake.storage import Storage, Stored

_FOLDER = re.compile(r"sha256=([0-9a-f]{64})")
_ORIGIN = ("url", "etag", "last_modified", "bytes", "fetched_at")
_FETCH = "put the file with this sha256 there again from a backup: the site may serve another one by now"
_RECORD = "`pharmaetl doctor --repair` writes it anew, as a run's record or the log tells it"


@dataclass(frozen=True)
class RawFolder:
    """What lies below one `raw/<dataset>/sha256=<hex>/`."""

    dataset: str
    sha256: str
    files: tuple[Stored, ...]

    @property
    def path(self) -> str:
        """The folder."""
        return layout.raw_dir(self.dataset, self.sha256)

    @property
    def served(self) -> tuple[Stored, ...]:
        """The file as served; several or none only where something is wrong."""
        record = layout.source_record(self.dataset, self.sha256)
        return tuple(file for file in self.files if file.path != record and "/" not in self._inside(file))

    def _inside(self, file: Stored) -> str:
        return file.path.removeprefix(f"{self.path}/")


def folders(storage: Storage, dataset: str) -> dict[str, RawFolder]:
    """By sha256, every raw folder of a dataset."""
    files: dict[str, list[Stored]] = {}
    for stored in storage.list(f"{layout.RAW}/{dataset}"):
        named = _FOLDER.fullmatch(stored.path.split("/")[2])
        if named:
            files.setdefault(named[1], []).append(stored)
    return {sha256: RawFolder(dataset, sha256, tuple(found)) for sha256, found in files.items()}


def findings(storage: Storage, dataset: str, needed: Sequence[Source], known: Iterable[Source]) -> Iterator[Finding]:
    """What is wrong with raw files: errors where a version that has its files came from them, else warnings.

    `needed` are the sources of those versions; `known` are all that the log and the run records tell of.
    """
    there = folders(storage, dataset)
    origins = [source for source in known if source.sha256]
    wanted = {source.sha256 for source in needed if source.sha256 and _FOLDER.fullmatch(f"sha256={source.sha256}")}
    for sha256 in sorted(wanted - set(there)):
        path = layout.raw_dir(dataset, sha256)
        yield Finding(path, "the source of a published version is missing", "error", _FETCH)
    for sha256, folder in sorted(there.items()):
        for path, problem, repair in (*_served_problems(storage, folder), *_record_problems(storage, folder, origins)):
            is_derived = repair == _RECORD and origin_of(folder, origins) is not None
            yield Finding(path, problem, "error" if sha256 in wanted and not is_derived else "warning", repair)


def origin_of(folder: RawFolder, known: Iterable[Source]) -> Source | None:
    """What a run that stored or found this file says of it; None where no run or log entry tells."""
    return next((source for source in known if source.sha256 == folder.sha256), None)


def source_json(source: Source) -> bytes:
    """What stands beside a raw file: where it came from."""
    values = {key: getattr(source, key) for key in ("url", "etag", "last_modified", "bytes", "sha256", "fetched_at")}
    return json.dumps(values, indent=2).encode()


_Problem = tuple[str, str, str]


def _served_problems(storage: Storage, folder: RawFolder) -> Iterator[_Problem]:
    if len(folder.served) != 1:
        yield folder.path, f"{len(folder.served)} files instead of the one that was served", _FETCH
    for file in folder.served:
        try:
            if storage.sha256(file.path) != folder.sha256:
                yield file.path, "its content has changed: its sha256 is not the one in its path", _FETCH
        except LocalIOError as error:
            yield file.path, error.reason, _FETCH


def _record_problems(storage: Storage, folder: RawFolder, known: Sequence[Source]) -> Iterator[_Problem]:
    record = layout.source_record(folder.dataset, folder.sha256)
    try:
        value = json.loads(storage.read(record))
    except NotStoredError:
        yield record, "the file is missing", _RECORD
        return
    except (ValueError, RecursionError) as error:
        yield record, f"not JSON ({error})", _RECORD
        return
    if not isinstance(value, dict) or value.get("sha256") != folder.sha256:
        yield record, "it is not about the file beside it: another sha256", _RECORD
    elif missing := [key for key in _ORIGIN if key not in value]:
        yield record, f"it lacks {', '.join(missing)}", _RECORD
    elif not any(source.sha256 == folder.sha256 and _origin(source.model_dump()) == _origin(value) for source in known):
        yield record, "it says of the file what no run and no log entry does", _RECORD


def _origin(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(values.get(key) for key in _ORIGIN)
