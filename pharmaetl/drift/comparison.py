"""How a source differs from the version published last: a pure comparison of profiles."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pharmaetl.config.column import folded
from pharmaetl.lake.documents import Check
from pharmaetl.lake.schema import Drift, TableProfile

RENAME_SCORE = 0.6
"""Two headers less alike than this are a removed and an added column, not a renamed one."""
GROWTH = 2.0
"""A longest value of more than this many times the one before is reported."""


def compare(before: Sequence[TableProfile], after: Sequence[TableProfile]) -> tuple[Drift, ...]:
    """Everything in `after` that isn't as in `before`, table by table; what isn't known of either is no drift."""
    old, new = {profile.table: profile for profile in before}, {profile.table: profile for profile in after}
    found: list[Drift] = []
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            found.append(Drift(kind="table_removed", table=name, before=name, detail="the source lacks this table"))
        elif name not in old:
            found.append(Drift(kind="table_added", table=name, after=name, detail="the table was not published before"))
        else:
            found += [*_headers(old[name], new[name]), *_form(old[name], new[name]), *_values(old[name], new[name])]
    return tuple(found)


def settle(found: Sequence[Drift], accepted: Mapping[str, Sequence[str]]) -> tuple[Drift, ...]:
    """The same, with severity info for what somebody has accepted; `accepted`: header texts by table."""
    return tuple(
        drift.model_copy(update={"severity": "info", "detail": f"{drift.detail}; accepted"})
        if drift.severity == "warn" and drift.table in accepted and _is_settled(drift, accepted[drift.table])
        else drift
        for drift in found
    )


def checks(found: Sequence[Drift]) -> tuple[Check, ...]:
    """One check named Drift for each difference; what is known or accepted passes."""
    return tuple(
        Check(
            name="Drift",
            table=drift.table,
            column=drift.column,
            outcome="pass" if drift.severity == "info" else drift.severity,
            value=drift.kind,
            reason=drift.detail,
        )
        for drift in found
    )


def renamed_from(found: Sequence[Drift], table: str, header: str) -> str:
    """What to say of an unknown header that a column was perhaps renamed to; empty where none was."""
    for drift in found:
        if (drift.kind, drift.table, drift.after) == ("renamed", table, header):
            return f" (renamed from {drift.before!r}? score {drift.score})"
    return ""


def _is_settled(drift: Drift, accepted: Sequence[str]) -> bool:
    keys = [folded(text) for text in accepted]
    match drift.kind:
        case "added" | "renamed":
            return folded(str(drift.after)) in keys
        case "removed":
            return folded(str(drift.before)) not in keys
        case "case_changed":
            return drift.after in accepted
        case "reordered":
            return drift.after == _listed(accepted)
        case "field_count_changed":
            return drift.after == len(accepted)
        case _:
            return False


class _Cell(NamedTuple):
    """One header: its text, the text as headers are compared, and the config's column, where it knows one."""

    text: str
    key: str
    name: str | None


class _Rename(NamedTuple):
    """A header that is gone and the new one that probably stands for it."""

    gone: _Cell
    come: _Cell
    score: float


def _headers(before: TableProfile, after: TableProfile) -> Iterator[Drift]:
    """What happened to single headers, and to their order."""
    if before.header is None or after.header is None:
        return
    old, new = _cells(before), _cells(after)
    gone = [cell for key, cell in old.items() if key not in new]
    come = [cell for key, cell in new.items() if key not in old]
    renames = _renames(gone, come)
    paired = {cell for rename in renames for cell in (rename.gone, rename.come)}
    yield from (_renamed(rename, after) for rename in renames)
    yield from (_removed(cell, after) for cell in gone if cell not in paired)
    yield from (_added(cell, after) for cell in come if cell not in paired)
    yield from _duplicated(before.header, after.header, after.table)
    yield from _rewritten(old, new, after.table)
    yield from _reordered(old, new, renames, after.table)


def _cells(profile: TableProfile) -> dict[str, _Cell]:
    """The headers by their compared text, in file order; of repeated ones the first."""
    header = profile.header or ()
    names = profile.names if len(profile.names) == len(header) else (None,) * len(header)
    cells: dict[str, _Cell] = {}
    for text, name in zip(header, names, strict=True):
        cells.setdefault(folded(text), _Cell(text, folded(text), name))
    return cells


def _renames(gone: Sequence[_Cell], come: Sequence[_Cell]) -> list[_Rename]:
    """Removed and added headers as pairs, the most alike first; each is in one pair at most."""
    pairs = [_Rename(one, other, _score(one, other)) for one in gone for other in come]
    chosen: list[_Rename] = []
    for pair in sorted(pairs, key=lambda pair: -pair.score):
        taken = any(pair.gone == other.gone or pair.come == other.come for other in chosen)
        if pair.score >= RENAME_SCORE and not taken:
            chosen.append(pair)
    return chosen


def _score(one: _Cell, other: _Cell) -> float:
    """How alike two headers are, 0 to 1; of two that the config knows, it says whether they are one column."""
    if one.name is not None and other.name is not None:
        return float(one.name == other.name)
    return difflib.SequenceMatcher(None, _normal(one.text), _normal(other.text), autojunk=False).ratio()


