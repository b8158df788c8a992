"""The Glue jobs: every table of one layer, in one session, from the job document that the run has left.

Arguments, all of them text. Bronze: --raw_path --jobs_path --bronze_path --run_id; silver: --bronze_path (with the
attempt to read) --silver_path --jobs_path --run_id; gold: --silver_path (with the attempt to read) --gold_path
--jobs_path --run_id. Glue itself adds --JOB_RUN_ID, which names the attempt; a start by hand may give --attempt.

A job writes below `<layer>_path/attempt=<id>/<table>` and nowhere else, so that two attempts of one run never meet, and
last of all `report/`: one line of JSON with what was counted, without which the attempt counts for nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections.abc import Sequence
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pharmaetl.errors import ConfigError, ConflictError, PharmaetlError
from pharmaetl.spark import conditions, gold, jobs, session
from pharmaetl.spark.spec import TableSpec

ARGUMENTS = {
    "bronze": ("raw_path", "jobs_path", "bronze_path", "run_id"),
    "silver": ("bronze_path", "silver_path", "jobs_path", "run_id"),
    "gold": ("silver_path", "gold_path", "jobs_path", "run_id"),
}

_OF_WHOLE_TABLES = frozenset({"DistinctValuesCount", "DistinctCountChange"})
"""Rules about repeated values of which no single row could be shown."""


def main(layer: str) -> None:
    """Run a layer's job with this process's arguments, on the session that Glue or a local Spark gives.

    Says how it ended in one line of JSON on standard output, which Glue passes on to CloudWatch.
    """
    spark = SparkSession.builder.appName(f"pharmaetl {layer}").getOrCreate()
    try:
        attempt = run(session.configure(spark), layer, sys.argv)
        _log("INFO", f"{layer} done", attempt=attempt)
    except PharmaetlError as error:
        _log("ERROR", error.reason, error=type(error).__name__, hint=error.hint)
        raise
    finally:
        spark.stop()


def _log(level: str, message: str, **more: str) -> None:
    said = {"level": level, "message": message, "service": "pharmaetl", **more}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def run(spark: SparkSession, layer: str, argv: Sequence[str]) -> str:
    """Run a layer's job; returns where the attempt has written. ConflictError for a document of another run."""
    begun = time.monotonic()
    given = arguments(layer, argv)
    document = _document(spark, given["jobs_path"])
    if document["run_id"] != given["run_id"] or document["raw_path"] != given.get("raw_path", document["raw_path"]):
        raise ConflictError(f"{given['jobs_path']} is of run {document['run_id']}, not of {given['run_id']}")
    target = f"{given[f'{layer}_path']}/attempt={given['attempt']}"
    report = _LAYERS[layer](spark, document, given, target)
    seconds = round(time.monotonic() - begun, 3)
    known = {"run_id": given["run_id"], "attempt": given["attempt"], "spark": spark.version, "seconds": seconds}
    _write_report(spark, f"{target}/report", {**known, **report})
    return target


def arguments(layer: str, argv: Sequence[str]) -> dict[str, str]:
    """The job's arguments by name, with `attempt`; read by Glue's own function where that is installed."""
    names = ARGUMENTS[layer]
    own = argparse.ArgumentParser(allow_abbrev=False)
    own.add_argument("--attempt")
    own.add_argument("--JOB_RUN_ID")
    found, rest = own.parse_known_args(list(argv[1:]))
    attempt = found.JOB_RUN_ID or found.attempt or f"local-{uuid.uuid4().hex}"
    try:
        from awsglue.utils import getResolvedOptions
    except ImportError:
        parser = argparse.ArgumentParser(allow_abbrev=False)
        for name in names:
            parser.add_argument(f"--{name}", required=True)
        options = vars(parser.parse_known_args(rest)[0])
    else:
        options = getResolvedOptions([argv[0], *rest], list(names))
    return {**{name: str(options[name]).rstrip("/") for name in names}, "attempt": attempt}


def _bronze(spark: SparkSession, document: dict[str, Any], given: dict[str, str], target: str) -> dict[str, Any]:
    for table in document["tables"]:
        job = jobs.BronzeJob(
            records_path=table["records_path"],
            bronze_path=f"{target}/{table['name']}",
            run_id=given["run_id"],
            names=tuple(table["names"]),
            rows=table["rows"],
            source_sha256=document["source_sha256"],
            source_file=table["source_file"],
            line_breaks=table["line_breaks"],
        )
        jobs.bronze(spark, job)
    return {"tables": {table["name"]: {"rows": table["rows"]} for table in document["tables"]}}


