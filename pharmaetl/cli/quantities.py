"""Amounts with their units, as people read them."""

from __future__ import annotations


def size(count: int | None) -> str | None:
    """Bytes in decimal units, as in 44.6 MB."""
    if count is None:
        return None
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.95:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """A span of time, as in 0.4 s, 12 s, 3 min 5 s or 2 h 10 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def age(hours: float | None) -> str | None:
    """How long ago something was, in its largest unit only: 45 min, 3 h, 12 d."""
    if hours is None:
        return None
    if hours < 1:
        return f"{max(0, int(hours * 60))} min"
    return f"{int(hours)} h" if hours < 48 else f"{int(hours // 24)} d"


def moment(iso: str | None) -> str | None:
    """A UTC time to the minute, as in 2026-07-23 12:00Z."""
    if iso is None or len(iso) < 17 or "T" not in iso:
        return iso
    return f"{iso[:10]} {iso[11:16]}Z"


def short_hash(digest: str | None) -> str | None:
    """The first twelve digits of a hash: enough to compare by eye."""
    return None if digest is None else digest[:12]
