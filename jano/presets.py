"""The qualities that a user chooses from, and what they are made of."""

from __future__ import annotations

import re

from .config import SchedulerConfig, complaint, shown
from .sentences import say

PRESETS = ("fidelity", "balanced", "fast", "draft")
TARGET, CUSTOM = "target", "custom"
QUALITIES = (*PRESETS, TARGET, CUSTOM)

# Tolerances of the error control, shares of the prediction's root mean square; measured with `make bench` (quality).
_TOLERANCE = {"fidelity": 0.02, "balanced": 0.06, "fast": 0.2, "draft": 0.8}

EXPECTED = {"fidelity": (0.562, 52.6), "balanced": (0.456, 43.3), "fast": (0.365, 35.4), "draft": (0.323, 32.2)}
"""Share of the FLOPs that is left, and PSNR in dB against the full picture: means over 64 prompts on the tiny Flux at
256 pixels, 28 euler steps, CFG 4 (bench/results/REPORT.md)."""
OF_A_TARGET = ("target_speedup", "cooldown")
"""What of the settings of "custom" a target minds."""
NO_TARGET = "Jano: quality target asks for a target_speedup, 1 or more (2 = half of the steps)."


def schedule_of(quality: str, custom: dict[str, object]) -> SchedulerConfig:
    """Schedule of a quality name, for "custom" by these settings, for "target" by those of a target; ValueError with a
    sentence for what makes none."""
    if quality == CUSTOM:
        return SchedulerConfig(**custom)
    if quality == TARGET:
        return _target_of(custom)
    if quality not in list(_TOLERANCE):
        raise ValueError(_unknown(quality))
    return SchedulerConfig(tolerance=_TOLERANCE[quality])


def quality_of(scheduler: SchedulerConfig | None) -> str:
    """The quality that acts in this schedule: "target" wherever a target_speedup does, "custom" for intervals by level
    and any other, nothing without one."""
    if scheduler is None:
        return ""
    if scheduler.target_speedup:
        return TARGET
    made = (name for name in _TOLERANCE if schedule_of(name, {}) == scheduler)
    return next(made, CUSTOM)


def more_tolerant(tolerance: float) -> str:
    """Which qualities tolerate more than this share, as a hint; empty where none does, or none is the measure."""
    if not 0.0 < tolerance < _TOLERANCE["draft"]:
        return ""
    return say("hint_fast_and_draft") if tolerance < _TOLERANCE["fast"] else say("hint_draft")


def chosen_qualities(text: object) -> tuple[str, ...]:
    """The presets that a text names, in its order and each once; ValueError with a sentence for other words, and for
    none."""
    named = re.findall(r"[^\s,;]+", text.lower()) if isinstance(text, str) else [text]
    unknown = [name for name in named if name not in list(_TOLERANCE)]
    if unknown or not named:
        wrong = f"{shown(unknown[0])} in qualities cannot be swept" if unknown else "qualities is empty"
        raise ValueError(f"Jano: {wrong}; name one or more of {', '.join(_TOLERANCE)}, separated by commas.")
    return tuple(dict.fromkeys(named))


def schedule_complaint(quality: str | None, custom: dict[str, object]) -> str:
    """What is wrong with a quality and the settings of "custom", as far as they are known; empty for nothing."""
    if quality == CUSTOM:
        return complaint(SchedulerConfig, custom)
    if quality == TARGET:
        known = {name: value for name, value in custom.items() if name in OF_A_TARGET}
        return complaint(SchedulerConfig, known) or ("" if known.get("target_speedup", 1) else NO_TARGET)
    return "" if quality in (None, *_TOLERANCE) else _unknown(quality)


def _target_of(custom: dict[str, object]) -> SchedulerConfig:
    made = SchedulerConfig(**{name: custom[name] for name in OF_A_TARGET if name in custom})
    if not made.target_speedup:
        raise ValueError(NO_TARGET)
    return made


def told(quality: str) -> str:
    """What a preset is worth, in a few words for a tooltip."""
    share, closeness = EXPECTED[quality]
    return f"{quality}: {1 / share:.1f} times less computing, {closeness:.0f} dB"


def _unknown(quality: object) -> str:
    return f"Jano: quality {shown(quality)} is unknown; choose one of {', '.join(QUALITIES)}."
