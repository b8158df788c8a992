"""A small sample of a source file: some of its records, well-formed, in the packaging of the source."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal

from pharmaetl.onboarding.survey import Record, Survey

Packaging = Literal["zip", "gzip", "plain"]

BUDGET = 16_000
"""Bytes of text that a sample holds at most, so that the packed file is well below 20 kB."""
_FIRST, _NOT_ASCII, _MOST = 20, 3, 60
_MEMBER_TIME = (1980, 1, 1, 0, 0, 0)


def pick(survey: Survey, encoding: str, budget: int) -> tuple[Record, ...]:
    """Some records in file order: the first ones, those that show what others don't, and some from further on.

    What together takes more than `budget` bytes, or can't be written in the encoding, is left out; one record stays.
    """
    chosen: dict[int, Record] = {}
    left = budget - len(survey.header_raw.encode())
    for index in _by_interest(survey.records):
        record = survey.records[index]
        size = _size(record.raw, encoding)
        if index not in chosen and size is not None and (size <= left or not chosen):
            chosen[index] = record
            left -= size
        if len(chosen) == _MOST:
            break
    return tuple(chosen[index] for index in sorted(chosen))


def as_bytes(survey: Survey, records: Sequence[Record], encoding: str) -> bytes:
    """Header and records as the source writes them; `encoding` may be utf-8-sig."""
    end = "\r\n" if survey.header_raw.endswith("\r\n") or any(r.raw.endswith("\r\n") for r in records) else "\n"
    whole = (raw if raw.endswith("\n") else raw + end for raw in (survey.header_raw, *(r.raw for r in records)) if raw)
    text = "".join(whole)
    return (text.replace("\n", "\r") if survey.cr_only else text).encode(encoding)


def packed(members: Mapping[str, bytes], packaging: Packaging) -> bytes:
    """The members as the source packs them; the same bytes each time."""
    (name, content), *_ = members.items()
    match packaging:
        case "plain":
            return content
        case "gzip":
            buffer = io.BytesIO()
            with gzip.GzipFile(name, "wb", fileobj=buffer, mtime=0) as file:
                file.write(content)
            return buffer.getvalue()
        case "zip":
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
                for member, data in members.items():
                    archive.writestr(zipfile.ZipInfo(member, _MEMBER_TIME), data, zipfile.ZIP_DEFLATED)
            return buffer.getvalue()


def _by_interest(records: Sequence[Record]) -> Iterator[int]:
    yield from range(min(3, len(records)))
    yield from _first_with_values(records)
    yield from islice((index for index, record in enumerate(records) if not record.raw.isascii()), _NOT_ASCII)
    yield from range(min(_FIRST, len(records)))
    step = max(1, len(records) // _MOST)
    yield from range(0, len(records), step)


def _first_with_values(records: Sequence[Record]) -> Iterator[int]:
    """For each column the first record that has a value there."""
    wanted = set(range(len(records[0].values)))
    for index, record in enumerate(records):
        shown = {column for column in wanted if record.values[column].strip()}
        if shown:
            wanted -= shown
            yield index
        if not wanted:
            return


def _size(raw: str, encoding: str) -> int | None:
    """Bytes of a record in the encoding; None where it can't be written so."""
    if not raw or "\ufffd" in raw:
        return None
    try:
        return len(raw.encode(encoding))
    except UnicodeEncodeError:
        return None
