"""Rules about how far a figure may be from what it was: RowCountChange, NullShareChange, DistinctCountChange.

Two comparisons. With the current version: a change of more than `max_change` breaks the rule. And once eight versions
are published, with all of them: a figure that is further from their median than 3.5 robust standard deviations (1.4826
times the median absolute deviation; at least 1 % of the median) is unusual, which is a warning and never a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pharmaetl.config.dataset_config import Rule
from pharmaetl.lake.documents import Check, Figures
from pharmaetl.quality.tablefacts import Background, Outcome, TableFacts

ENOUGH_VERSIONS = 8
"""From this many published versions on their spread says what is usual."""
MAX_DEVIATIONS = 3.5
_TO_SIGMA = 1.4826
"""The median absolute deviation of a normal distribution, times this, is its standard deviation."""
_LEAST_SPREAD = 0.01
_SMALLEST = {"NullShareChange": 0.01}
"""What a smaller figure counts as, so that a change from nothing is a number: 1 % for shares, 1 for counts."""


@dataclass(frozen=True)
class Series:
    """A figure over time; None where a version doesn't tell it."""

    now: float | None
    before: float | None
    past: tuple[float, ...]


def check(rule: Rule, facts: TableFacts, background: Background) -> Check:
    """What a rule about changes says of this run; without an earlier figure it passes, and says so."""
    column = rule.column or ""
    series = _series(rule, facts, background)
    change = outcome = None
    if background.sampled:
        reason = "not checked: a sample is no version"
    elif series.now is None or series.before is None:
        reason = "nothing to compare with: no version with this figure is published"
    else:
        change = abs(series.now - series.before) / max(series.before, _SMALLEST.get(rule.rule, 1.0))
        outcome, reason = _verdict(rule, series, change)
    return Check(
        name=rule.rule,
        table=facts.table.name,
        column=column or None,
        outcome=outcome or "pass",
        value=None if change is None else round(change, 6),
        threshold=rule.max_change,
        reason=reason,
    )


def _verdict(rule: Rule, series: Series, change: float) -> tuple[Outcome, str]:
    now, before = series.now or 0.0, series.before or 0.0
    if change > (rule.max_change or 0.0):
        return rule.severity, f"{_said(rule, now)} where {_said(rule, before)} is published"
    if len(series.past) >= ENOUGH_VERSIONS and _is_unusual(now, series.past, _SMALLEST.get(rule.rule, 1.0)):
        middle = _said(rule, median(series.past))
        return "warn", f"{_said(rule, now)} is unusual: the median of {len(series.past)} versions is {middle}"
    return "pass", ""


def _is_unusual(now: float, past: Sequence[float], smallest: float) -> bool:
    middle = median(past)
    spread = _TO_SIGMA * median(abs(value - middle) for value in past)
    return abs(now - middle) > max(MAX_DEVIATIONS * spread, _LEAST_SPREAD * max(middle, smallest))


def _said(rule: Rule, figure: float) -> str:
    return f"{figure:.4%} nulls" if rule.rule == "NullShareChange" else f"{figure:,.10g}"


def _series(rule: Rule, facts: TableFacts, background: Background) -> Series:
    name = facts.table.name
    before = background.before(name)
    past = [_figure(rule, version.rows, version.figures) for version in background.past.get(name, ())]
    return Series(
        now=_figure(rule, facts.rows, facts.figures()),
        before=None if before is None else _figure(rule, before.rows, before.figures),
        past=tuple(figure for figure in past if figure is not None),
    )


def _figure(rule: Rule, rows: int, figures: dict[str, Figures]) -> float | None:
    """What the rule is about, of one version of a table; None where that version doesn't tell it."""
    if rule.rule == "RowCountChange":
        return float(rows)
    known = figures.get(rule.column or "")
    if known is None:
        return None
    if rule.rule == "NullShareChange":
        return known.nulls / rows if rows else None
    return None if known.distinct is None else float(known.distinct)
