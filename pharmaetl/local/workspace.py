"""The folder for a run's unfinished files, under a name that every engine takes for a plain path."""

from __future__ import annotations

import contextlib
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from pharmaetl.errors import LocalIOError
from pharmaetl.lake import layout
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.process import file_prefix, process_name
from pharmaetl.lake.storage import Storage
from pharmaetl.local.state import remove_tree

_WILDCARDS = re.compile(r"[*?\[\]{}\\]")
"""Engines expand these in the paths that they read and write, and know no way to quote them."""


@contextlib.contextmanager
def workspace(storage: Storage, dataset: str) -> Iterator[Path]:
    """A folder for one run: inside a local lake, so that finished files are moved, not copied."""
    if not isinstance(storage, LocalStorage):
        with tempfile.TemporaryDirectory(prefix="pharmaetl-") as folder:
            yield Path(folder)
        return
    inside = Path(storage.root, layout.WORK)
    try:
        inside.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(inside, error) from error
    with _plain(Path(storage.root)) as lake:
        work = lake / layout.WORK / f"{dataset}-{uuid.uuid4().hex[:12]}"
        # its name, and then its note, say whose it is from the first moment: `prune` takes away what is nobody's
        unnoted = work.with_name(f"{file_prefix()}.{work.name}")
        try:
            unnoted.mkdir()
            (unnoted / layout.OWNER_NOTE).write_text(process_name(), encoding="utf-8")
            unnoted.rename(work)
        except OSError as error:
            raise _not_writable(inside, error) from error
        try:
            yield work
        finally:
            remove_tree(work)


@contextlib.contextmanager
def _plain(lake: Path) -> Iterator[Path]:
    """The lake's root, or where its path holds wildcards, a link to it in the machine's folder for temporary files."""
    if not _WILDCARDS.search(str(lake)):
        yield lake
        return
    with tempfile.TemporaryDirectory(prefix="pharmaetl-") as folder:
        link = Path(folder, "lake")
        link.symlink_to(lake, target_is_directory=True)
        yield link


def _not_writable(folder: Path, error: OSError) -> LocalIOError:
    return LocalIOError(f"{folder}: can't be written: {error.strerror}", hint="choose another lake with --lake")
