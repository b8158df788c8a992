"""A run on AWS without AWS: both ends of it and the Glue jobs in this process, on any lake."""

from __future__ import annotations

import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from pharmaetl.aws import failures, stages
from pharmaetl.aws.deadline import Deadline
from pharmaetl.aws.events import FailureRequest, FetchRequest, FetchResult, PublishRequest, PublishResult, parsed
from pharmaetl.aws.naming import DatasetNames
from pharmaetl.catalog import Dataset
from pharmaetl.lake.documents import RunRecord
from pharmaetl.place import Place
from pharmaetl.spark import glue
from pharmaetl.watch import Silent

DATASETS = Path(__file__).parents[2] / "datasets"
HEADER = (
    "Item Code,NDC11,Proprietary Name,Dosage Form,Marketing Category,Application Number or Monograph ID,Product Type,"
    "Marketing Start Date,Marketing End Date,Billing Unit,Inactivation Date,Reactivation Date"
)
MALFORMED = "0037-0022-98,00037002298,too,short"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:nsde-orchestrator"


def a_release(path: Path, rows: int, *, name: str = "Drug", more: Sequence[str] = (), start: str = "20160329") -> Path:
    """A zip with so many well-formed rows, up to 100, and lines of any other kind."""
    lines = [f"0037-0022-{n:02d},000370022{n:02d},{name} {n},TABLET,NDA,NDA1,RX,{start},,EA,," for n in range(rows)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nsde.csv", "\r\n".join([HEADER, *lines, *more]) + "\r\n")
    return path


@dataclass
class Execution:
    """One execution of the state machine, state by state; `attempts` are the job runs that have succeeded."""

    place: Place
    spark: SparkSession | None
    name: str = "one"
    started_at: str = "2026-11-23T03:15:00.123Z"
    dataset_name: str = "nsde"
    attempts: dict[str, str] = field(default_factory=dict)
    fetched: FetchResult | None = None

    @property
    def dataset(self) -> Dataset:
        return self.place.catalog.find(self.dataset_name)

    @property
    def arn(self) -> str:
        return f"{MACHINE.replace(':stateMachine:', ':execution:')}:{self.name}"

    def fetch_event(self, source: Path | str | None = None, **given: Any) -> dict[str, Any]:
        asked = {**given, **({"source_url": str(source)} if source is not None else {})}
        return {"input": asked, "execution": self.arn, "name": self.name, "started_at": self.started_at}

    def fetch(self, source: Path | str | None, *, seconds_left: float = 900.0, **given: Any) -> FetchResult:
        request = parsed(FetchRequest, self.fetch_event(source, **given))
        deadline = Deadline(lambda: seconds_left)
        self.fetched = stages.fetch_and_hash(self.place.storage, self.dataset, request, deadline, Silent())
        return self.fetched

    def job(self, layer: str) -> str:
        """Run a layer's job once; each run is an attempt of its own."""
        fetched = self.fetched
        assert fetched is not None
        assert self.spark is not None
        given = {"run_id": fetched.run_id, "jobs_path": fetched.jobs_path, "raw_path": fetched.raw_path}
        given |= {
            "bronze_path": fetched.bronze_path,
            "silver_path": fetched.silver_path,
            "gold_path": fetched.gold_path,
        }
        for above, below in {"silver": "bronze", "gold": "silver"}.items():
            if layer == above:
                given[f"{below}_path"] = f"{given[f'{below}_path']}/attempt={self.attempts[below]}"
        words = [word for name in glue.ARGUMENTS[layer] for word in (f"--{name}", str(given[name]))]
        self.attempts[layer] = f"jr_{uuid.uuid4().hex}"
        return glue.run(self.spark, layer, ["job.py", *words, "--JOB_RUN_ID", self.attempts[layer]])

    def publish_event(self) -> dict[str, Any]:
        assert self.fetched is not None
        return {
            "action": "publish",
            "dataset": self.dataset_name,
            "run_id": self.fetched.run_id,
            "execution": self.arn,
            **{f"{layer}_attempt": attempt for layer, attempt in self.attempts.items()},
        }

    def publish(self) -> PublishResult:
        request = parsed(PublishRequest, self.publish_event())
        return stages.publish(self.place.storage, self.dataset, request, Silent())

    def run(self, source: Path | str, **given: Any) -> PublishResult | FetchResult:
        """All states; what the last one returned."""
        if not self.fetch(source, **given).changed:
            assert self.fetched is not None
            return self.fetched
        for layer in DatasetNames(self.dataset.config).jobs:
            self.job(layer)
        return self.publish()

    def failure_event(self, state: str, error: str, cause: str | None, **more: Any) -> dict[str, Any]:
        fetched = self.fetched.model_dump() if self.fetched else None
        known = {"dataset": self.dataset_name, "execution": self.arn, "name": self.name, "started_at": self.started_at}
        told = {"state": state, "error": {"Error": error, "Cause": cause}, "fetch": fetched}
        return {"action": "record_failure", **known, **told, **more}

    def record_failure(self, state: str, error: str, cause: str | None, **more: Any) -> dict[str, Any]:
        request = parsed(FailureRequest, self.failure_event(state, error, cause, **more))
        return failures.record_failure(self.place.storage, self.dataset, request).model_dump()


def records(place: Place) -> list[RunRecord]:
    """Every run's record of the lake, by run id."""
    from pharmaetl.lake import runs

    return sorted(runs.recent(place.storage, None, 100), key=lambda record: record.run_id)
