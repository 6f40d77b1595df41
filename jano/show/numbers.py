"""How numbers are written for people; web/headline.js writes them in the same way."""

from __future__ import annotations

import math

from ..sentences import Sentence, say


def times(factor: float) -> Sentence:
    """A speed-up as "2.2x"."""
    return say("times_rounded", times=_rounded(factor, 1 if factor < 9.95 else 0))


def duration(seconds: float) -> Sentence:
    """As "3.4 s", "41 s", "3 min 20 s" or "2 h 5 min"."""
    if seconds < 9.95:
        return say("seconds", seconds=_rounded(seconds, 1))
    whole = math.floor(seconds + 0.5)
    if whole < 120:
        return say("seconds", seconds=str(whole))
    minutes = math.floor(seconds / 60 + 0.5)
    if whole < 3600:
        return say("minutes", minutes=str(whole // 60), seconds=str(whole % 60))
    return say("hours", hours=str(minutes // 60), minutes=str(minutes % 60))


def percent(share: float) -> Sentence:
    """As "39 %"; all and nothing are said only of all and of nothing."""
    if share in (0.0, 1.0):
        return say("per_cent", share=f"{100 * share:.0f}")
    if 0.01 <= share < 0.995:
        return say("per_cent", share=_rounded(100 * share, 0))
    if share < 0.01:
        return say("under_a_thousandth") if share < 0.0005 else say("per_cent", share=_rounded(100 * share, 1))
    return say("over_99_per_cent") if share < 1.0 else say("per_cent", share=_rounded(100 * share, 0))


def _rounded(value: float, digits: int) -> str:
    """Halves go up, as on the page."""
    scale = 10**digits
    return f"{math.floor(value * scale + 0.5) / scale:.{digits}f}"
