"""What the user chose: immutable, validated, free of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import inf
from numbers import Integral, Real
from typing import ClassVar

SCORES = ("contrast", "curvature", "pairwise", "paper")
NORMALISATIONS = ("rank", "robust", "minmax")
FORECASTS = ("linear", "hold")
REFERENCES = ("auto", "every step", "once", "isolated")
CACHES = ("auto", "device", "fp8", "cpu")
MOST_SPEEDUP = 4.0
# What a setting of a type may be, and how that is said.
KINDS = {
    "float": (Real, "a number"),
    "int": (Integral, "a whole number"),
    "bool": (bool, "true or false"),
    "bool | None": ((bool, type(None)), "true, false or nothing"),
    "str": (str, "a name"),
    "tuple[int, int, int]": (tuple, "three whole numbers"),
}

# The settings that a rule is about, what holds for them, and the sentence where it does not.
Rule = tuple[tuple[str, ...], Callable[..., bool], str]


def _part_of_the_steps(name: str) -> Rule:
    return (name,), lambda share: 0.0 <= share < 1.0, f"{name} is a share of the steps, 0 to below 1, not {{}}."


def _part_of_the_regions(name: str) -> Rule:
    return (name,), lambda share: 0.0 <= share <= 1.0, f"{name} is a share of the regions, 0 to 1, not {{}}."


def _interval(name: str) -> Rule:
    return (name,), lambda interval: interval >= 1, f"{name} counts steps, 1 or more, not {{}}."


def complaint(config: type, known: Mapping[str, object]) -> str:
    """What is wrong with settings of this kind, in one sentence; empty for nothing.

    Only what is known is judged: before a prompt is queued, inputs that are linked are not.
    """
    for field in fields(config):
        if field.name in known and not _fits(known[field.name], field.type):
            return f"Jano: {field.name} must be {KINDS[field.type][1]}, not {shown(known[field.name])}."
    for names, holds, sentence in config.RULES:
        values = [known.get(name) for name in names]
        if known.keys() >= set(names) and not holds(*values):
            return f"Jano: {sentence.format(*values)}"
    return ""


def shown(value: object) -> str:
    """A value as a sentence names it: small ones as they are, others by their type."""
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    return f"{value!r:.40}" if value is None or isinstance(value, str | Real) else f"a {type(value).__name__}"


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, tuple):
        return kind.startswith("tuple") and len(value) == 3 and all(_fits(part, "int") for part in value)
    return isinstance(value, KINDS[kind][0]) and (kind.startswith("bool") or not isinstance(value, bool))


class Settings:
    """Settings that refuse what breaks their rules, with ValueError and a sentence for the user."""

    RULES: ClassVar[tuple[Rule, ...]] = ()

    def __post_init__(self) -> None:
        if sentence := complaint(type(self), vars(self)):
            raise ValueError(sentence)


@dataclass(frozen=True)
class AnalyzerConfig(Settings):
    """How the level map is read from the first steps (paper section 4.3).

    `warmup` is a share of the steps; `region` is in latent cells (frames, height, width), 0 takes the family's size.
    `fill_holes` treats what complex regions enclose as complex.
    """

    warmup: float = 0.1
    region: tuple[int, int, int] = (0, 0, 0)
    temporal_weight: float = 0.7
    score: str = "contrast"
    normalisation: str = "rank"
    fill_holes: bool = False

    RULES: ClassVar = (
        _part_of_the_steps("warmup"),
        (("region",), lambda region: min(region) >= 0, "region sizes are latent cells, 0 or more, not {}."),
        (("temporal_weight",), lambda weight: 0.0 <= weight <= 1.0, "temporal_weight goes from 0 to 1, not {}."),
        (("score",), SCORES.__contains__, f"score {{!r}} is unknown; choose one of {', '.join(SCORES)}."),
        (
            ("normalisation",),
            NORMALISATIONS.__contains__,
            f"normalisation must be one of {', '.join(NORMALISATIONS)}.",
        ),
    )


@dataclass(frozen=True)
class SchedulerConfig(Settings):
    """Which tokens are computed when.

    With a `tolerance`, or a `target_speedup` from which one is solved, the measured error of the forecasts decides
    (whole/control.py). Without, a level with interval r is computed every r-th step (paper section 5.2).
    `cooldown` is the share of full steps at the end. `settling` is the log odds of sigma in which a forecast's rate of
    change dies down by e (forecast/history.py); "hold" repeats the last computed prediction. `correct` repairs
    afterwards what forecasts did (forecast/repair.py): None with the samplers that gain by it.
    """

    static_threshold: float = 0.4
    moderate_threshold: float = 0.9
    static_interval: int = 2
    moderate_interval: int = 2
    active_interval: int = 1
    cooldown: float = 0.03
    forecast: str = "linear"
    settling: float = 1.0
    tolerance: float = 0.0
    target_speedup: float = 0.0
    correct: bool | None = None

    RULES: ClassVar = (
        _part_of_the_regions("static_threshold"),
        _part_of_the_regions("moderate_threshold"),
        (
            ("static_threshold", "moderate_threshold"),
            lambda low, high: low <= high,
            "static_threshold {} must not be above moderate_threshold {}.",
        ),
        _interval("active_interval"),
        _interval("moderate_interval"),
        _interval("static_interval"),
        (
            ("active_interval", "moderate_interval", "static_interval"),
            lambda active, moderate, static: active <= moderate <= static,
            "intervals must not shrink from active_interval over moderate_interval to static_interval, but they are "
            "({}, {}, {}).",
        ),
        _part_of_the_steps("cooldown"),
        (("forecast",), FORECASTS.__contains__, f"forecast must be one of {', '.join(FORECASTS)}."),
        (("settling",), lambda settling: 0.0 < settling < inf, "settling must be above 0, but it is {}."),
        (("tolerance",), lambda tolerance: tolerance >= 0.0, "tolerance must not be negative, but it is {}."),
        (
            ("target_speedup",),
            lambda speedup: speedup == 0.0 or 1.0 <= speedup <= MOST_SPEEDUP,
            f"target_speedup is 0 (off) or between 1 and {MOST_SPEEDUP:g}, not {{}}.",
        ),
    )

    @property
    def controlled(self) -> bool:
        """Whether measured errors decide, and not intervals per level."""
        return self.tolerance > 0.0 or self.target_speedup > 0.0


@dataclass(frozen=True)
class ReferenceConfig(Settings):
    """When the pictures that an edit starts from are computed, and where their keys and values are kept meanwhile.

    `references`: as often as they drift, at every step, once, or once and seeing only themselves. `cache_budget_gb` is
    how much of the device's memory they may take, 0 half of it; beyond that "auto" keeps them in eight bits, or in the
    main memory.
    """

    references: str = "auto"
    cache: str = "auto"
    cache_budget_gb: float = 0.0

    RULES: ClassVar = (
        (
            ("references",),
            REFERENCES.__contains__,
            f"references {{!r}} is unknown; choose one of {', '.join(REFERENCES)}.",
        ),
        (("cache",), CACHES.__contains__, f"cache {{!r}} is unknown; choose one of {', '.join(CACHES)}."),
        (
            ("cache_budget_gb",),
            lambda budget: 0.0 <= budget < inf,
            "cache_budget_gb is gigabytes, 0 (half of the device) or more, not {}.",
        ),
    )
