"""The steps around the engine, on this machine: fetch, skip, unpack, publish."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from pharmaetl.config.dataset_config import Table
from pharmaetl.download import source
from pharmaetl.download.transfer import Fetched, Known, Limits, NotModified
from pharmaetl.errors import AlreadyPublishedError, LocalIOError, SourceFormatError
from pharmaetl.lake import layout, manifest
from pharmaetl.lake.documents import DataFile, TableVersion
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.local import contract as local_contract
from pharmaetl.local.layers import ahead_of, looked_at
from pharmaetl.local.state import GoldPart, Part, Run, Stop
from pharmaetl.pipeline import Fetch, Gate, LocalStep, Publish, SkipIfUnchanged, SparkJob, Unpack
from pharmaetl.secret import redact
from pharmaetl.text import delimited, release, unpack


def describe(step: LocalStep, run: Run) -> str:
    """What a step works on, for somebody who looks on."""
    match step:
        case Fetch():
            return redact(run.url)
        case SkipIfUnchanged():
            return "against the published version"
        case Unpack():
            return run.fetched.file_name if run.fetched else ""
        case SparkJob(layer=layer):
            tables = run.dataset.config.gold if layer == "gold" else [part.table for part in run.parts]
            return f"{layer}: {', '.join(table.name for table in tables)}"
        case Gate():
            return "quality rules"
        case Publish():
            return layout.log_dir(run.dataset.name)
        case _ as never:
            assert_never(never)


def fetch(run: Run) -> None:
    """Get the source into the spool, hashed. The site's word that nothing changed is taken where nothing else did."""
    if run.resumed_source is not None:
        run.fetched = _stored_source(run)
        return
    config, private = run.dataset.config, run.options.allow_private_hosts
    limits = Limits(max_bytes=config.max_bytes, allow_private_hosts=private or config.allow_private_hosts)
    if run.fetch_seconds is not None:
        limits = replace(limits, total_seconds=run.fetch_seconds)
    with _spool(run) as spool:
        got = source.fetch(run.url, spool, limits=limits, known=_known(run), progress=run.watch.progress)
        if isinstance(got, NotModified):
            run.detail = "not modified"
            run.fetched = _as_published(run)
            return
        run.fetched = _kept(got, run.work)
    run.detail = f"{run.fetched.bytes:,} bytes, sha256 {run.fetched.sha256[:12]}…"


def _known(run: Run) -> Known | None:
    """What to tell the site that we have, where having it would end the run."""
    current = run.current
    if current is None or run.options.force or current.source.sha256 is None or current.source.url != redact(run.url):
        return None
    if (current.config_sha256, current.code_sha256) != (run.dataset.config_sha256, run.dataset.code_sha256):
        return None
    return Known(current.source.url, current.source.sha256, current.source.etag, current.source.last_modified)


def _as_published(run: Run) -> Fetched:
    published = run.current.source if run.current else None
    if published is None or published.sha256 is None:
        raise SourceFormatError(
            "the site says 'not modified' although nothing was fetched before", hint="run again with --force"
        )
    return Fetched(
        path=run.work,
        url=published.url,
        file_name="",
        sha256=published.sha256,
        bytes=published.bytes or 0,
        etag=published.etag,
        last_modified=published.last_modified,
        fetched_at=published.fetched_at or "",
    )


def _stored_source(run: Run) -> Fetched:
    """The raw file of the run that is resumed, checked against its hash."""
    wanted = run.resumed_source
    sha256 = wanted.sha256 if wanted else None
    folder = layout.raw_dir(run.dataset.name, sha256 or "none")
    files = [
        file
        for file in run.storage.list(folder)
        if "/" not in file.path.removeprefix(folder + "/") and not file.path.endswith("source.json")
    ]
    if wanted is None or sha256 is None or len(files) != 1 or run.storage.sha256(files[0].path) != sha256:
        raise LocalIOError(
            f"{folder}: the source of this run is not stored there whole",
            hint=f"pharmaetl run {run.dataset.name} fetches it anew",
        )
    path = run.work / "source"
    run.storage.fetch(files[0].path, path)
    name = files[0].path.rpartition("/")[2]
    return Fetched(
        path, wanted.url, name, sha256, files[0].bytes, wanted.etag, wanted.last_modified, wanted.fetched_at or ""
    )


@contextmanager
def _spool(run: Run) -> Iterator[Path]:
    """Where downloads grow: kept between runs so that a broken one goes on, private while another run is at it."""
    if not isinstance(run.storage, LocalStorage):
        yield run.work
        return
    shared = Path(run.storage.root, layout.WORK, "downloads", run.dataset.name)
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield run.work
        else:
            yield shared


def _kept(got: Fetched, work: Path) -> Fetched:
    """Move a finished download out of the shared spool."""
    mine = work / "source"
    got.path.replace(mine)
    return Fetched(mine, got.url, got.file_name, got.sha256, got.bytes, got.etag, got.last_modified, got.fetched_at)


def skip_if_unchanged(run: Run) -> Stop | None:
    """End the run where the source's bytes, the config and the code are those of the current version."""
    decision = _decision(run)
    run.why = run.detail = decision.reason
    if isinstance(decision, manifest.Unchanged) and not run.options.force:
        return Stop(decision.reason)
    if run.options.force:
        run.why = f"forced ({decision.reason})"
    return None


