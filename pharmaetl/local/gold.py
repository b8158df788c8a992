"""The gold step on this machine: each gold table of the config from the run's own silver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pharmaetl.config import jobspec
from pharmaetl.config.dataset_config import Table
from pharmaetl.errors import EngineError
from pharmaetl.lake.documents import GoldResult
from pharmaetl.local import quality as local_quality
from pharmaetl.local.exchange import exchange_of
from pharmaetl.local.state import GoldPart, Part, Run
from pharmaetl.quality.gate import TableFacts

if TYPE_CHECKING:
    from pharmaetl.spark.gold import Silver


def gold(run: Run) -> None:
    """Every gold table of the config, in its order: a function sees those before its own."""
    run.gold = []
    for table in run.dataset.config.gold:
        part = GoldPart(table.as_table())
        _gold_table(run, part)
        run.gold.append(part)
    account(run)
    exchange_of(run).clear()


def account(run: Run) -> None:
    """Say in the run's record what the step has written."""
    run.detail = ", ".join(f"{result.name}: {result.rows:,} rows" for result in results(run))


def results(run: Run) -> tuple[GoldResult, ...]:
    """What the run has written of each gold table so far."""
    made = [(part, part.facts) for part in run.gold if part.facts is not None]
    return tuple(GoldResult(name=part.table.name, rows=facts.rows, path=run.folder_of(part)) for part, facts in made)


def take_measures(part: GoldPart, measures: dict[str, Any]) -> None:
    """Keep what the job has counted of a table that it has written."""
    part.schema = measures["schema"]
    part.facts = TableFacts(part.table, measures)


def _gold_table(run: Run, part: GoldPart) -> None:
    from pharmaetl.spark import gold as spark_gold

    exchange, below = exchange_of(run), f"gold/{part.table.name}"
    job = spark_gold.GoldJob(
        name=part.table.name,
        silver=tuple(_given(run, table) for table in run.dataset.config.tables),
        gold=tuple(spark_gold.Silver(run.spec_of(other), _path(run, other)) for other in run.gold),
        gold_path=exchange.target(below),
        run_id=run.run_id,
        as_of=run.as_of.isoformat(),
        table=run.spec_of(part),
        transforms_path=str(run.dataset.transforms),
        released=run.release_date,
    )
    with local_quality.naming_rules(run, part), _naming(run, part):
        take_measures(part, spark_gold.gold(run.engine.session, job))
    if part.facts is not None and part.facts.rows:
        exchange.take_in(below, run.folder_of(part))


def _given(run: Run, table: Table) -> Silver:
    """A silver table of the config, whether the release has it or not."""
    from pharmaetl.spark import gold as spark_gold
    from pharmaetl.spark.spec import TableSpec

    part = next((part for part in run.parts if part.table.name == table.name), None)
    if part is None:
        return spark_gold.Silver(TableSpec.from_json(jobspec.table_spec(table, run.as_of)), None)
    return spark_gold.Silver(run.spec_of(part).kept(tuple(part.schema)), _path(run, part))


def _path(run: Run, part: Part | GoldPart) -> str | None:
    """Where the engine reads a table that was made before; None where it has no rows, so that there is no file."""
    return local_quality.readable(run, part) if part.facts and part.facts.rows else None


@contextmanager
def _naming(run: Run, part: GoldPart) -> Iterator[None]:
    """Say of which table it was that the engine refuses or dies."""
    try:
        with run.engine.speaking():
            yield
    except EngineError as error:
        raise EngineError(f"gold table {part.table.name}: {error.reason}", hint=error.hint) from error
