"""What a run would do, and why. Looks at the source without downloading it, and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from pharmaetl import engine, runid
from pharmaetl.catalog import Dataset
from pharmaetl.download import source
from pharmaetl.download.transfer import Known, Probed
from pharmaetl.lake import changes, publishlog
from pharmaetl.lake.documents import LogEntry, Source
from pharmaetl.lake.storage import Storage
from pharmaetl.pipeline import Fetch, SkipIfUnchanged, local_steps_for
from pharmaetl.run_options import RunOptions
from pharmaetl.secret import redact


@dataclass(frozen=True)
class PlannedStep:
    """One step, and whether a run would get to it."""

    name: str
    action: Literal["run", "skip"]
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """What a run of a dataset would do now."""

    dataset: str
    run_id: str
    reason: str
    changed: bool | None
    """None: the site doesn't say, so a run would download and compare."""
    source: Source
    engine: str
    steps: tuple[PlannedStep, ...]
    engine_reason: str = ""
    outcome: Literal["planned"] = "planned"

    def summary(self) -> dict[str, Any]:
        """The shape that `run --json` prints."""
        return {
            "dataset": self.dataset,
            "run_id": self.run_id,
            "outcome": self.outcome,
            "reason": self.reason,
            "version": None,
            "source": self.source.model_dump(mode="json"),
            "tables": [],
            "gold": [],
            "quality": None,
            "steps": [
                {
                    "name": s.name,
                    "outcome": "planned" if s.action == "run" else "skipped",
                    "seconds": 0.0,
                    "detail": s.reason,
                }
                for s in self.steps
            ],
            "seconds": 0.0,
            "changed": self.changed,
            "engine": self.engine,
            "engine_reason": self.engine_reason,
        }


def plan(storage: Storage, dataset: Dataset, options: RunOptions) -> Plan:
    """The steps that a run with these options would take."""
    current = publishlog.current(storage, dataset.name)
    url = options.source or dataset.config.url_of(options.edition)
    private = dataset.config.allow_private_hosts or options.allow_private_hosts
    limits = replace(source.PROBE_LIMITS, max_bytes=dataset.config.max_bytes, allow_private_hosts=private)
    probed = source.probe(url, limits=limits, known=_known(current, url))
    changed, reason = _changed(dataset, current, probed, options.force)
    choice = engine.choose(options.engine, options.master, dataset)
    run_id = runid.make(
        datetime.now(UTC),
        dataset=dataset.name,
        source_sha256=probed.sha256 or "",
        config_sha256=dataset.config_sha256,
        code_sha256=dataset.code_sha256,
    )
    return Plan(
        dataset=dataset.name,
        run_id=run_id,
        reason=reason,
        changed=changed,
        source=Source(
            url=probed.url,
            sha256=probed.sha256,
            bytes=probed.bytes,
            etag=probed.etag,
            last_modified=probed.last_modified,
        ),
        engine=choice.name,
        engine_reason=choice.reason,
        steps=tuple(_planned(dataset, changed, reason, options)),
    )


def _known(current: LogEntry | None, url: str) -> Known | None:
    if current is None or current.source.sha256 is None or current.source.url != redact(url):
        return None
    return Known(current.source.url, current.source.sha256, current.source.etag, current.source.last_modified)


def _changed(dataset: Dataset, current: LogEntry | None, probed: Probed, force: bool) -> tuple[bool | None, str]:
    """Would a run publish? None where only a download can tell."""
    sha256 = probed.sha256
    if sha256 is None and current is not None and probed.modified is False:
        sha256 = current.source.sha256
    decision = changes.decide(current, changes.Inputs(sha256, None, dataset.config_sha256, dataset.code_sha256))
    if force:
        return True, f"forced ({decision.reason})"
    if current is not None and sha256 is None and probed.modified is None:
        code = (current.config_sha256, current.code_sha256) == (dataset.config_sha256, dataset.code_sha256)
        return (
            (None, "the site doesn't say whether the source changed: a run downloads and compares")
            if code
            else (True, decision.reason)
        )
    return isinstance(decision, changes.Changed), decision.reason


def _planned(dataset: Dataset, changed: bool | None, reason: str, options: RunOptions) -> list[PlannedStep]:
    steps: list[PlannedStep] = []
    stopped = ""
    for step in local_steps_for(dataset.config):
        if isinstance(step, Fetch | SkipIfUnchanged):
            steps.append(PlannedStep(step.name, "run", "" if isinstance(step, Fetch) else reason))
        elif stopped or changed is False:
            steps.append(PlannedStep(step.name, "skip", stopped or "nothing to do"))
        else:
            steps.append(PlannedStep(step.name, "run", "if the source changed" if changed is None else ""))
        if step.name == options.until:
            stopped = f"--until {step.name}"
        elif step.name == "gate" and options.sample:
            stopped = "a sample is not published"
    return steps
