"""The qualities that a user chooses from, and what they are made of."""

from __future__ import annotations

import re

from .config import SchedulerConfig, complaint, shown

QUALITIES = ("fidelity", "balanced", "fast", "draft", "custom")

# Tolerances of the error control, shares of the prediction's root mean square; measured with `make bench` (quality).
_TOLERANCE = {"fidelity": 0.02, "balanced": 0.06, "fast": 0.2, "draft": 0.8}


def schedule_of(quality: str, custom: dict[str, object]) -> SchedulerConfig:
    """Schedule of a quality name, for "custom" by these settings; ValueError with a sentence for what makes none."""
    if quality == "custom":
        return SchedulerConfig(**custom)
    if quality not in list(_TOLERANCE):
        raise ValueError(_unknown(quality))
    return SchedulerConfig(tolerance=_TOLERANCE[quality])


def quality_of(scheduler: SchedulerConfig | None) -> str:
    """The quality that makes this schedule; "custom" for any other, nothing without one."""
    if scheduler is None:
        return ""
    made = (name for name in _TOLERANCE if schedule_of(name, {}) == scheduler)
    return next(made, "custom")


def chosen_qualities(text: object) -> tuple[str, ...]:
    """The presets that a text names, in its order and each once; ValueError with a sentence for other words, and for
    none."""
    named = re.findall(r"[^\s,;]+", text.lower()) if isinstance(text, str) else [text]
    unknown = [name for name in named if name not in list(_TOLERANCE)]
    if unknown or not named:
        told = f"{shown(unknown[0])} is none of them" if unknown else "none is named"
        raise ValueError(f"Jano: qualities must be one or more of {', '.join(_TOLERANCE)}, but {told}.")
    return tuple(dict.fromkeys(named))


def schedule_complaint(quality: str | None, custom: dict[str, object]) -> str:
    """What is wrong with a quality and the settings of "custom", as far as they are known; empty for nothing."""
    if quality == "custom":
        return complaint(SchedulerConfig, custom)
    return "" if quality in (None, *_TOLERANCE) else _unknown(quality)


def _unknown(quality: object) -> str:
    return f"Jano: quality {shown(quality)} is unknown; choose one of {', '.join(QUALITIES)}."
