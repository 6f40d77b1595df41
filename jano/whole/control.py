"""When a step is worth computing: local error control for a sampler that may forecast its model.

Skipping a step is a longer step of a multistep integrator, so the theory of adaptive step sizes says when: measure the
forecast's error whenever the model is computed (it costs nothing), expect it to grow with a power of the time that a
forecast bridges, weigh it by what it does to the finished picture, and compute when a tolerance is used up.
Time is the log odds of sigma, in which the predictions of flow models change evenly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

from ..clock import Clock, Moment

ORDER = 1.5
"""Power of time with which a forecast's error grows; a damped line lies between hold (1) and a full line (2)."""
FADING = 0.5
"""Power of the odds of sigma with which the errors fade while sampling; without it a target spends too little early."""
LONGEST_GAP = 6
"""Steps after which the model is asked again however small its errors were, unless a budget needs longer gaps."""
SLACK = 2.0
"""Longest gap of a small budget, in gaps of equal length: at 1 its steps lie evenly, whatever the errors say. 2 is
worth 0.5 dB at a quarter of 50 steps on the closed-form bed (16 seeds), and 0.1 at a fifth of 28 on the tiny Flux."""
FEWEST_FULL_STEPS, MOST_FULL_STEPS, STEPS_PER_FULL_STEP = 4, 8, 5
"""Full steps before the first forecast: a fifth of the run between these bounds; two predictions for a line and two
measured errors at least. Of 28 steps the fifth is worth 5 dB; of 50, 8 in place of 5 are worth 7 dB at equal cost on
the tiny Wan, whose first steps lie close together and hide what errors will be."""
FEWEST_OF_A_BUDGET, SHARE_OF_A_BUDGET, TIMES_ROOT_OF_A_BUDGET = 3, 0.4, 1.22
"""A small budget spends at most this share on full steps, since the others then come closer together: worth 2 to 5 dB
for 7 to 11 of 28 steps and 3 to 4 dB for 5 to 8 of 20. Below half of the steps at most so many times its root, too: 5
of 17 in place of 7 at a third of 50 are worth 0.9 dB (standard error 0.4, 64 prompts of the closed-form bed), 0.5 and
0.7 on the tiny Flux and Wan (errors 1.1 and 1.4). At half the root alone is 0.5 and 0.8 dB worse at 40 steps (bed and
Wan, errors 0.6 and 0.9), and the same at 50."""
MEMORY = 0.5
"""Share of the old error rate that a new measurement leaves."""
STEPS_FOR_A_LINE = 2
"""Full steps before the first forecast of a run that goes on from another one, whose errors are known."""
CAUTION = 2.0
"""Factor on an error rate that another run measured, until this one has its own: its first line is short, and its
model may be another one. Of five clips handed to a second tiny Wan, at equal compute, four are then as close as
after their own warm-up (within 0.2 %), without it two; the mean error is level."""
LOOK = 1.0 / 3.0
"""Most that heunpp2 gives a look ahead to say of a step: a third at the first one, less and less after it."""
BISECTIONS = 40


