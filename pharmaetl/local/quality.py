"""The gate on this machine: what it needs beside the tables' own counts, and its verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from email.utils import parsedate_to_datetime
from typing import get_args

from pharmaetl.config import configfile
from pharmaetl.config.rule import ChangeRule
from pharmaetl.drift import comparison as drift
from pharmaetl.errors import EngineError, GateError
from pharmaetl.lake import publishlog
from pharmaetl.lake.documents import Check, Quality, TableVersion
from pharmaetl.local.exchange import exchange_of
from pharmaetl.local.state import GoldPart, Part, Run, Stop
from pharmaetl.quality import gate as quality
from pharmaetl.quality.gate import Background

MAX_PAST = 30
"""Published versions that a change is compared with, the newest ones."""


def gate(run: Run) -> Stop | None:
    """Hold what was written against the rules; GateError where one fails, with rows that break it."""
    run.quality = verdict = quality.with_checks(judge(run), drift.checks(run.drift))
    run.detail = verdict.verdict
    failed = quality.failures(verdict)
    if failed:
        raise GateError("; ".join(_said(check) for check in failed), hint=_gate_hint(run, failed))
    return (
        Stop(f"a sample of {run.options.sample} rows a table: checked, not published") if run.options.sample else None
    )


def _said(check: Check) -> str:
    where = ".".join(part for part in (check.table, check.column) if part)
    rows = f", e.g. {' | '.join(check.sample)}" if check.sample else ""
    return f"{check.name} {where}: {check.value} against {check.threshold} ({check.reason or 'rule broken'}{rows})"


def _gate_hint(run: Run, failed: list[Check]) -> str:
    if all(check.name == "ShrinkGuard" for check in failed):
        return f'if the release is meant to be smaller: pharmaetl run {run.dataset.name} --accept-shrink "REASON"'
    return f"nothing was published; pharmaetl runs show {run.run_id} has every check"


def judge(run: Run) -> Quality:
    """Measure what lies between tables, hold everything against the rules, and pick rows that break those that fail."""
    _measure_references(run)
    background = _background(run)
    limits, accepted = run.dataset.config.data_quality, run.options.accept_shrink
    parts = [(part, part.facts) for part in run.made if part.facts is not None]
    verdict = quality.judge([facts for _, facts in parts], limits, background, accepted)
    if verdict.verdict != "fail":
        return verdict
    for part, facts in parts:
        facts.samples.update({i: _sample(run, part, i) for i in quality.broken_rules(facts, background)})
    return quality.judge([facts for _, facts in parts], limits, background, accepted)


def _background(run: Run) -> Background:
    return Background(
        as_of=run.as_of,
        released=_released(run),
        current=run.current,
        past=_past(run),
        sampled=run.options.sample is not None,
    )


def _released(run: Run) -> date | None:
    source = run.source_document()
    if source.release_date:
        return date.fromisoformat(source.release_date)
    try:
        return parsedate_to_datetime(source.last_modified or "").date()
    except ValueError:
        return None


def _past(run: Run) -> dict[str, tuple[TableVersion, ...]]:
    """Each table as it was published before; the log is read only where a rule asks for it."""
    asked = {rule.rule for part in run.made for rule in part.table.quality} & {*get_args(ChangeRule)}
    if run.current is None or not asked:
        return {}
    past = defaultdict(list)
    for entry in publishlog.published(run.storage, run.dataset.name, upto=run.current.sequence, limit=MAX_PAST):
        for table in entry.all_tables:
            past[table.name].append(table)
    return {name: tuple(versions) for name, versions in past.items()}


def _measure_references(run: Run) -> None:
    """Count the rows without a parent, where the job that wrote the tables has not; of a sample they mean nothing."""
    measured = [(part, part.facts) for part in run.made if part.facts is not None]
    asked = any(rule.references for part, _ in measured for rule in part.table.quality)
    if run.execution is not None or run.options.sample is not None or not asked:
        return
    if any(facts.rows for _, facts in measured):
        from pharmaetl.spark import jobs

        written = [jobs.Written(readable(run, part), run.spec_of(part), facts.rows) for part, facts in measured]
        with run.engine.speaking():
            found = jobs.orphans_of_all(run.engine.session, written)
        for part, facts in measured:
            facts.measures["references"] = found[part.table.name]


def _parent_of(run: Run, table: str) -> Part | GoldPart | None:
    """The other table of a reference."""
    parents = (part for part in run.made if part.table.name == table and part.facts and part.facts.rows)
    return next(parents, None)


def _sample(run: Run, part: Part | GoldPart, index: int) -> list[str]:
    """Up to five written rows that break a rule of the config; a job elsewhere has picked them already."""
    if part.facts is not None and run.execution is not None:
        return list(part.facts.measures.get("samples", {}).get(str(index), []))
    from pharmaetl.spark import jobs

    wanted = part.table.quality[index].references
    parent = _parent_of(run, wanted.table) if wanted else None
    parent_path = readable(run, parent) if parent else None
    with run.engine.speaking():
        return jobs.sample(run.engine.session, readable(run, part), run.spec_of(part), index, parent_path)


def readable(run: Run, part: Part | GoldPart) -> str:
    """What the engine reads for a written table."""
    return exchange_of(run).readable(run.folder_of(part))


@contextmanager
def naming_rules(run: Run, part: Part | GoldPart) -> Iterator[None]:
    """Tell SQL of a rule that the engine refuses from an engine that fails: InvalidConfigError with its place."""
    spec = run.spec_of(part)
    # DuckDB runs nothing but SQL that was found plain beforehand
    if run.engine.choice.name == "duckdb" or not any(rule.where or rule.condition for rule in spec.rules):
        yield
        return
    from pharmaetl.spark import conditions

    session = run.engine.session
    _refuse(run, part, list(conditions.refused(session, spec)))
    try:
        yield
    except EngineError:
        with run.engine.speaking():
            if conditions.is_sound(session, spec):
                _refuse(run, part, list(conditions.refused(session, spec, tried=True)))
        raise


def _refuse(run: Run, part: Part | GoldPart, refused: list[tuple[int, str, str]]) -> None:
    if not refused:
        return
    path = run.dataset.config_path
    outline = configfile.outline_of(path.read_text("utf-8-sig"), str(path))
    kind, known = ("tables", run.dataset.config.tables) if isinstance(part, Part) else ("gold", run.dataset.config.gold)
    table = [table.name for table in known].index(part.table.name)
    problems = []
    for index, key, reason in refused:
        place = outline.place((kind, table, "quality", index, key))
        said = f"{kind}.{table}.quality.{index}.{key}: {part.table.quality[index].rule} of table {part.table.name}:"
        problems.append(configfile.Problem(str(path), *place, f"{said} the engine refuses it: {reason}"))
    raise configfile.InvalidConfigError(problems)
