"""When references are computed anew: once, or before what is kept of them has drifted too far.

Keys and values of references drift because attention mixes the noisy picture into them. How far they may depends on
what it does to the finished picture: a step moves it by its own weight (whole steps are weighed alike), so the plan
spends the fewest computations of the references with which the drifts of all steps, weighed and summed, stay within a
tolerance. The drift measured at every computation corrects what the rest of the plan expects.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from ..clock import Clock
from .kv_cache import FIRST_TIME

TOLERANCE = 0.15
"""Sum of the weighed drifts of a run at the quality "balanced". On the tiny edit model with references at time zero a
picture comes out at 22 to 28 dB less 20 lg(sum), of 4 steps and of 8, at CFG 1 and 3."""
OF_BALANCED = 0.06
"""The tolerance of whole steps that goes with it."""
MOST_FOR_A_TARGET = 2.5
"""Up to this target_speedup whole steps reach it alone, closer than with references left out as well (20 steps)."""
RATE = 0.13
"""Drift of held keys and values (share of their root mean square) in one unit of age, before any was measured."""
CARRIED = 0.75
"""Share of that which is left where the last two values are carried on along their line."""
AGEING = 0.35
"""By how much e-folds drift quickens in one unit of the log odds while sampling: 0.028, 0.041 and 0.128 in a step of 8
at log odds of 4, 1.6 and 0."""
MEMORY = 0.5
"""Share of the old rate that a measurement leaves."""


def tolerance_for(of_steps: float, target_speedup: float) -> float:
    """What references may drift where whole steps have this tolerance, or are to reach this speed-up."""
    if of_steps > 0:
        return TOLERANCE * math.sqrt(of_steps / OF_BALANCED)
    return TOLERANCE if target_speedup <= MOST_FOR_A_TARGET else 2 * TOLERANCE


class Once:
    """Computed in the first step, and kept for the run."""

    refreshes = False

    def due(self, step: int) -> bool:
        return False

    def stored(self, step: int, drift: float | None) -> None:
        """Never again."""

    def go_back(self) -> None:
        """It makes no plan."""


def age(time: float) -> float:
    """How far references have aged at these log odds of sigma; grows while sampling."""
    return math.exp(-AGEING * min(time, FIRST_TIME)) / AGEING


@dataclass
class ByDrift:
    """Computed anew so that the summed drift stays within `tolerance`; `rate` is what is known of it."""

    clock: Clock
    tolerance: float = TOLERANCE
    rate: float = RATE
    _stored: list[int] = field(default_factory=list)
    _next: int = 0

    refreshes = True

    def due(self, step: int) -> bool:
        """Whether they are computed at `step`, or should have been since."""
        return step >= self._next

    def stored(self, step: int, drift: float | None) -> None:
        """They were computed at `step`, `drift` away from what was kept; None where nothing was."""
        if drift is not None and math.isfinite(drift) and self._stored:
            aged = self._left(len(self._stored)) * (self._ages[step] - self._ages[self._stored[-1]])
            if aged > 0:
                self.rate = MEMORY * self.rate + (1 - MEMORY) * drift / aged
        self._stored.append(step)
        self._next = self._planned()

    def go_back(self) -> None:
        """The run begins anew; what is known of the drift stays."""
        self._stored.clear()
        self._next = 0

    def _planned(self) -> int:
        """The next step of the shortest plan that keeps to the tolerance; past the end where none is needed."""
        allowed = max(self.tolerance - self._spent(), self.tolerance / 2) / self.rate
        last, known, end = self._stored[-1], len(self._stored), self.clock.num_steps
        total, following = self._drift(last, end, known), end
        ahead = {step: self._drift(step, end, known + 1) for step in range(last + 1, end)}
        while total > allowed and ahead:
            total, following = min((self._drift(last, step, known) + ahead[step], step) for step in ahead)
            ahead = self._with_one_more(ahead, known + 1)
        return following

    def _with_one_more(self, ahead: dict[int, float], known: int) -> dict[int, float]:
        """The least weighed drift from each step on, if there is one computation more than in `ahead` after it."""
        return {
            step: min(self._drift(step, later, known) + ahead[later] for later in ahead if later > step)
            for step in list(ahead)[:-1]
        }

    def _spent(self) -> float:
        """The drift so far, by what is known of its rate now."""
        pairs = zip(self._stored, self._stored[1:], strict=False)
        return self.rate * sum(self._drift(a, b, known) for known, (a, b) in enumerate(pairs, 1))

    def _left(self, known: int) -> float:
        return 1.0 if known == 1 else CARRIED

    def _drift(self, last: int, until: int, known: int) -> float:
        """Weighed drift of the steps between `last` and `until`, at a rate of one, where `known` values are kept."""
        weights = self._weights[until] - self._weights[last + 1]
        weighed = self._weighed[until] - self._weighed[last + 1]
        return self._left(known) * (weighed - self._ages[last] * weights)

    @cached_property
    def _ages(self) -> list[float]:
        return [age(self.clock.moment(step).time) for step in range(self.clock.num_steps)]

    @cached_property
    def _weights(self) -> list[float]:
        """Sums of the weights of all steps before each."""
        weights = (self.clock.moment(step).picture_weight for step in range(self.clock.num_steps))
        return list(accumulate(weights, initial=0.0))

    @cached_property
    def _weighed(self) -> list[float]:
        """The same of their ages."""
        steps = range(self.clock.num_steps)
        return list(accumulate((self.clock.moment(s).picture_weight * self._ages[s] for s in steps), initial=0.0))