def first_full_steps(num_steps: int, budget: int = 0) -> int:
    """How many steps of a run are computed before anything is forecast; `budget` 0 is none."""
    full = max(FEWEST_FULL_STEPS, min(MOST_FULL_STEPS, num_steps // STEPS_PER_FULL_STEP))
    if not budget:
        return full
    most = SHARE_OF_A_BUDGET * budget
    if budget < num_steps // 2:
        most = min(most, TIMES_ROOT_OF_A_BUDGET * math.sqrt(budget))
    return max(FEWEST_OF_A_BUDGET, min(full, round(most)))


def budget_of(target_speedup: float, num_steps: int) -> int:
    """Steps that a target leaves to compute; 0 for no target."""
    return round(num_steps / target_speedup) if target_speedup > 0 else 0


@dataclass
class Bridge:
    """The steps since the model was last computed: their number, and the error expected of them."""

    gap: int = 0
    error: float = 0.0

    @property
    def urgency(self) -> float:
        """Error times the root of its steps: equal urgencies minimise the summed square error for a given cost."""
        return self.error * math.sqrt(self.gap)

    def over(self, step_error: float) -> Bridge:
        return Bridge(self.gap + 1, self.error + step_error)


@dataclass
class ErrorControl:
    """Decides step by step whether the model is computed or forecast.

    `tolerance` is the urgency allowed per bridge, as a share of the prediction's root mean square. With
    `budget`, a number of computed steps, it is solved anew after every measurement so that the budget is met.
    `picture_error` is what the forecasts that the last computed step ended did to the picture, None if not measured.
    """

    clock: Clock
    cooldown_steps: int
    tolerance: float
    budget: int = 0
    full_steps: int = FEWEST_FULL_STEPS
    rate: float | None = None
    picture_error: float | None = None
    _last: int = 0
    _bridge: Bridge = field(default_factory=Bridge)
    _computed: int = 0

    def due(self, step: int) -> bool:
        """Whether the model must be computed at `step`."""
        if step < self.full_steps or step >= self._end or self.rate is None:
            return True
        bridge = self._extended(self._bridge, self._last, step)
        return bridge.urgency > self.tolerance or bridge.gap >= self._longest_gap

    def sees(self, moment: Moment) -> bool:
        """Whether a look ahead, to the sigma of `moment` in its step, may be forecast."""
        if not self.full_steps <= moment.step < self._end or self.rate is None:
            return False
        growth = self._grown(self.clock.moment(self._last).time, moment.time)
        return LOOK * self.rate * growth * moment.picture_weight <= self.tolerance

    def computed(self, step: int, error: float | None) -> None:
        """The model was computed at `step`; `error` is its forecast's, as a share of the prediction, if it had one.

        One that is not finite says nothing: without any other the model is computed at every step.
        """
        self.picture_error = self._seen_in_picture(step, error)
        if error is not None and math.isfinite(error) and self._span(self._last, step) > 0:
            measured = error / self._growth(self._last, step)
            self.rate = measured if self.rate is None else MEMORY * self.rate + (1 - MEMORY) * measured
        self._last, self._bridge = step, Bridge()
        self._computed += 1
        if self.budget and self.rate is not None:
            self.tolerance = self._solved(step)

    def _seen_in_picture(self, step: int, error: float | None) -> float | None:
        """What the forecast steps before `step` did to the finished picture, before any repair, as a share of the
        prediction: the error measured at `step`, shared out over them as it grows and weighed by how far each moved
        the picture. 0 without forecast steps, None where nothing was measured."""
        between = range(self._last + 1, step)
        span = self._growth(self._last, step)
        if not between or self._bridge.gap == 0:
            return 0.0
        if error is None or not math.isfinite(error) or span <= 0:
            return None
        reach = sum(self._growth(self._last, past) * self.clock.moment(past).picture_weight for past in between)
        return error / span * reach

    def passed(self, step: int) -> None:
        """The model was forecast at `step`."""
        self._bridge = self._extended(self._bridge, self._last, step)

    @property
    def _end(self) -> int:
        return self.clock.num_steps - self.cooldown_steps

    @cached_property
    def _longest_gap(self) -> int:
        if not self.budget:
            return LONGEST_GAP
        free = max(0, self.budget - self.full_steps - self.cooldown_steps)
        return max(LONGEST_GAP, math.ceil(SLACK * (self._end - self.full_steps + 1) / (free + 1)))

    def _extended(self, bridge: Bridge, last: int, step: int) -> Bridge:
        """`bridge` with one more forecast step."""
        return bridge.over(self.rate * self._growth(last, step) * self.clock.moment(step).picture_weight)

    def _growth(self, last: int, step: int) -> float:
        """Error of a forecast at `step`, from predictions up to `last`, where the error rate is one."""
        return self._grown(self.clock.moment(last).time, self.clock.moment(step).time)

    def _grown(self, known: float, time: float) -> float:
        return max(known - time, 0.0) ** ORDER * math.exp(FADING * time)

    def _span(self, last: int, step: int) -> float:
        """Time between the starts of two steps."""
        return self.clock.moment(last).time - self.clock.moment(step).time

    def _solved(self, step: int) -> float:
        """The smallest tolerance with which the rest of the run keeps to the budget."""
        low, high = 1e-6, 1e6
        for _ in range(BISECTIONS):
            middle = math.sqrt(low * high)
            within = self._computed + self._planned(step, middle) <= self.budget
            low, high = (low, middle) if within else (middle, high)
        return high

    def _planned(self, last: int, tolerance: float) -> int:
        """Computed steps after `last` if errors go on as measured."""
        count, bridge = 0, Bridge()
        for step in range(last + 1, self.clock.num_steps):
            bridge = self._extended(bridge, last, step)
            over = bridge.urgency > tolerance or bridge.gap >= self._longest_gap
            if step < self.full_steps or step >= self._end or over:
                count, bridge, last = count + 1, Bridge(), step
        return count
