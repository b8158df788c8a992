"""The transforms between the layers, DataFrame in and DataFrame out: no files, no counts, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pharmaetl.spark import rules
from pharmaetl.spark.columns import (
    FIELD_SEPARATOR,
    NULL_MARKER,
    TYPED,
    digits_of_codes,
    kinds_of_codes,
    record_hash,
    tidy,
    typed,
    unreadable,
)
from pharmaetl.spark.dialect import F, Window
from pharmaetl.spark.spec import TableSpec

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

LINE, RUN_ID, SOURCE_SHA256, SOURCE_FILE, RECORD_HASH = (
    "meta_line",
    "meta_run_id",
    "meta_source_sha256",
    "meta_source_file",
    "record_hash",
)
FINDINGS = "meta_findings"
TWIN = "meta_twin"
_SERVED, _WHY = "meta_served_", "meta_why_"
_REFUSED = "refused"
_FINDING = frozenset({"rule", "column", "value", "raw"})
"""Quarantine's own columns."""


def bronze(records: DataFrame, *, run_id: str, source_sha256: str, source_file: str, line_breaks: bool) -> DataFrame:
    """Every value as served, as text, with the line it stands on and where it came from.

    `line_breaks`: some quoted values hold line breaks, which the splitter wrote as 0x1D (CR) and 0x1E (LF).
    """
    names = [name for name in records.columns if name != LINE]
    values = [
        F.translate(F.col(name), "\x1d\x1e", "\r\n").alias(name) if line_breaks else F.col(name) for name in names
    ]
    origin = [
        F.lit(source_file).alias(SOURCE_FILE),
        F.lit(source_sha256).alias(SOURCE_SHA256),
        F.lit(run_id).alias(RUN_ID),
    ]
    return records.select(*values, F.col(LINE), *origin)


def complete(bronze_rows: DataFrame, table: TableSpec) -> DataFrame:
    """Bronze with every column that silver reads; those that this release lacks are null."""
    missing = [c.name for c in table.columns if c.derived is None and c.name not in bronze_rows.columns]
    return bronze_rows.select("*", *[F.lit(None).cast("string").alias(name) for name in missing])


def judged(bronze_rows: DataFrame, table: TableSpec, trimmed: frozenset[str] = frozenset()) -> DataFrame:
    """Silver's typed columns, with what is wrong with each row: meta_line, meta_findings (0x1E between them, or '').

    `trimmed`: columns known to have no outer blanks and no empty values.

    Whoever needs it more than once writes it to a file and reads that: to an engine each use of an expression is new
    work, and these are the dear ones.
    """
    names = [name for name in bronze_rows.columns if not name.startswith("meta_")]
    served = [F.col(name).alias(_SERVED + name) for name in names]
    # tidied in a select of its own, so that what is computed from a value doesn't tidy it anew at each mention
    texts = [F.col(name) if name in trimmed else tidy(name).alias(name) for name in names]
    tidied = bronze_rows.select(*texts, F.col(LINE), *served)
    # … and so on: what several expressions need is a column of the select before
    digits = tidied.select("*", *digits_of_codes(table.columns))
    known = digits.select("*", *kinds_of_codes(table.columns))
    read = known.select("*", *[typed(column).alias(TYPED + column.name) for column in table.columns])
    whys = [(column.name, unreadable(column)) for column in table.columns]
    explained = read.select(
        *[F.col(TYPED + column.name).alias(column.name) for column in table.columns],
        F.col(LINE),
        *[_SERVED + name for name in names],
        *[why.alias(_WHY + name) for name, why in whys if why is not None],
    )
    found = _findings(table)
    said = F.concat_ws(NULL_MARKER, *[finding.text() for finding in found]) if found else F.lit("")
    return explained.select(*table.names, LINE, said.alias(FINDINGS))


@dataclass(frozen=True)
class _Finding:
    """One thing that can be wrong with a row: the rule's name where it is, null where it isn't."""

    rule: Column
    column: str
    value: Column
    refuses: bool

    def text(self) -> Column:
        """`rule 0x1F column 0x1F refused 0x1F value`; null where nothing is wrong."""
        fixed = F.lit(FIELD_SEPARATOR + FIELD_SEPARATOR.join((self.column, _REFUSED if self.refuses else "", "")))
        text = F.concat(self.rule, fixed, F.coalesce(self.value, F.lit("")))
        return F.when(self.rule.isNotNull(), text)


def _findings(table: TableSpec) -> list[_Finding]:
    """What can be wrong with a judged row, what refuses it first."""
    found = [
        _Finding(F.col(_WHY + column.name), column.name, F.col(_SERVED + (column.source or column.name)), column.refuse)
        for column in table.columns
        if unreadable(column) is not None
    ]
    for rule in table.rules:
        if rule.quarantine:
            name = ",".join(rule.subject)
            value = F.col(rule.subject[-1]).cast("string") if rule.subject else _nothing()
            found.append(_Finding(F.when(rules.broken(rule, table), F.lit(rule.rule)), name, value, True))
    return sorted(found, key=lambda finding: not finding.refuses)


def _nothing() -> Column:
    return F.lit(None).cast("string")


def accepted(judged_rows: DataFrame) -> DataFrame:
    """The rows that silver publishes, exact duplicates still among them."""
    return judged_rows.where(F.coalesce(_first()[2], F.lit("")) != _REFUSED).drop(FINDINGS)


def findings_by_rule(judged_rows: DataFrame) -> DataFrame:
    """How often each rule was broken: rule, column, refused (text), rows, line (the first one).

    What is wrong with a row that is refused for something else is not counted: none of its values is published.
    """
    found = judged_rows.where(F.col(FINDINGS) != "")
    split = F.explode(F.split(FINDINGS, NULL_MARKER)).alias("finding")
    each = found.select(split, LINE, _first()[2].alias("row_refused"))
    parts = F.split("finding", FIELD_SEPARATOR)
    named = each.select(
        parts[0].alias("rule"), parts[1].alias("column"), parts[2].alias("refused"), LINE, "row_refused"
    )
    counted = named.where(F.col("refused") == F.col("row_refused"))
    return counted.groupBy("rule", "column", "refused").agg(F.count(LINE).alias("rows"), F.min(LINE).alias("line"))


def refused(judged_rows: DataFrame, bronze_rows: DataFrame) -> DataFrame:
    """The rows that stay out of silver, with rule, column and value of their first finding, and as served.

    `bronze_rows`: those that were judged; a line of the source names one.
    """
    first = _first()
    parts = [first[0].alias("rule"), first[1].alias("column"), first[3].alias("value")]
    out = judged_rows.where(F.col(FINDINGS) != "").where(first[2] == _REFUSED).select(LINE, *parts)
    names = [name for name in bronze_rows.columns if not name.startswith("meta_")]
    served = bronze_rows.select(F.col(LINE), F.struct(*names).alias("served"))
    return served.join(F.broadcast(out), LINE, "inner").select(LINE, "rule", "column", "value", "served")


def _first() -> Column:
    """The parts of a row's first finding; findings that refuse stand before others."""
    # the cast changes nothing but Sail's mind: its split takes no result of its substring_index
    return F.split(F.substring_index(FINDINGS, NULL_MARKER, 1).cast("string"), FIELD_SEPARATOR)


def quarantine(refused_rows: DataFrame) -> DataFrame:
    """The refused rows as served, with rule and source line; `raw` is for records that could not be split.

    A column of the source that is called as one of these four is `served_<name>` here.
    """
    names = refused_rows.select("served.*").columns
    served = [F.col(f"served.{name}").alias(f"served_{name}" if name in _FINDING else name) for name in names]
    return refused_rows.select(LINE, "rule", "column", "value", _nothing().alias("raw"), *served)


def malformed(rejects: DataFrame, like: DataFrame) -> DataFrame:
    """Records that the splitter refused, in the columns of `quarantine`: their text stands in `raw`."""
    known = {LINE, "rule", "raw"}
    return rejects.select(*[F.col(name) if name in known else _nothing().alias(name) for name in like.columns])


