"""The UTF-8 texts beside a raw file: still what it unpacks to? They are derived, so that they can be made anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pharmaetl import hashing
from pharmaetl.catalog import Dataset
from pharmaetl.errors import NotStoredError, SourceFormatError
from pharmaetl.lake import layout, pruned, publishlog, rawfiles
from pharmaetl.lake.documents import Member, Source
from pharmaetl.lake.finding import Finding
from pharmaetl.lake.rawfiles import RawFolder
from pharmaetl.lake.storage import Storage
from pharmaetl.text import unpack

_REPAIR = "`pharmaetl doctor --repair` unpacks it from the raw file again"


@dataclass(frozen=True)
class Text:
    """One unpacked member of a source that a version which has its files was made of."""

    folder: RawFolder
    member: Member

    @property
    def path(self) -> str:
        """Where it lies in the lake."""
        return layout.unpacked(self.folder.dataset, self.folder.sha256, self.member.name)


def findings(storage: Storage, dataset: Dataset) -> tuple[Finding, ...]:
    """Texts that are missing, or aren't what the raw file unpacks to."""
    wrong = ((text, problem_of(storage, dataset, text)) for text in texts(storage, dataset.name))
    return tuple(Finding(text.path, problem, "warning", _REPAIR) for text, problem in wrong if problem)


def texts(storage: Storage, dataset: str) -> Iterator[Text]:
    """Every text that should be there. Raises CorruptLogError where the log is damaged."""
    gone = pruned.run_ids(storage, dataset)
    sources: dict[str, Source] = {
        entry.source.sha256: entry.source
        for entry in publishlog.entries(storage, dataset)
        if entry.run_id not in gone and entry.source.sha256
    }
    there = rawfiles.folders(storage, dataset)
    for sha256, source in sources.items():
        if sha256 in there:
            yield from (Text(there[sha256], member) for member in source.members)


def problem_of(storage: Storage, dataset: Dataset, text: Text) -> str | None:
    """What is wrong with a text; None where it is sound, or where the raw file itself is damaged and can't tell."""
    try:
        found = storage.sha256(text.path)
    except NotStoredError:
        return "the file is missing"
    if found == text.member.sha256:  # served as UTF-8
        return None
    with unpacked_again(storage, dataset, text) as fresh:
        changed = fresh is not None and hashing.of_file(fresh) != found
    return "it is not what the raw file unpacks to" if changed else None


def rewrite(storage: Storage, dataset: Dataset, text: Text) -> bool:
    """Put a text in its place anew; False where the raw file is damaged too."""
    with unpacked_again(storage, dataset, text) as fresh:
        if fresh is None:
            return False
        storage.delete(text.path)
        storage.put(text.path, fresh)
    return True


@contextmanager
def unpacked_again(storage: Storage, dataset: Dataset, text: Text) -> Iterator[Path | None]:
    """The text made anew from the raw file, in a folder of its own; None where that file isn't the one it was."""
    served = text.folder.served
    with tempfile.TemporaryDirectory(prefix="pharmaetl-") as name:
        raw, target = Path(name, "raw"), Path(name, "text")
        if len(served) != 1:
            yield None
            return
        storage.fetch(served[0].path, raw)
        whole = hashing.of_file(raw) == text.folder.sha256
        yield target if whole and _unpack(raw, served[0].path, dataset, text, target) else None


def _unpack(raw: Path, path: str, dataset: Dataset, text: Text, target: Path) -> bool:
    tables = dataset.config.tables
    file_name = path.rpartition("/")[2]
    try:
        found = unpack.members(raw, file_name)
        chosen = unpack.select(found, [(table.name, table.member, True) for table in tables], file_name)
        for table in tables:
            if table.name in chosen and chosen[table.name].name == text.member.name:
                made = unpack.unpack(raw, chosen[table.name], target, encoding=table.encoding)
                return made.sha256 == text.member.sha256
    except SourceFormatError:  # the config doesn't fit this source any more
        return False
    return False