def _decision(run: Run) -> manifest.Unchanged | manifest.Changed:
    dataset = run.dataset
    return manifest.decide(
        run.current,
        manifest.Inputs(run.source_sha256, run.members_sha256(), dataset.config_sha256, dataset.code_sha256),
    )


def unpack_source(run: Run) -> Stop | None:
    """Check the container, turn members into UTF-8 text and that into records, and store the raw file."""
    fetched = run.fetched
    if fetched is None:
        raise AssertionError("nothing was fetched")
    found = unpack.members(fetched.path, fetched.file_name)
    tables = run.dataset.config.tables
    run.release_date = release.date_in([member.name for member in found], run.dataset.config.release_date)
    chosen = unpack.select(found, [(table.name, table.member, table.optional) for table in tables], fetched.file_name)
    run.warm_up(max((found.bytes or 0 for found in chosen.values()), default=0))
    for table in tables:
        if table.name in chosen:
            run.parts.append(_part(run, table, chosen[table.name]))
    decision = _decision(run)
    if isinstance(decision, manifest.Unchanged) and not run.options.force:
        run.detail = decision.reason
        return Stop(decision.reason)
    local_contract.note(run, whole=True)
    _store_raw(run, fetched)
    run.detail = ", ".join(f"{part.text.member}: {part.split.rows_read:,} rows" for part in run.parts)
    return None


def _part(run: Run, table: Table, found: unpack.Found) -> Part:
    fetched = run.fetched
    if fetched is None:
        raise AssertionError("nothing was fetched")
    target = run.work / "unpacked" / found.name
    target.parent.mkdir(parents=True, exist_ok=True)
    text = unpack.unpack(fetched.path, found, target, encoding=table.encoding, progress=run.watch.progress)
    if run.ahead is not None and isinstance(run.storage, LocalStorage):
        run.ahead.flush(text.path)
    matched = local_contract.matched_header(run, table, text)
    records = run.work / "records" / table.name
    records.mkdir(parents=True)
    sink = ahead_of(run, table, text, matched.names)
    split = delimited.split(text.path, table.dialect, len(matched.names), records, limit=run.options.sample, sink=sink)
    if split.rows_read == 0:
        raise SourceFormatError(
            f"{found.name}: no data rows, only a header",
            hint="the site may be in the middle of an update: run again later",
        )
    return Part(table, text, matched, split, warnings=found.warnings)


def _store_raw(run: Run, fetched: Fetched) -> None:
    """Store the source under its hash, its origin beside it, and its members as UTF-8; once, whatever it is called."""
    dataset = run.dataset.name
    for part in run.parts:
        run.storage.put(layout.unpacked(dataset, fetched.sha256, part.text.member), part.text.path)
    origin = {
        "url": fetched.url,
        "etag": fetched.etag,
        "last_modified": fetched.last_modified,
        "bytes": fetched.bytes,
        "sha256": fetched.sha256,
        "fetched_at": fetched.fetched_at,
    }
    if not run.storage.exists(layout.source_record(dataset, fetched.sha256)):
        run.storage.put(f"{layout.raw_dir(dataset, fetched.sha256)}/{fetched.file_name}", fetched.path)
        run.storage.create(layout.source_record(dataset, fetched.sha256), json.dumps(origin, indent=2).encode())
    run.raw_stored = True


def publish(run: Run) -> Stop | None:
    """Read the files back, then commit the version. The commit is one atomic create."""
    if run.quality is None:
        raise AssertionError("the gate has not spoken")
    candidate = manifest.Candidate(
        dataset=run.dataset.name,
        run_id=run.run_id,
        source=run.source_document(),
        config_sha256=run.dataset.config_sha256,
        code_sha256=run.dataset.code_sha256,
        engine=run.engine_name or "",
        tables=tuple(audited(run, part) for part in run.parts),
        gold=tuple(audited(run, part) for part in run.gold),
        quality=run.quality,
        reason=run.why,
        claimed_after=run.claimed_after,
    )
    try:
        run.entry = manifest.commit(run.storage, candidate, run.current)
    except AlreadyPublishedError as error:
        # an earlier try of this very run may have died right after its commit
        run.entry = manifest.find(run.storage, run.dataset.name, run.run_id) if error.by == run.run_id else None
        if run.entry is None:
            run.detail = error.reason
            return Stop(error.reason)
    run.detail = f"version {run.entry.version}, entry {run.entry.sequence}"
    return None


def audited(run: Run, part: Part | GoldPart) -> TableVersion:
    """A table's files as they stand in the lake: sizes, hashes and row counts read from the files themselves."""
    folder = run.folder_of(part)
    files = []
    for stored in run.storage.list(folder):
        sha256, rows = looked_at(run, stored.path)
        files.append(DataFile(path=stored.path, bytes=stored.bytes, sha256=sha256, rows=rows))
    facts = part.facts
    total = sum(file.rows for file in files)
    if facts is None or total != facts.rows:
        raise LocalIOError(
            f"{folder} holds {total} rows where {facts.rows if facts else 0} were written",
            hint="the storage may be failing; run again",
        )
    return TableVersion(
        name=part.table.name,
        path=folder,
        rows=total,
        files=tuple(files),
        schema=part.schema,
        digest=str(facts.measures["digest"]),
        profile=local_contract.profile_of(run, part.table.name),
        figures=facts.figures(),
    )