def _normal(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _renamed(rename: _Rename, after: TableProfile) -> Drift:
    gone, come, score = rename.gone, rename.come, round(rename.score, 2)
    known = gone.name is not None and gone.name == come.name
    if known:
        detail = f"{gone.text!r} is {come.text!r} now; the config knows both as {gone.name}"
    else:
        detail = f"{gone.text!r} is probably {come.text!r} now (score {score})"
    return Drift(
        kind="renamed",
        table=after.table,
        column=gone.text,
        before=gone.text,
        after=come.text,
        severity="info" if known else "fail" if gone.name in after.missing else "warn",
        detail=detail,
        score=score,
    )


def _removed(cell: _Cell, after: TableProfile) -> Drift:
    needed = cell.name in after.missing
    return Drift(
        kind="removed",
        table=after.table,
        column=cell.text,
        before=cell.text,
        severity="fail" if needed else "warn",
        detail=f"{'required ' if needed else ''}column {cell.text!r} is gone",
    )


def _added(cell: _Cell, after: TableProfile) -> Drift:
    return Drift(
        kind="added", table=after.table, column=cell.text, after=cell.text, detail=f"column {cell.text!r} is new"
    )


def _duplicated(before: Sequence[str], after: Sequence[str], table: str) -> Iterator[Drift]:
    usual, found = Counter(map(folded, before)), Counter(map(folded, after))
    for key, times in found.items():
        if times > 1 and times > usual[key]:
            text = next(text for text in after if folded(text) == key)
            yield Drift(
                kind="duplicated",
                table=table,
                column=text,
                before=usual[key],
                after=times,
                severity="fail",
                detail=f"header {text!r} is there {times} times",
            )


def _rewritten(old: Mapping[str, _Cell], new: Mapping[str, _Cell], table: str) -> Iterator[Drift]:
    """Headers that differ in case or blanks only."""
    for key, cell in old.items():
        text = new[key].text if key in new else cell.text
        if text != cell.text:
            detail = f"{cell.text!r} is written {text!r} now"
            yield Drift(kind="case_changed", table=table, column=cell.text, before=cell.text, after=text, detail=detail)


def _reordered(
    old: Mapping[str, _Cell], new: Mapping[str, _Cell], renames: Sequence[_Rename], table: str
) -> Iterator[Drift]:
    """Do the headers that both have, renamed ones included, stand in another order?"""
    former = {rename.come.key: rename.gone.key for rename in renames}
    usual = [key for key in old if key in new or key in former.values()]
    found = [former.get(key, key) for key in new if key in old or key in former]
    moved = [key for key, other in zip(found, usual, strict=True) if key != other]
    if moved:
        yield Drift(
            kind="reordered",
            table=table,
            before=_listed([cell.text for cell in old.values()]),
            after=_listed([cell.text for cell in new.values()]),
            detail=f"{len(moved)} of {len(found)} columns stand elsewhere, {old[moved[0]].text!r} the first of them",
        )


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts)


def _form(before: TableProfile, after: TableProfile) -> Iterator[Drift]:
    """How the file is written and named."""
    table, old, new = after.table, before, after
    if old.fields and new.fields and old.fields != new.fields:
        detail = f"{old.fields} fields a row before, {new.fields} now"
        yield Drift(kind="field_count_changed", table=table, before=old.fields, after=new.fields, detail=detail)
    if old.delimiter and new.delimiter and old.delimiter != new.delimiter:
        detail = f"the delimiter was {old.delimiter!r}, and is {new.delimiter!r} now"
        yield Drift(kind="delimiter_changed", table=table, before=old.delimiter, after=new.delimiter, detail=detail)
    trailing = old.trailing_delimiter, new.trailing_delimiter
    if None not in trailing and trailing[0] != trailing[1]:
        detail = "rows end with the delimiter now" if trailing[1] else "rows no longer end with the delimiter"
        yield Drift(kind="delimiter_changed", table=table, before=trailing[0], after=trailing[1], detail=detail)
    encodings = {old.encoding, new.encoding}
    if len(encodings) > 1 and not encodings & {"", "ascii"}:
        detail = f"the text was {old.encoding}, and is {new.encoding} now"
        yield Drift(kind="encoding_changed", table=table, before=old.encoding, after=new.encoding, detail=detail)
    if old.member and new.member and old.member != new.member:
        detail = f"the file {old.member} is called {new.member} now"
        yield Drift(
            kind="member_renamed", table=table, before=old.member, after=new.member, severity="info", detail=detail
        )


def _values(before: TableProfile, after: TableProfile) -> Iterator[Drift]:
    """Silver columns that both have, with another type or with far longer values."""
    for name, kind in after.types.items():
        was = before.types.get(name, kind)
        if was != kind:
            detail = f"{name} was {was}, and is {kind} now"
            yield Drift(kind="type_changed", table=after.table, column=name, before=was, after=kind, detail=detail)
    for name, longest in after.lengths.items():
        former = before.lengths.get(name, 0)
        if former and longest > GROWTH * former:
            detail = f"the longest {name} had {former} characters, and has {longest} now"
            yield Drift(
                kind="length_grown", table=after.table, column=name, before=former, after=longest, detail=detail
            )
