"""The current state, `manifests/<dataset>.json`: a copy of the newest log entry for readers that want just one file."""

from __future__ import annotations

from pharmaetl.errors import CorruptLogError, NotStoredError
from pharmaetl.lake import documentfile, layout, publishlog
from pharmaetl.lake.documents import LogEntry
from pharmaetl.lake.storage import Storage


def rebuild_state(storage: Storage, dataset: str) -> LogEntry | None:
    """Make `manifests/<dataset>.json` a copy of the newest entry, and return that; nothing to do in an empty log.

    Raises CorruptLogError where the file is a copy of an entry that the log has lost: it may be the only one.
    """
    path = layout.current_state(dataset)
    # in this order: the log may get ahead of a copy that was read before, never the other way round
    state = _state(storage, dataset)
    newest = publishlog.newest(storage, dataset)
    known = _sequence_in(path, state)
    if known > (newest[0].sequence if newest else 0):
        raise documentfile.corrupt(path, f"it is a copy of entry {known}, which the log has lost")
    if newest and known == newest[0].sequence and newest[1] != state:
        raise documentfile.corrupt(path, f"it differs from entry {known}, whose copy it is: one of the two has changed")
    while newest is not None and newest[1] != state:
        state = newest[1]
        storage.replace(path, state)
        # another run may have published and written meanwhile: whoever writes looks again
        if publishlog.newest_sequence(storage, dataset) != newest[0].sequence:
            newest = publishlog.newest(storage, dataset)
    return newest[0] if newest else None


def _state(storage: Storage, dataset: str) -> bytes | None:
    try:
        return storage.read(layout.current_state(dataset))
    except NotStoredError:
        return None


def _sequence_in(path: str, state: bytes | None) -> int:
    """Of which entry the state is a copy; 0 where it can't be read, for it is to be rewritten anyway."""
    try:
        return documentfile.decode(LogEntry, path, state or b"").sequence
    except CorruptLogError:
        return 0
