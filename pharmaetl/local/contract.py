"""The schema contract within a run: what was served, held against config, acceptances and the published version."""

from __future__ import annotations

from pharmaetl.config.dataset_config import Table
from pharmaetl.drift import comparison as drift
from pharmaetl.drift import contracts, profile
from pharmaetl.errors import SourceFormatError
from pharmaetl.lake.schema import TableProfile
from pharmaetl.local.state import Part, Run
from pharmaetl.text import delimited, header
from pharmaetl.text.header import HeaderMatch
from pharmaetl.text.unpack import Text


def matched_header(run: Run, table: Table, text: Text) -> HeaderMatch:
    """The file's columns as the config's. SourceFormatError where the contract doesn't hold, with the drift noted."""
    run.served[table.name] = profile.of_text(table, text)
    try:
        cells = delimited.read_header(text.path, table.dialect) if table.dialect.header else None
        found = header.match(cells, table, text.member)
    except SourceFormatError:
        note(run)
        raise
    accepted = contracts.accepted_headers(run.storage, run.dataset.name)
    found = contracts.agreed(found, table, accepted.get(table.name))
    if table.contract.columns == "freeze" and (unknown := [t for t in found.extras if t not in found.accepted]):
        note(run)
        raise _frozen(run, table, text.member, unknown)
    return found


def _frozen(run: Run, table: Table, member: str, unknown: list[str]) -> SourceFormatError:
    said = ", ".join(f"{text[:60]!r}{drift.renamed_from(run.drift, table.name, text)}" for text in unknown[:10])
    return SourceFormatError(
        f"{member}:1: unknown column {said}: the columns of table {table.name} are frozen",
        hint=f"pharmaetl dataset accept {run.dataset.name} --reason TEXT takes it in as it is;"
        " or add it to `columns` in the config",
    )


def note(run: Run, *, whole: bool = False) -> None:
    """Bring the run's profiles up to what is known by now, and its drift against the published version.

    `whole`: every table of the source has been looked at, so that one which isn't there is gone.
    """
    parts = {part.table.name: part for part in run.parts}
    run.profiles = tuple(_known(found, parts.get(name)) for name, found in run.served.items())
    if run.current is None:
        return
    before = [known for known in profile.published(run.current) if whole or known.table in run.served]
    accepted = contracts.accepted_headers(run.storage, run.dataset.name)
    run.drift = drift.settle(drift.compare(before, run.profiles), accepted)


def profile_of(run: Run, table: str) -> TableProfile | None:
    """What the run knows of a table's file."""
    return next((found for found in run.profiles if found.table == table), None)


def _known(found: TableProfile, part: Part | None) -> TableProfile:
    """A profile with what splitting and silver have added to it."""
    if part is None:
        return found
    split, columns = part.split, part.facts.measures["columns"] if part.facts else {}
    return found.model_copy(
        update={
            "rows": split.rows_read,
            "malformed": split.rows_rejected,
            "blank_lines": split.blank_lines,
            "line_breaks": split.line_breaks,
            "types": profile.business_types(part.schema),
            "lengths": {name: facts["longest"] for name, facts in columns.items() if "longest" in facts},
        }
    )
