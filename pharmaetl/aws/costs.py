"""What a run costs on AWS: the Glue jobs, which are nearly all of it, by the second they took before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pharmaetl.aws import workers as sizes
from pharmaetl.config.dataset_config import DatasetConfig
from pharmaetl.lake.documents import RunRecord

DOLLARS_PER_DPU_HOUR = 0.44
"""US regions, AWS Glue pricing as of 2026-10; other regions differ by up to a third."""
SHORTEST_SECONDS = 60
"""A job run is charged for a minute at least."""
DPUS = {
    "G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8, "G.12X": 12, "G.16X": 16, "R.1X": 1, "R.2X": 2, "R.4X": 4, "R.8X": 8,
}  # fmt: skip
"""Data processing units of one worker. R workers count memory-optimised units, which cost somewhat more than these."""
RUNS_A_MONTH = {"daily": 30.4, "weekly": 4.35, "monthly": 1.0}
_UNKNOWN = "as many as the config allows, until a first run says how much text there is"


@dataclass(frozen=True)
class JobCost:
    """One Glue job of a run: `seconds` is the median of past runs, None where there were none."""

    layer: str
    workers: int
    dpus: int
    seconds: float | None
    dollars: float
    """For `seconds`, or for the minute that is charged at least."""

    @property
    def dollars_an_hour(self) -> float:
        """What the workers cost while they run."""
        return self.workers * self.dpus * DOLLARS_PER_DPU_HOUR

    @property
    def dpu_seconds(self) -> float:
        """What is charged for: units times seconds, of a minute at least."""
        return self.workers * self.dpus * max(self.seconds or 0, SHORTEST_SECONDS)


@dataclass(frozen=True)
class RunCost:
    """What one run costs, by its Glue jobs."""

    jobs: tuple[JobCost, ...]
    past_runs: int
    runs_a_month: float
    why: str = ""
    """What the numbers of workers follow from."""

    @property
    def dpu_seconds(self) -> float:
        """One run."""
        return sum(job.dpu_seconds for job in self.jobs)

    @property
    def dollars(self) -> float:
        """One run."""
        return sum(job.dollars for job in self.jobs)

    @property
    def dollars_a_month(self) -> float:
        """Runs at the dataset's cadence, if each found something new."""
        return self.dollars * self.runs_a_month


def dollars(workers: int, dpus: int, seconds: float) -> float:
    """What a job run of so many seconds is charged."""
    return workers * dpus * max(seconds, SHORTEST_SECONDS) / 3600 * DOLLARS_PER_DPU_HOUR


def estimate(config: DatasetConfig, past: Sequence[RunRecord]) -> RunCost:
    """What a run would cost, from how long the jobs of past runs on AWS took and the workers that such a source gets.

    `past`: run records, newest first.
    """
    runs = [record for record in past if record.outcome == "published" and record.process.startswith("arn:")]
    jobs = []
    text = max((sum(member.bytes for member in record.source.members) for record in runs[:1]), default=0)
    for layer, wanted in sizes.workers(text, config).items():
        took = [step.seconds for record in runs for step in record.steps if step.name == layer]
        seconds = median(took) if took else None
        # as the newest run had them; before there is one, as many as the config allows
        dpus, workers = DPUS[config.worker_type], wanted if runs else config.number_of_workers
        jobs.append(JobCost(layer, workers, dpus, seconds, dollars(workers, dpus, seconds or 0)))
    return RunCost(tuple(jobs), len(runs), RUNS_A_MONTH[config.cadence], _why(text, config) if runs else _UNKNOWN)


def _why(text_bytes: int, config: DatasetConfig) -> str:
    megabytes = f"{text_bytes / 1e6:,.0f} MB"
    return f"by the newest run's {megabytes} of text; {sizes.LEAST} at least, {config.number_of_workers} by the config"
