"""Fakes of what a state machine calls: they note what they are given, and answer or fail as they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

LAKE = "s3://lake"
RUN = "20261123T060000Z-0123abcd"
FETCHED = {
    "dataset": "nsde", "run_id": RUN, "changed": True, "reason": "first run", "version": "2026-11-23",
    "source_sha256": "ab" * 32, "raw_path": f"{LAKE}/raw/nsde/sha256=abab",
    "jobs_path": f"{LAKE}/.work/nsde-{RUN}/jobs.json",
    "bronze_path": f"{LAKE}/.work/nsde-{RUN}/bronze", "silver_path": f"{LAKE}/.work/nsde-{RUN}/silver",
    "gold_path": None, "bronze_workers": 3, "silver_workers": 4, "gold_workers": None,
}  # fmt: skip
PUBLISHED = {
    "outcome": "published", "run_id": RUN, "sequence": 1, "version": "2026-11-23", "rows": 9, "reason": "first run"
}  # fmt: skip
RECORDED = {
    "dataset": "nsde", "run_id": RUN, "state": "?", "code": "gate", "reason": "too few rows", "hint": "accept it",
    "redrive": "pharmaetl run nsde --target aws",
}  # fmt: skip
TO_SILVER = ("Begin", "FetchAndHash", "Changed", "Bronze", "Silver")
TO_THE_END = (*TO_SILVER, "UpdateManifest", "Committed", "Crawl", "Published")
FAILURE = ("RecordFailure", "DeadLetter", "Notify", "Failed")


@dataclass
class Stages:
    """The bodies of functions and jobs: they note what they get, and do next what they were told."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    attempts: list[str] = field(default_factory=list)

    def told(self, stage: str) -> list[dict[str, Any]]:
        return [given for name, given in self.calls if name == stage]

    def function(self, usual: dict[str, dict[str, Any]]) -> Callable[[dict[str, Any]], Any]:
        return lambda event: self._answer(event.get("action", "fetch"), event, usual[event.get("action", "fetch")])

    def job(self, layer: str) -> Callable[[dict[str, str], str], None]:
        def body(arguments: dict[str, str], run_id: str) -> None:
            self._answer(layer, arguments, None)
            self.attempts.append(run_id)

        return body

    def _answer(self, stage: str, given: dict[str, Any], usual: Any) -> Any:
        self.calls.append((stage, given))
        answer = (self.answers.get(stage) or [usual]).pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer
