"""A config's rules as rulesets of AWS Glue's Data Quality Definition Language (DQDL), one for each table.

A rule that DQDL can't say, or would understand otherwise, becomes a comment with the reason. Where it has no rule type
of its own for one, CustomSql computes the same share. Two differences shape the text: DQDL's `between` excludes both
limits, and its rules about values count a null as a violation, which ours don't.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from pharmaetl.errors import UsageError

if TYPE_CHECKING:
    from pharmaetl.config.column import ColumnType
    from pharmaetl.config.dataset_config import DatasetConfig, Rule, Table
    from pharmaetl.config.rule import Bound

_LAKE_COLUMNS = 2
"""record_hash and meta_run_id, which silver and gold have beside the config's columns."""
_SMALLEST = Decimal("0.00000001")


@dataclass(frozen=True)
class Ruleset:
    """The rules of one table as DQDL text."""

    table: str
    text: str


def rulesets(config: DatasetConfig, table: str | None = None) -> tuple[Ruleset, ...]:
    """The ruleset of one table, or of all, gold's last; UsageError for a table that the dataset doesn't have."""
    gold = [known.as_table() for known in config.gold]
    tables = [*config.tables, *gold]
    names = [known.name for known in tables]
    if table is not None and table not in names:
        raise UsageError(f"{config.dataset} has no table {table!r}", hint=f"tables: {', '.join(names)}")
    chosen = [known for known in tables if table in {None, known.name}]
    return tuple(Ruleset(known.name, _document(config, known, is_gold=known in gold)) for known in chosen)


def _document(config: DatasetConfig, table: Table, *, is_gold: bool) -> str:
    limits = config.data_quality
    kind = "gold table" if is_gold else "table"
    lines = [f"# {config.dataset}, {kind} {table.name}: the rules of its config", "Rules = ["]
    rules = [("warn" if is_gold else "fail", "RowCount > 0")]
    for column in table.columns:
        if column.name in limits.required_columns:
            share = _number(1 - Decimal(str(limits.critical_null_threshold)))
            rules.append(("fail", f"Completeness {_quoted(column.name)} >= {share}"))
    said = [(rule, _rule(rule, table)) for rule in table.quality]
    rules += [(_severity(rule), text) for rule, text in said if not text.startswith("#")]
    for number, (severity, text) in enumerate(rules, start=1):
        lines += [f"    # {severity}", f"    {text}{',' if number < len(rules) else ''}"]
    lines.append("]")
    left_out = [text for _, text in said if text.startswith("#")]
    return "\n".join([*lines, *(["# not in DQDL:"] if left_out else []), *left_out]) + "\n"


def _severity(rule: Rule) -> str:
    return rule.severity + (f", below {rule.fail_below} fail" if rule.fail_below is not None else "")


def _rule(rule: Rule, table: Table) -> str:
    """A rule in DQDL, or a comment."""
    if rule.rule == "ColumnValues":
        return _values(rule, next(column.type for column in table.columns if column.name == rule.column))
    return _WRITERS[rule.rule](rule)


def _complete(rule: Rule) -> str:
    column = _quoted(rule.column or "")
    if rule.threshold == 1.0:
        return f"IsComplete {column}{_where(rule.where)}"
    return f"Completeness {column} >= {_number(rule.threshold)}{_where(rule.where)}"


def _unique(rule: Rule) -> str:
    if len(rule.subject) > 1:
        copies = _select("count(*) as copies", f"{_filled(rule)} group by {', '.join(rule.subject)}")
        share = "coalesce(sum(case when copies = 1 then 1 else 0 end) / sum(copies), 1D)"
        return f"CustomSql {_quoted(_select(share, None, source=f'({copies})'))} >= {_number(rule.threshold)}"
    column, where = _quoted(rule.subject[0]), _where(_filled(rule))
    if rule.threshold == 1.0:
        return f"IsUnique {column}{where}"
    return f"Uniqueness {column} >= {_number(rule.threshold)}{where}"


def _count(rule: Rule) -> str:
    more = _LAKE_COLUMNS if rule.rule == "ColumnCount" else 0
    column = f" {_quoted(rule.column)}" if rule.column else ""
    return f"{rule.rule}{column} {_between(rule, more)}{_where(rule.where)}"


def _between(rule: Rule, more: int = 0) -> str:
    low, high = rule.between or (0, 0)
    return f"between {int(low) + more - 1} and {int(high) + more + 1}"


def _values(rule: Rule, kind: ColumnType) -> str:
    column = _quoted(rule.column or "")
    where, threshold = _where(_filled(rule)), _with_threshold(rule)
    if rule.matches is not None:
        return f"ColumnValues {column} matches {_quoted(f'^(?:{rule.matches})$')}{where}{threshold}"
    if rule.values and kind in {"decimal", "boolean"}:
        return _share(rule, f"{rule.column} not in ({', '.join(rule.values)})")
    if rule.values:
        allowed = ",".join(value if kind == "integer" else _quoted(value) for value in rule.values)
        return f"ColumnValues {column} in [{allowed}]{where}{threshold}"
    low, high = rule.between or ("", "")
    if kind in {"string", "ndc11"}:
        return _share(rule, f"{rule.column} not between {_sql_text(low)} and {_sql_text(high)}")
    if kind == "date":
        from pharmaetl.quality.dqdl_dates import after, before

        limits = f"{before(str(low))} and {after(str(high))}"
    else:
        step = 1 if kind == "integer" else _SMALLEST
        limits = f"{_number(_decimal(low) - step)} and {_number(_decimal(high) + step)}"
    return f"ColumnValues {column} between {limits}{where}{threshold}"


def _length(rule: Rule) -> str:
    low, high = rule.between or (0, 0)
    if rule.threshold < 1.0:
        return _share(rule, f"length({rule.column}) not between {low} and {high}")
    return f"ColumnLength {_quoted(rule.column or '')} {_between(rule)}{_where(_filled(rule))}"


def _reference(rule: Rule) -> str:
    wanted = rule.references
    if wanted is None or rule.where:
        return f"# ReferentialIntegrity {','.join(rule.subject)}: DQDL's takes no where clause ({rule.where})"
    others = wanted.columns[0] if len(wanted.columns) == 1 else f"{{{','.join(wanted.columns)}}}"
    named = f"{_quoted(','.join(rule.subject))} {_quoted(f'{wanted.table}.{others}')}"
    return f"ReferentialIntegrity {named} >= {_number(rule.threshold)}"


def _freshness(rule: Rule) -> str:
    if rule.column is None:
        return "# DataFreshness of the release: its date is not in the table"
    scope = f"{rule.column} <= current_date()" + (f" and ({rule.where})" if rule.where else "")
    query = _select(f"datediff(current_date(), max({rule.column}))", scope)
    return f"CustomSql {_quoted(query)} <= {rule.max_age_days}"


def _change(rule: Rule) -> str:
    about = f" {rule.column}" if rule.column else ""
    return f"# {rule.rule}{about}: DQDL doesn't know the publish log; the nearest is DetectAnomalies"


_WRITERS: Mapping[str, Callable[[Rule], str]] = {
    "IsComplete": _complete,
    "Completeness": _complete,
    "IsUnique": _unique,
    "Uniqueness": _unique,
    "ColumnLength": _length,
    "ColumnOrder": lambda rule: _share(rule, f"{rule.columns[1]} < {rule.columns[0]}"),
    "CustomSql": lambda rule: _share(rule, f"not ({rule.condition})"),
    "RowCount": _count,
    "ColumnCount": _count,
    "DistinctValuesCount": _count,
    "ReferentialIntegrity": _reference,
    "DataFreshness": _freshness,
    "SchemaMatch": lambda _: "# SchemaMatch: DQDL compares with a reference dataset, not with a config",
    "RowCountChange": _change,
    "NullShareChange": _change,
    "DistinctCountChange": _change,
}


def _share(rule: Rule, broken: str) -> str:
    """The share of complying rows, by SQL; a null complies."""
    query = _select(f"coalesce(avg(case when {broken} then 0D else 1D end), 1D)", rule.where)
    return f"CustomSql {_quoted(query)} >= {_number(rule.threshold)}"


def _select(what: str, where: str | None, *, source: str = "primary") -> str:
    """A query; `primary` is what DQDL calls the table that is checked."""
    return " ".join(("select", what, "from", source, *(("where", where) if where else ())))


def _filled(rule: Rule) -> str:
    conditions = [f"{name} is not null" for name in rule.subject]
    return " and ".join([*conditions, *([f"({rule.where})"] if rule.where else [])])


def _where(condition: str | None) -> str:
    return f" where {_quoted(condition)}" if condition else ""


def _with_threshold(rule: Rule) -> str:
    return "" if rule.threshold == 1.0 else f" with threshold >= {_number(rule.threshold)}"


def _quoted(text: str) -> str:
    """A DQDL string: a quote mark in it is escaped, everything else stands for itself."""
    return '"' + " ".join(text.splitlines()).replace('"', '\\"') + '"'


def _sql_text(value: Bound) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _decimal(value: Bound) -> Decimal:
    return Decimal(str(value))


def _number(value: float | Decimal) -> str:
    """A number without exponent, which DQDL's grammar lacks."""
    return f"{Decimal(str(value)):f}"
