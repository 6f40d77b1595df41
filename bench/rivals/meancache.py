"""MeanCache (Gao et al., ICLR 2026, 2601.19961): a skipped step goes by an average velocity; the plan is made offline.

The average over the last `span` steps comes from how far x went; with the velocity at their beginning it tells the
rate of change (their JVP), which is added to the last velocity for the length of the step. Of span 1 the rate is zero:
the last velocity is held. Which steps are computed, and the span of each gap, were found by a shortest path on
Qwen-Image-2512 at 50 steps (their repository's constants, at 2e12280); other lengths have the same plan stretched.

They forecast the guided velocity, and so is it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from torch import Tensor

PLANNED_STEPS = 50


@dataclass(frozen=True)
class Plan:
    """`spans` has an entry for each computed step but the last: of the gap that follows it, 1 where there is none."""

    computed: tuple[int, ...]
    spans: tuple[int, ...]

    def at(self, num_steps: int) -> Plan:
        """The same for a run of another length: as large a share of its steps, the first and the last among them."""
        if num_steps == PLANNED_STEPS:
            return self
        count = max(2, round(len(self.computed) * num_steps / PLANNED_STEPS))
        stretch = (len(self.computed) - 1) / (count - 1)
        places = [self._place(k * stretch) * (num_steps - 1) / (PLANNED_STEPS - 1) for k in range(count)]
        spans = [self.spans[min(floor(k * stretch), len(self.spans) - 1)] for k in range(count - 1)]
        return Plan(tuple(_apart(places, num_steps)), tuple(spans))

    def _place(self, index: float) -> float:
        """The computed step of this index, straight between two."""
        low = min(floor(index), len(self.computed) - 2)
        return self.computed[low] + (index - low) * (self.computed[low + 1] - self.computed[low])


def _apart(places: Sequence[float], num_steps: int) -> list[int]:
    """Rounded, each behind the one before it, and room left for those that follow."""
    found: list[int] = []
    for number, place in enumerate(places):
        earliest = found[-1] + 1 if found else 0
        found.append(max(earliest, min(round(place), num_steps - len(places) + number)))
    return found


# By the number of computed steps.
QWEN_IMAGE_2512 = {
    25: Plan((*range(16), 23, 31, 37, *range(44, 50)), (*(1,) * 15, 2, 2, 2, 1, 1, 1, 1, 5, 5)),
    17: Plan((*range(10), 11, 19, 27, 35, 43, 47, 49), (*(1,) * 9, 2, 1, 1, 1, 1, 5, 5)),
    10: Plan((0, 2, 4, 7, 14, 21, 28, 35, 42, 49), (1, 3, 1, 1, 1, 1, 1, 1, 4)),
}
PLAN_FOR = {2.0: 25, 3.0: 17, 5.0: 10}


class MeanCache:
    """`sigmas` are the run's."""

    def __init__(self, sigmas: Sequence[float], plan: Plan) -> None:
        self._sigmas = sigmas
        self._plan = dict(zip(plan.computed, (*plan.spans, 1), strict=True))
        self._span = 1
        self._past: list[tuple[Tensor, Tensor]] = []

    def is_due(self, step: int, x: Tensor) -> bool:
        return step in self._plan

    def computed(self, step: int, x: Tensor, output: Tensor) -> None:
        self._span = self._plan[step]
        self._past.append((x, output))

    def forecast(self, step: int, x: Tensor) -> Tensor:
        span = min(self._span, len(self._past))
        first_x, first = self._past[-span]
        elapsed = self._sigmas[step] - self._sigmas[step - span]
        rate = (first - (x - first_x) / elapsed) / elapsed
        output = self._past[-1][1] - rate * (self._sigmas[step + 1] - self._sigmas[step])
        self._past.append((x, output))
        return output
