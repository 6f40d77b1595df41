"""What a run did: numbers for the log, the nodes and the file. Small, on the CPU, outlives the run."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from uuid import uuid4

from torch import Tensor

from ..levels.map import LevelMap
from .error_map import ErrorMap
from .references import ReferenceAccount
from .risk import Risk, left_of, picture_error, risk_of


class StepClass(str, Enum):
    """What a step costs: everything, everything plus filling the cache, some levels, all but the references, or
    nothing."""

    __str__ = str.__str__

    FULL = "full"
    STORE = "store"
    MODERATE = "moderate"
    ACTIVE = "active"
    PICTURE = "picture"
    SKIPPED = "skipped"


UNKNOWN = "unknown"

log = logging.getLogger(__name__)


@dataclass
class StepRecord:
    """One step: image tokens computed and present, summed over its evaluations and conditioning chunks.

    `seconds` is the wall time of its model evaluations. `computed` (frames, rows, columns) bool on the CPU tells which
    tokens the step computed; None when all of them. `forecast_error` is how far a forecast of it was off, as a share of
    its prediction, and `picture_error` what the forecast steps before it did to the picture (whole/control.py); None
    where that was not measured. `repaired` is how much of those was repaired, 0..1, as far as it follows the errors
    (forecast/repair.py); else None. `error_map` is `picture_error` region by region, and `tolerance` what those steps
    might cost.
    """

    step: int
    sigma: float
    step_class: StepClass
    computed_tokens: int = 0
    all_tokens: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    forecast_error: float | None = None
    picture_error: float | None = None
    tolerance: float | None = None
    repaired: float | None = None
    error_map: ErrorMap | None = field(default=None, compare=False)
    computed: Tensor | None = field(default=None, compare=False)

    @property
    def computed_share(self) -> float:
        return self.computed_tokens / self.all_tokens if self.all_tokens else 1.0

    def as_dict(self) -> dict:
        return {
            "step": self.step,
            "sigma": round(self.sigma, 5),
            "class": str(self.step_class),
            "computed": round(self.computed_share, 4),
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 4),
            "forecast_error": rounded(self.forecast_error, 5),
            "picture_error": rounded(self.picture_error, 5),
        }


@dataclass
class RunReport:
    """The account of one sampling run. `fallbacks` holds each reason for native computation once, `notes` what else
    the user should know of a run that is accelerated.

    `maps` is what there is to see over the picture: the "errors" of forecasts, measured region by region; the "levels"
    that decided what was computed, or that are analysed; or nothing, where neither was part of the run.
    `spread` is the 90th over the 10th percentile of the forecast errors seen over the regions; 0 when not measured.
    `quality`, `sampler`, `cfg` and `latent` (batch, channels, [frames,] rows, columns) are what was asked for; `advice`
    is what would help, in one sentence. `left` is how much of the forecasts' errors the sampler leaves in the picture;
    `would_freeze` that references were computed at every step because the user chose so. `run` is an id, by which the
    page knows two accounts of one run, and `node_id` that of the node which shows it.
    """

    model: str
    num_steps: int
    num_tokens: int = 0
    steps: list[StepRecord] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    level_map: LevelMap | None = None
    cache_bytes_peak: int = 0
    accelerates: bool = True
    fingerprints: frozenset[str] = frozenset()
    spread: float = 0.0
    maps: str = "levels"
    references: ReferenceAccount | None = None
    quality: str = ""
    sampler: str = ""
    cfg: float | None = None
    latent: tuple[int, ...] = ()
    advice: str = ""
    left: float = 1.0
    would_freeze: bool = False
    node_id: str | None = None
    run: str = field(default_factory=lambda: uuid4().hex, compare=False)

    @classmethod
    def of_nothing(cls, reason: str) -> RunReport:
        """A report for when no run is known."""
        return cls(UNKNOWN, 0, fallbacks=[reason])

    @property
    def is_unknown(self) -> bool:
        """Whether this is of no run, see `of_nothing`."""
        return not self.steps and self.num_steps == 0 and self.model == UNKNOWN

    def add_fallback(self, reason: str) -> bool:
        """Say why something ran natively, here and in the log; True the first time, which is the only one."""
        if reason in self.fallbacks:
            return False
        self.fallbacks.append(reason)
        log.warning("Jano: computing in full because %s.", reason)
        return True

    @property
    def computed_token_fraction(self) -> float:
        """Token-steps computed over all token-steps."""
        present = sum(record.all_tokens for record in self.steps)
        return sum(record.computed_tokens for record in self.steps) / present if present else 1.0

    @property
    def level_share(self) -> dict[str, float]:
        if self.level_map is None:
            return {}
        return {level.name.lower(): round(share, 4) for level, share in self.level_map.share().items()}

    @property
    def error_map(self) -> ErrorMap | None:
        """Every region's largest error in the run; None where no forecast was measured."""
        return ErrorMap.worst(record.error_map for record in self.steps if record.error_map is not None)

    @property
    def seconds(self) -> float:
        return sum(record.seconds for record in self.steps)

    @property
    def speedup(self) -> float | None:
        """Estimated: all steps at the median cost of a full step of this run (of two the lower: an edit of 4 steps may
        have no more), over what they cost. What the first step takes longer (memory, weights that are loaded) it
        would take without Jano too."""
        full = sorted(r.seconds / r.evaluations for r in self.steps if r.computed_share == 1.0 and r.evaluations)
        if not full or not self.seconds:
            return None
        usual, first = full[(len(full) - 1) // 2], self.steps[0]
        waited = max(0.0, first.seconds - usual * first.evaluations) if first.computed_share == 1.0 else 0.0
        return min((usual * sum(r.evaluations for r in self.steps) + waited) / self.seconds, self._most_speedup)

    @property
    def _most_speedup(self) -> float:
        """What leaving out whole steps can save at most: more is chance, on a machine that does more than this."""
        computed = sum(record.evaluations for record in self.steps if record.computed_share)
        return math.inf if self.steps_in_part else sum(record.evaluations for record in self.steps) / computed

    @property
    def seconds_saved(self) -> float | None:
        """Against all steps at the cost of a full one; below 0 where the run took longer."""
        return None if self.speedup is None else (self.speedup - 1.0) * self.seconds

    @property
    def steps_computed(self) -> int:
        """Steps of which everything was computed."""
        return sum(record.computed_share == 1.0 for record in self.steps)

    @property
    def steps_forecast(self) -> int:
        """Steps of which nothing was computed."""
        return sum(record.computed_share == 0.0 for record in self.steps)

    @property
    def steps_in_part(self) -> int:
        return len(self.steps) - self.steps_computed - self.steps_forecast

    @property
    def largest_forecast_error(self) -> float | None:
        """Of the forecasts that were used, as a share of the prediction; None where none was measured."""
        used = (after for before, after in pairwise(self.steps) if before.computed_share == 0.0)
        return max((record.forecast_error for record in used if record.forecast_error is not None), default=None)

    @property
    def picture_error(self) -> float | None:
        """What the forecasts did to the picture (risk.py); None where some were not measured, or more was left out than
        whole steps."""
        measured = [record.picture_error for record in self.steps if record.computed_share > 0.0]
        is_all = None not in measured and self.steps_forecast and self.steps[-1].computed_share > 0.0
        froze = self.references is not None and bool(self.references.frozen)
        if not is_all or froze or self.steps_in_part:
            return None
        return picture_error(measured, left_of(self.left, [record.repaired for record in self.steps]))

    @property
    def risk(self) -> Risk | None:
        return risk_of(self.picture_error)

    @property
    def verdict(self) -> str:
        """ "accelerated" when tokens were left out, "analysed" for the Analyzer alone, else "native"."""
        if self.computed_token_fraction < 1.0:
            return "accelerated"
        return "analysed" if self.level_map is not None and not self.accelerates else "native"


def rounded(value: float | None, digits: int) -> float | None:
    """None also for what is no finite number, which JSON cannot say."""
    return None if value is None or not math.isfinite(value) else round(value, digits)
