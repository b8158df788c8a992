"""Whose gold files are: their folders name a table and a run, and the run's record or its log entry names the dataset.

Silver and bronze have the dataset in their paths. A table for use has not, so that it can be found by its name alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pharmaetl.errors import CorruptLogError
from pharmaetl.lake import layout, publishlog, runs
from pharmaetl.lake.marks import Doomed, Rules, refuse_shortened_log
from pharmaetl.lake.storage import Storage, Stored
from pharmaetl.runid import is_run_id


def of_nobody(storage: Storage, datasets: Iterable[str], rules: Rules) -> tuple[tuple[Doomed, ...], tuple[Doomed, ...]]:
    """Gold of runs that no dataset knows: what may go, and what is too young; nothing where a log can't be relied on.

    A run has its record before it has files, which are listed first; and no run or rollback can come to need what no
    record and no entry tells of. So nothing has to be announced before it goes.
    """
    files = [file for file in storage.list(layout.GOLD) if is_run_id(layout.run_of(file.path))]
    recorded = {run.run_id for run in runs.listed(storage, None)}
    unrecorded = [file for file in files if layout.run_of(file.path) not in recorded]
    try:
        published = {run_id for dataset in datasets if unrecorded for run_id in _in_log(storage, dataset)}
    except CorruptLogError:
        return (), ()
    chosen = [file for file in unrecorded if layout.run_of(file.path) not in published]
    doomed = tuple(_doomed(file) for file in chosen if not rules.is_young(file.modified))
    return doomed, tuple(_doomed(file) for file in chosen if rules.is_young(file.modified))


def _in_log(storage: Storage, dataset: str) -> Iterator[str]:
    log = publishlog.entries(storage, dataset)
    refuse_shortened_log(storage, dataset, log, ())
    return (entry.run_id for entry in log)


def _doomed(file: Stored) -> Doomed:
    run_id = layout.run_of(file.path)
    return Doomed(file.path, file.bytes, f"run {run_id} is in no log and has no record", run_id=run_id)
