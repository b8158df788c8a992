"""What processes that are gone left in `.work/`."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from publishing import no_flush

from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.lake.process import file_prefix, owner_of, process_name
from pharmaetl.lake.prune import Pruning, Request, prune
from pharmaetl.local.workspace import workspace

GONE = f"{socket.gethostname()}:999999999"
OLD = time.time() - 4 * 86_400


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStorage:
    monkeypatch.setattr(os, "fsync", no_flush)
    return LocalStorage(tmp_path / "lake")


def leave(storage: LocalStorage, path: str, data: bytes = b"12345", *, modified: float | None = None) -> Path:
    file = Path(storage.root, ".work", path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    if modified is not None:
        os.utime(file, (modified, modified))
    return file


def left(storage: LocalStorage) -> list[str]:
    work = Path(storage.root, ".work")
    return sorted(str(path.relative_to(work)) for path in work.rglob("*") if path.is_file() or not any(path.iterdir()))


def swept(storage: LocalStorage, dataset: str | None = None, *, dry_run: bool = False) -> Pruning:
    return prune(storage, Request(dataset=dataset, dry_run=dry_run))


def test_a_workspace_goes_as_soon_as_its_process_is_gone(storage: LocalStorage) -> None:
    leave(storage, "nsde-0123456789ab/.process", GONE.encode())
    leave(storage, "nsde-0123456789ab/records/nsde/records.txt")
    (Path(storage.root) / ".work/nsde-0123456789ab/bronze").mkdir()
    leave(storage, "nsde-ffffffffffff/.process", process_name().encode(), modified=OLD)

    said, done = swept(storage, dry_run=True), swept(storage)

    assert [(doomed.path, doomed.bytes) for doomed in done.removed] == [
        (".work/nsde-0123456789ab/.process", len(GONE)),
        (".work/nsde-0123456789ab/records/nsde/records.txt", 5),
        (".work/nsde-0123456789ab/", 0),
    ]
    assert said.removed == done.removed
    assert left(storage) == ["nsde-ffffffffffff/.process"]


def test_a_workspace_that_does_not_say_whose_it_is_goes_when_nobody_has_touched_it(storage: LocalStorage) -> None:
    leave(storage, "nsde-0123456789ab/source", modified=OLD)
    leave(storage, "nsde-ffffffffffff/source", modified=OLD)
    for name, modified in [("0123456789ab", OLD), ("eeeeeeeeeeee", OLD), ("dddddddddddd", time.time())]:
        folder = Path(storage.root, ".work", f"nsde-{name}")
        folder.mkdir(exist_ok=True)
        os.utime(folder, (modified, modified))

    done = swept(storage)

    assert left(storage) == ["nsde-dddddddddddd", "nsde-ffffffffffff/source"]
    assert [doomed.path for doomed in done.young] == [
        ".work/nsde-dddddddddddd/",
        ".work/nsde-ffffffffffff/source",
        ".work/nsde-ffffffffffff/",
    ]


def test_an_unfinished_write_goes_with_its_process(storage: LocalStorage) -> None:
    leave(storage, f"{GONE.replace(':', '@')}.00ff.tmp")
    mine = leave(storage, f"{file_prefix()}.00ff.tmp", modified=OLD)
    leave(storage, "ffff.tmp", modified=OLD)
    leave(storage, "elsewhere@1.eeee.tmp")

    swept(storage)

    assert left(storage) == ["elsewhere@1.eeee.tmp", mine.name]
    assert owner_of("a.host-1@17.00ff.tmp") == "a.host-1:17"


def test_a_broken_download_goes_with_its_note_once_it_is_old_and_nobody_is_at_it(storage: LocalStorage) -> None:
    leave(storage, "downloads/nsde/lock", b"", modified=OLD)
    leave(storage, "downloads/nsde/aaaa.partial", modified=OLD)
    leave(storage, "downloads/nsde/aaaa.json", modified=OLD)
    leave(storage, "downloads/nsde/bbbb.partial")
    leave(storage, "downloads/nsde/bbbb.json", modified=OLD)
    at_work = leave(storage, "downloads/nsde/cccc.partial", modified=OLD)
    leave(storage, "downloads/nsde/00ff00ff00ff00ff-nsde.zip", modified=OLD)

    with at_work.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        swept(storage)

    assert left(storage) == [
        "downloads/nsde/bbbb.json",
        "downloads/nsde/bbbb.partial",
        "downloads/nsde/cccc.partial",
        "downloads/nsde/lock",
    ]


def test_nothing_of_a_spool_goes_while_a_run_has_it(storage: LocalStorage) -> None:
    lock = leave(storage, "downloads/nsde/lock", b"", modified=OLD)
    leave(storage, "downloads/nsde/aaaa.partial", modified=OLD)
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert swept(storage).removed == ()
    assert len(swept(storage).removed) == 1


def test_one_dataset_s_leftovers_are_those_with_its_name(storage: LocalStorage) -> None:
    for path in ("nsde-0123456789ab/source", "cder-0123456789ab/source", "downloads/cder/aaaa.partial", "probe"):
        file = leave(storage, path, modified=OLD)
        os.utime(file.parent, (OLD, OLD))
    swept(storage, "nsde")
    assert left(storage) == ["cder-0123456789ab/source", "downloads/cder/aaaa.partial"]


def test_a_workspace_is_its_process_s_from_the_first_moment(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a pruning without a grace period sees of one that is being made."""
    looks, methods = [], {name: getattr(Path, name) for name in ("mkdir", "open", "rename")}

    def looked_around(method: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            found = method(*given, **more)
            with pytest.MonkeyPatch.context() as back:
                for name, plain in methods.items():
                    back.setattr(Path, name, plain)
                looks.append(prune(storage, Request(grace_hours=0)).removed)
            return found

        return call

    with monkeypatch.context() as patch:
        for name, method in methods.items():
            patch.setattr(Path, name, looked_around(method))
        making = workspace(storage, "nsde")
        work = making.__enter__()

    assert len(looks) >= 3
    assert set(looks) == {()}
    assert left(storage) == [f"{work.name}/.process"]
    assert (work / ".process").read_text() == process_name()
    making.__exit__(None, None, None)
    assert left(storage) == []


def test_a_workspace_of_which_nothing_but_its_name_is_there_goes_with_its_process(storage: LocalStorage) -> None:
    leave(storage, f"{GONE.replace(':', '@')}.nsde-0123456789ab/.process", b"")
    assert [doomed.path.count("nsde-0123456789ab") for doomed in swept(storage).removed] == [1, 1]
    assert left(storage) == []
