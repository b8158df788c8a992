"""Bar charts as SVG: a panel for each group, each with its own scale."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

Bars = Sequence[tuple[str, float]]
WIDTH, LABEL, VALUE, BAR, GAP, TITLE = 860, 350, 90, 18, 6, 30
OURS, PEER = "#1f6f8b", "#b0b7bd"
_TEXT = 'font-family="sans-serif" font-size="12" fill="#222"'


def bars(title: str, unit: str, panels: Sequence[tuple[str, Bars]]) -> str:
    """An SVG document; `pharmaetl` stands out in colour."""
    parts, top = [_text(8, 20, title, 'font-weight="bold"')], TITLE
    for heading, values in panels:
        parts.append(_text(8, top + 14, heading, 'font-style="italic"'))
        top += 22
        longest = max((value for _, value in values), default=0) or 1
        for name, value in values:
            parts.append(_bar(top, name, value, longest, unit))
            top += BAR + GAP
        top += GAP
    body = "\n".join(parts)
    size = f'width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={_attribute(title)}>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _bar(top: int, name: str, value: float, longest: float, unit: str) -> str:
    length = (WIDTH - LABEL - VALUE) * value / longest
    colour = OURS if name.startswith("pharmaetl") else PEER
    middle = top + BAR - 5
    shape = f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>'
    label = _text(LABEL - 8, middle, name, 'text-anchor="end"')
    return "\n".join((shape, label, _text(round(LABEL + length + 6), middle, f"{value:.2f} {unit}")))


def _text(x: int, y: int, words: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}" {_TEXT} {style}>{escape(words)}</text>'


def _attribute(text: str) -> str:
    return '"' + escape(text, {'"': "&quot;"}) + '"'
