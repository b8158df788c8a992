"""Make anew what is derived from the publish log, the run records and the raw files; leave alone what is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from pharmaetl import lineage, unpacked
from pharmaetl.catalog import Dataset
from pharmaetl.doctor import Diagnosis
from pharmaetl.errors import NotStoredError, PharmaetlError
from pharmaetl.lake import layout, manifest, publishlog, rawfiles, runs
from pharmaetl.lake.storage import Storage
from pharmaetl.place import Place


def repair(place: Place) -> tuple[Diagnosis, ...]:
    """Each dataset's current state, source records, texts and lineage. What can't be made anew is reported."""
    return tuple(found for dataset in place.catalog for found in _repaired(place.storage, dataset))


def _repaired(storage: Storage, dataset: Dataset) -> Iterator[Diagnosis]:
    tasks: tuple[Callable[[Storage, Dataset], Iterator[Diagnosis]], ...] = (_state, _origins, _texts, _lineage)
    for task in tasks:
        try:
            yield from task(storage, dataset)
        except PharmaetlError as error:
            yield Diagnosis(f"repair {dataset.name}", "fail", error.reason, error.hint)
            return


def _done(dataset: Dataset, found: str) -> Diagnosis:
    return Diagnosis(f"repair {dataset.name}", "ok", found)


def _state(storage: Storage, dataset: Dataset) -> Iterator[Diagnosis]:
    entry = manifest.rebuild_state(storage, dataset.name)
    yield _done(dataset, f"state written from entry {entry.sequence}" if entry else "nothing published")


def _origins(storage: Storage, dataset: Dataset) -> Iterator[Diagnosis]:
    """`source.json` beside raw files whose content is sound."""
    log = publishlog.entries(storage, dataset.name)
    records = runs.readable(storage, dataset.name, len(runs.listed(storage, dataset.name)))
    # oldest first: the first run with a source is the one that stored it
    known = [record.source for record in reversed(records)] + [entry.source for entry in log]
    wrong = {finding.path for finding in rawfiles.findings(storage, dataset.name, [], known)}
    for folder in rawfiles.folders(storage, dataset.name).values():
        path = layout.source_record(dataset.name, folder.sha256)
        source = rawfiles.origin_of(folder, known)
        is_sound = len(folder.served) == 1 and not wrong & {folder.path, folder.served[0].path}
        if path in wrong and is_sound and source is not None:
            storage.replace(path, rawfiles.source_json(source))
            yield _done(dataset, f"{path} written as the first run with that source tells it")


def _texts(storage: Storage, dataset: Dataset) -> Iterator[Diagnosis]:
    for text in unpacked.texts(storage, dataset.name):
        problem = unpacked.problem_of(storage, dataset, text)
        if problem is None:
            continue
        if unpacked.rewrite(storage, dataset, text):
            yield _done(dataset, f"{text.path} unpacked again: {problem}")
        else:
            fix = "restore the raw file from a backup first"
            yield Diagnosis(f"repair {dataset.name}", "fail", f"{text.path}: {problem}; so is the raw file", fix)


def _lineage(storage: Storage, dataset: Dataset) -> Iterator[Diagnosis]:
    records = runs.readable(storage, dataset.name, len(runs.listed(storage, dataset.name)))
    for record in records:
        path = layout.lineage_events(dataset.name, record.run_id)
        if record.ended_at is not None and not _is_json_lines(storage, path):
            lineage.write(storage, record)
            yield _done(dataset, f"{path} written from the run's record")


def _is_json_lines(storage: Storage, path: str) -> bool:
    try:
        return len([json.loads(line) for line in storage.read(path).splitlines()]) > 0
    except (NotStoredError, ValueError, RecursionError):
        return False
