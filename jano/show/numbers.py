"""How numbers are written for people; web/headline.js writes them in the same way."""

from __future__ import annotations

import math


def times(factor: float) -> str:
    """A speed-up as "2.2x"."""
    return f"{_rounded(factor, 1 if factor < 9.95 else 0)}x"


def duration(seconds: float) -> str:
    """As "3.4 s", "41 s", "3 min 20 s" or "2 h 5 min"."""
    if seconds < 9.95:
        return f"{_rounded(seconds, 1)} s"
    whole = math.floor(seconds + 0.5)
    if whole < 120:
        return f"{whole} s"
    minutes = math.floor(seconds / 60 + 0.5)
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{minutes // 60} h {minutes % 60} min"


def percent(share: float) -> str:
    """As "39 %"; all and nothing are said only of all and of nothing."""
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    if 0.01 <= share < 0.995:
        return f"{_rounded(100 * share, 0)} %"
    if share < 0.01:
        return "under 0.1 %" if share < 0.0005 else f"{_rounded(100 * share, 1)} %"
    return "over 99 %" if share < 1.0 else f"{_rounded(100 * share, 0)} %"


def _rounded(value: float, digits: int) -> str:
    """Halves go up, as on the page."""
    scale = 10**digits
    return f"{math.floor(value * scale + 0.5) / scale:.{digits}f}"