def with_origin(rows: DataFrame, *, run_id: str, source_sha256: str, source_file: str) -> DataFrame:
    """Adds where the rows came from: meta_source_file, meta_source_sha256, meta_run_id."""
    origin = ((SOURCE_FILE, source_file), (SOURCE_SHA256, source_sha256), (RUN_ID, run_id))
    return rows.select("*", *[F.lit(value).alias(name) for name, value in origin])


def with_twins(rows: DataFrame, *names: str) -> DataFrame:
    """A 64-bit hash of some columns, else of record_hash, which rows share that have the same values there.

    Others may, too: it says where to look.
    """
    return rows.withColumn(TWIN, F.xxhash64(*(names or (RECORD_HASH,))))


def twins(rows: DataFrame, about: int) -> DataFrame:
    """The hashes that more than one row has: a narrow aggregate, far cheaper than dropDuplicates on whole rows."""
    found = sorted_twins(rows, about)
    if found is not None:
        return found[0]
    return rows.groupBy(TWIN).agg(F.count("*").alias("copies")).where("copies > 1").select(TWIN)


def sorted_twins(rows: DataFrame, about: int) -> tuple[DataFrame, int] | None:
    """The same, and how many rows there are, by an engine that sorts hashes; None by others, or if it doesn't pay.

    `about`: of how many rows to think.
    """
    shared = getattr(rows, "shared", None)
    found: tuple[DataFrame, int] | None = shared(TWIN, about) if shared is not None else None
    return found


def seen(rows: DataFrame) -> DataFrame:
    """What to remember of rows that were published: their twins."""
    return rows.select(TWIN)


def again(seen: DataFrame, rows: DataFrame) -> DataFrame:
    """Of what is remembered, that which stands among these rows too."""
    return seen.join(rows.select(TWIN), TWIN, "left_semi").distinct()


def with_twin_in(rows: DataFrame, twins: DataFrame) -> DataFrame:
    """The rows with one of these twins."""
    return rows.join(twins, TWIN, "left_semi")


def without_twin_in(rows: DataFrame, twins: DataFrame) -> DataFrame:
    """The rows with none of these twins."""
    return rows.join(twins, TWIN, "left_anti")


def repetitions(
    rows: DataFrame, doubled: DataFrame, names: tuple[str, ...], before: DataFrame | None = None
) -> DataFrame:
    """The source lines of rows that stand further up already: of equal rows, all but the first.

    Equal are rows with the same values in the columns `names`; their hashes say no more than where to look.
    `doubled`: the twins to look at, worked out, so that an engine knows that it is the small side of the join.
    `before`: published rows, each of which stands before all of these.
    """
    suspects = rows.select(TWIN, *names, LINE).join(doubled, TWIN, "left_semi").select(*names, LINE)
    if before is not None:
        suspects = suspects.unionByName(before.select(*names, F.lit(0).cast("bigint").alias(LINE)))
    copies = suspects.withColumn("meta_copy", F.row_number().over(Window.partitionBy(*names).orderBy(LINE)))
    return copies.where("meta_copy > 1").select(LINE)


def without(rows: DataFrame, lines: DataFrame) -> DataFrame:
    """The rows that stand on none of these source lines. `lines`: worked out, as for `repetitions`."""
    return rows.join(lines, LINE, "left_anti")


def with_record_hash(rows: DataFrame, names: tuple[str, ...]) -> DataFrame:
    """Adds record_hash over the business columns."""
    decimals = frozenset(name for name, kind in rows.dtypes if kind.startswith("decimal"))
    return rows.withColumn(RECORD_HASH, record_hash(list(names), decimals))


def silver(rows: DataFrame, names: tuple[str, ...], run_id: str) -> DataFrame:
    """The published shape: business columns, record_hash, meta_run_id."""
    return rows.select(*names, RECORD_HASH, F.lit(run_id).alias(RUN_ID))
