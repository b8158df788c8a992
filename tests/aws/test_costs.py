"""What a run costs: workers, units, seconds and the price, with the sums of the documentation."""

from __future__ import annotations

import pytest

from pharmaetl.aws import costs
from pharmaetl.catalog import Dataset, shipped
from pharmaetl.config.dataset_config import GoldColumn, GoldTable
from pharmaetl.lake.documents import Member, RunRecord, Source, StepResult

NSDE = Dataset(shipped() / "fda" / "nsde").config


def record(bronze: float, silver: float, *, process: str = "arn:aws:states:x", outcome: str = "published") -> RunRecord:
    return RunRecord.model_validate({
        "dataset": "nsde", "run_id": "r", "outcome": outcome, "source": Source(url="u"), "started_at": "",
        "process": process,
        "steps": (StepResult(name="bronze", outcome="done", seconds=bronze),
                  StepResult(name="silver", outcome="done", seconds=silver)),
    })  # fmt: skip


def test_ten_small_workers_cost_four_dollars_forty_an_hour() -> None:
    assert costs.dollars(10, 1, 3600) == pytest.approx(4.40)
    assert costs.estimate(NSDE, ()).jobs[0].dollars_an_hour == pytest.approx(4.40)


def test_a_short_job_is_charged_for_a_minute() -> None:
    assert costs.dollars(10, 1, 3) == pytest.approx(10 / 60 * 0.44)


def test_past_runs_on_aws_decide_and_local_or_failed_ones_do_not() -> None:
    past = [
        record(100, 200), record(120, 240), record(110, 220), record(1, 1, process="laptop:17"),
        record(9000, 9000, outcome="failed"),
    ]  # fmt: skip

    cost = costs.estimate(NSDE, past)

    assert [(job.workers, job.seconds) for job in cost.jobs] == [(2, 110), (2, 220)]
    assert cost.past_runs == 3
    assert cost.dpu_seconds == 2 * 330
    assert cost.dollars == pytest.approx(2 * 330 / 3600 * 0.44)
    assert cost.dollars_a_month == pytest.approx(cost.dollars * 30.4)


def test_a_gold_job_is_one_more_to_pay_for() -> None:
    table = GoldTable(name="drug_forms", columns=(GoldColumn(name="dosage_form"),))

    cost = costs.estimate(NSDE.model_copy(update={"gold": (table,)}), [record(60, 90)])

    assert [(job.layer, job.workers, job.seconds) for job in cost.jobs] == [
        ("bronze", 2, 60), ("silver", 2, 90), ("gold", 2, None),
    ]  # fmt: skip
    assert cost.dpu_seconds == 2 * (60 + 90 + 60)


def test_a_large_source_has_more_workers_and_before_the_first_run_as_many_as_the_config_allows() -> None:
    large = Source(url="u", members=(Member(name="a", bytes=3 * 1024**3, sha256=""),))

    after = costs.estimate(NSDE, [record(60, 60).model_copy(update={"source": large})])

    assert [job.workers for job in costs.estimate(NSDE, ()).jobs] == [10, 10]
    assert [job.workers for job in after.jobs] == [4, 7]
    assert after.why == "by the newest run's 3,221 MB of text; 2 at least, 10 by the config"
    assert costs.estimate(NSDE, ()).why == "as many as the config allows, until a first run says how much text there is"