def _silver(spark: SparkSession, document: dict[str, Any], given: dict[str, str], target: str) -> dict[str, Any]:
    _refuse_unsound(spark, document, "tables")
    tables = {}
    for table in document["tables"]:
        place = f"{target}/{table['name']}"
        job = jobs.SilverJob(
            bronze_path=f"{given['bronze_path']}/{table['name']}",
            silver_path=f"{place}/silver",
            kept_path=f"{place}/kept",
            quarantine_path=f"{place}/quarantine",
            run_id=given["run_id"],
            rows=table["rows"],
            source_sha256=document["source_sha256"],
            source_file=table["source_file"],
            table=TableSpec.from_json(table["spec"]),
            rejects_path=table["rejects_path"],
            transforms_path=document["transforms"],
        )
        tables[table["name"]] = jobs.silver(spark, job)
    _measure_together(spark, _written_silver(document, tables, target), tables)
    return {"bronze_path": given["bronze_path"], "tables": tables}


def _gold(spark: SparkSession, document: dict[str, Any], given: dict[str, str], target: str) -> dict[str, Any]:
    """Each gold table from the silver of one attempt, as that attempt's report tells of it, and the ones before it."""
    if document["transforms"] is None:
        raise ConfigError(f"{document['dataset']} has gold tables and no transforms.py", hint="deploy it with one")
    _refuse_unsound(spark, document, "gold")
    report = _document(spark, f"{given['silver_path']}/report")
    if report["run_id"] != given["run_id"]:
        raise ConflictError(f"{given['silver_path']} is of run {report['run_id']}, not of {given['run_id']}")
    silver = _written_silver(document, report["tables"], given["silver_path"])
    absent = tuple(gold.Silver(TableSpec.from_json(spec), None) for spec in document["absent"])
    made: list[jobs.Written] = []
    tables = {}
    for table in document["gold"]:
        job = gold.GoldJob(
            name=table["name"],
            silver=(*map(_given, silver), *absent),
            gold=tuple(map(_given, made)),
            gold_path=f"{target}/{table['name']}",
            run_id=given["run_id"],
            as_of=document["as_of"],
            released=document["released"],
            table=TableSpec.from_json(table["spec"]),
            transforms_path=document["transforms"],
        )
        tables[table["name"]] = gold.gold(spark, job)
        made.append(jobs.Written(job.gold_path, job.table, tables[table["name"]]["rows"]))
    _measure_together(spark, made, tables, silver)
    return {"silver_path": given["silver_path"], "tables": tables}


_LAYERS = {"bronze": _bronze, "silver": _silver, "gold": _gold}


def _written_silver(document: dict[str, Any], counts: dict[str, Any], place: str) -> list[jobs.Written]:
    """The silver tables below the place of an attempt, with the columns that were written."""
    found = []
    for table in document["tables"]:
        name, counted = table["name"], counts[table["name"]]
        spec = TableSpec.from_json(table["spec"]).kept(list(counted["schema"]))
        found.append(jobs.Written(f"{place}/{name}/silver", spec, counted["rows"]))
    return found


def _given(table: jobs.Written) -> gold.Silver:
    """A table as a gold function gets it: where it has no rows, there may be no file."""
    return gold.Silver(table.table, table.path if table.rows else None)


def _measure_together(
    spark: SparkSession, written: Sequence[jobs.Written], counts: dict[str, Any], others: Sequence[jobs.Written] = ()
) -> None:
    """What lies between tables, and rows that break rules: the gate has no engine to ask for them later."""
    orphans = jobs.orphans_of_all(spark, written, others)
    paths = {table.table.name: table.path for table in (*written, *others)}
    for table in written:
        name, spec = table.table.name, table.table
        counts[name]["references"] = orphans[name]
        counts[name]["samples"] = {
            str(index): jobs.sample(spark, table.path, spec, index, paths.get(spec.rules[index].parent or ""))
            for index in _broken(spec, counts[name])
        }


def _broken(table: TableSpec, counts: dict[str, Any]) -> list[int]:
    """Indexes of the rules that some rows break; which of them the gate minds, it decides later."""
    found = []
    for index, rule in enumerate(table.rules):
        row, key, parent = (counts[kind].get(str(index), {}) for kind in ("rules", "keys", "references"))
        repeated = key.get("rows") if rule.rule not in _OF_WHOLE_TABLES else 0
        if row.get("broken") or repeated or parent.get("broken"):
            found.append(index)
    return found


def _refuse_unsound(spark: SparkSession, document: dict[str, Any], tables: str) -> None:
    """SQL of a rule that the engine refuses is a mistake in the config: it is named before anything is computed."""
    for table in document[tables]:
        spec = TableSpec.from_json(table["spec"])
        if any(rule.where or rule.condition for rule in spec.rules):
            for index, key, reason in conditions.refused(spark, spec):
                rule = f"rule {index + 1} ({spec.rules[index].rule}), {key}"
                raise ConfigError(f"{document['dataset']}: table {spec.name}, {rule}: the engine refuses it: {reason}")


def _document(spark: SparkSession, path: str) -> dict[str, Any]:
    """A JSON document on one line, read by the engine, which knows every storage that it works on."""
    found: dict[str, Any] = json.loads("".join(row.value for row in spark.read.text(path).collect()))
    return found


def _write_report(spark: SparkSession, path: str, report: dict[str, Any]) -> None:
    line = spark.range(1).select(F.lit(json.dumps(report)).alias("value"))
    line.coalesce(1).write.text(path)
