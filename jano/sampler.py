"""What a run must know of the sampler that asks it."""

from __future__ import annotations

from dataclasses import dataclass

from .clock import SAME_STEP
from .forecast.repair import Repair


@dataclass(frozen=True)
class SamplerTraits:
    """`repair` is what is done about wrong forecasts in its x, `adds_noise` tells that it adds some at every step,
    `looks_ahead` that in a step it also evaluates at lower noise levels, each below the one before, and comes back.
    `left` is how much of what forecasts do to the picture stays in it."""

    repair: Repair = Repair.NONE
    adds_noise: bool = False
    looks_ahead: bool = False
    left: float = 1.0

    def is_ahead(self, sigma: float, last: float) -> bool:
        """Whether an evaluation at `sigma` after one at `last` looks ahead: a step begins where sigma does not fall."""
        return self.looks_ahead and sigma < last * (1.0 - SAME_STEP)


PLAIN = SamplerTraits()
