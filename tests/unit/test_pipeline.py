"""The one definition of a run: which steps, in which order."""

from __future__ import annotations

from configs import a_config, accepted

from pharmaetl.pipeline import (
    Crawl,
    Fetch,
    Gate,
    Publish,
    SkipIfUnchanged,
    SparkJob,
    Unpack,
    local_steps_for,
    steps_for,
)
from pharmaetl.run_options import RunOptions


def test_a_run_goes_from_fetch_to_publish_and_each_step_has_a_name() -> None:
    steps = steps_for(accepted(a_config(bronze_job_name="my-bronze", silver_job_name="my-silver")))

    assert steps == (
        Fetch("https://example.org/codes.zip"),
        SkipIfUnchanged(),
        Unpack(),
        SparkJob("bronze", "my-bronze"),
        SparkJob("silver", "my-silver"),
        Gate(),
        Publish(),
    )
    assert [step.name for step in steps] == [
        "fetch", "skip_if_unchanged", "unpack", "bronze", "silver", "gate", "publish",
    ]  # fmt: skip


def test_jobs_without_a_name_are_called_after_the_dataset() -> None:
    jobs = [step for step in steps_for(accepted(a_config())) if isinstance(step, SparkJob)]

    assert [(job.layer, job.job_name) for job in jobs] == [
        ("bronze", "codes-bronze-etl"),
        ("silver", "codes-silver-etl"),
    ]


def test_a_crawler_that_is_named_comes_after_publishing_and_only_where_there_are_crawlers() -> None:
    config = accepted(a_config(bronze_crawler_name="codes-crawler"))

    assert steps_for(config)[-2:] == (Publish(), Crawl("codes-crawler"))
    assert local_steps_for(config) == steps_for(config)[:-1]


def test_a_config_that_names_no_crawler_has_no_crawl() -> None:
    config = accepted(a_config())

    assert steps_for(config) == local_steps_for(config)


def test_gold_is_made_of_silver_before_the_gate_and_only_where_there_are_gold_tables() -> None:
    config = accepted(a_config(gold=[{"name": "mapping", "columns": [{"name": "ndc11"}]}]))

    assert local_steps_for(config)[4:] == (
        SparkJob("silver", "codes-silver-etl"),
        SparkJob("gold", "codes-gold-etl"),
        Gate(),
        Publish(),
    )
    assert "gold" not in [step.name for step in local_steps_for(accepted(a_config()))]


def test_the_same_config_gives_the_same_steps() -> None:
    assert steps_for(accepted(a_config())) == steps_for(accepted(a_config()))


def test_a_placeholder_in_the_url_stays_one() -> None:
    url = "https://example.org/a.zip?apiKey=${UMLS_API_KEY}"

    assert steps_for(accepted(a_config(source_url=url)))[0] == Fetch(url)


def test_a_run_without_options_forces_and_accepts_nothing() -> None:
    options = RunOptions()

    assert (options.source, options.force, options.until, options.sample) == (None, False, None, None)
    assert (options.accept_shrink, options.engine, options.master) == (None, "auto", None)
