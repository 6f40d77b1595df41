"""What the user chose: immutable, validated, free of tensors."""

from __future__ import annotations

from dataclasses import dataclass

SCORES = ("contrast", "curvature", "pairwise", "paper")
NORMALISATIONS = ("rank", "robust", "minmax")
FORECASTS = ("linear", "hold")
MOST_SPEEDUP = 4.0


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ValueError(f"Jano: {sentence}")


@dataclass(frozen=True)
class AnalyzerConfig:
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

    def __post_init__(self) -> None:
        _require(0.0 <= self.warmup < 1.0, f"warmup is a share of the steps, 0 to below 1, not {self.warmup}.")
        _require(min(self.region) >= 0, f"region sizes are latent cells, 0 or more, not {self.region}.")
        _require(0.0 <= self.temporal_weight <= 1.0, f"temporal_weight goes from 0 to 1, not {self.temporal_weight}.")
        _require(self.score in SCORES, f"score {self.score!r} is unknown; choose one of {', '.join(SCORES)}.")
        _require(self.normalisation in NORMALISATIONS, f"normalisation must be one of {', '.join(NORMALISATIONS)}.")


@dataclass(frozen=True)
class SchedulerConfig:
    """Which tokens are computed when.

    With a `tolerance`, or a `target_speedup` from which one is solved, the measured error of the forecasts decides
    (error_control.py). Without, a level with interval r is computed every r-th step (paper section 5.2).
    `cooldown` is the share of full steps at the end. `settling` is the log odds of sigma in which a forecast's rate of
    change dies down by e (forecast.py); "hold" repeats the last computed prediction. `correct` repairs afterwards what
    forecasts did (correction.py): None with the samplers that gain by it.
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

    @property
    def controlled(self) -> bool:
        """Whether measured errors decide, and not intervals per level."""
        return self.tolerance > 0.0 or self.target_speedup > 0.0

    def __post_init__(self) -> None:
        low, high = self.static_threshold, self.moderate_threshold
        _require(low <= high, f"static_threshold {low} must not be above moderate_threshold {high}.")
        intervals = (self.active_interval, self.moderate_interval, self.static_interval)
        _require(min(intervals) >= 1, f"intervals are whole steps, 1 or more, not {intervals}.")
        _require(
            list(intervals) == sorted(intervals),
            f"intervals must not shrink from active over moderate to static, but they are {intervals}.",
        )
        _require(0.0 <= self.cooldown < 1.0, f"cooldown is a share of the steps, 0 to below 1, not {self.cooldown}.")
        _require(self.forecast in FORECASTS, f"forecast must be one of {', '.join(FORECASTS)}.")
        _require(self.settling > 0.0, f"settling must be above 0, but it is {self.settling}.")
        _require(self.tolerance >= 0.0, f"tolerance must not be negative, but it is {self.tolerance}.")
        speedup = self.target_speedup
        _require(
            speedup == 0.0 or 1.0 <= speedup <= MOST_SPEEDUP,
            f"target_speedup is 0 (off) or between 1 and {MOST_SPEEDUP:g}, not {speedup}.",
        )
