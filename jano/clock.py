"""Where in a run one model evaluation lies: its step, its noise level, its time. Plain numbers, no tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass

SAME_STEP = 1e-4
"""Relative difference up to which two sigmas are the same: samplers compute theirs with rounding errors."""
# Keeps the times of sigma 1 and 0 finite.
ODDS_FLOOR = 1e-3


def log_odds(sigma: float) -> float:
    """Time of a noise level: ln(sigma / (1 - sigma)), falling while sampling; predictions change evenly in it."""
    return math.log(max(sigma, ODDS_FLOOR) / (1.0 - sigma + ODDS_FLOOR))


def share_of_steps(share: float, num_steps: int) -> int:
    """A share of the steps as a count, rounded up, so that any share above 0 gives at least one step."""
    return math.ceil(share * num_steps - 1e-9)


@dataclass(frozen=True)
class Moment:
    """An evaluation at the noise level `sigma`, in the step of this index, which goes from sigma `start` to `end`."""

    step: int
    sigma: float
    start: float
    end: float

    @property
    def time(self) -> float:
        return log_odds(self.sigma)

    @property
    def share_moved(self) -> float:
        """Share of the way from x to the prediction that the step goes; nothing where it does not leave its sigma."""
        return 0.0 if self.end >= self.start else 1.0 - self.end / self.start

    @property
    def picture_weight(self) -> float:
        """How far an error of the denoised prediction in this step moves the finished picture: x moves by its share of
        the error, and holds the picture scaled by (1 - end)."""
        return self.share_moved / max(1.0 - self.end, ODDS_FLOOR)

    def is_before(self, other: Moment) -> bool:
        """Whether the sampler, at `other` before, went back: what it saw there is no past of this evaluation."""
        return self.sigma > other.sigma * (1.0 + SAME_STEP)


@dataclass(frozen=True)
class Clock:
    """The noise levels of a run, falling or equal from step to step; the last one ends it."""

    sigmas: tuple[float, ...]

    @property
    def num_steps(self) -> int:
        return len(self.sigmas) - 1

    def at(self, sigma: float) -> Moment:
        """The moment of an evaluation at `sigma`.

        Found by value, since evaluations cannot be counted: midpoints of second-order samplers belong to the step that
        they start from. Of several steps from one sigma it is the last, which leaves that sigma.
        """
        begun = sum(1 for start in self.sigmas[:-1] if start >= sigma - SAME_STEP * sigma)
        return self.moment(max(0, begun - 1), sigma)

    def moment(self, step: int, sigma: float | None = None) -> Moment:
        """An evaluation in a step, at its start if no `sigma` is given."""
        start, end = self.sigmas[step : step + 2]
        return Moment(step, start if sigma is None else sigma, start, end)
