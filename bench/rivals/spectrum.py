"""Spectrum (Han et al., CVPR 2026, 2603.01623): outputs as Chebyshev series over the run, fitted by ridge regression.

Published settings: polynomials up to order 4 on the step's index, mapped so that the whole run is [-1, 1]; the last 10
computed outputs; ridge 0.1 on every coefficient; 5 steps of warm-up; then a window that starts at 2 steps and grows by
alpha with every computed step. Alpha 0.75 is their 14 of 50 steps, 3 their 10 of 50. The authors' README recommends to
mix the series with the straight line through the last two outputs, the series by w 0.5 to 1.

They forecast the transformer's last hidden state; here it is the guided output (see skipping.py). The ridge shrinks a
series by 5 to 20 %. The model's last layer norm takes that off a hidden state, so it is taken off here too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .skipping import budget_of, nearest

ORDER, KEPT, RIDGE = 4, 10, 0.1
WARMUP, WINDOW = 5, 2.0
# Window growths from which one is chosen for a budget.
GROWTHS = tuple(hundredths / 100 for hundredths in range(1201))


def computed_steps(num_steps: int, growth: float, warmup: int = WARMUP) -> list[int]:
    """Indices of the steps that are computed."""
    computed, window = list(range(min(warmup, num_steps))), WINDOW
    while computed[-1] + int(window) < num_steps:
        computed.append(computed[-1] + int(window))
        window += growth
    return computed


def for_target(num_steps: int, target: float) -> list[int]:
    """The window's growth that comes nearest to a budget. The warm-up takes half of a small one at most."""
    budget = budget_of(num_steps, target)
    warmup = max(2, min(WARMUP, budget // 2))
    growth = nearest(budget, GROWTHS, lambda growth: len(computed_steps(num_steps, growth, warmup)))
    return computed_steps(num_steps, growth, warmup)


def chebyshev(places: Tensor, order: int) -> Tensor:
    """(n,) in [-1, 1] -> (n, order + 1): the polynomials T0 to T of this order."""
    return torch.cos(torch.arange(order + 1) * torch.arccos(places.clamp(-1.0, 1.0)).unsqueeze(1))


def ridge_weights(known: Sequence[int], step: int, num_steps: int) -> list[float]:
    """What each known output counts in the forecast: phi(step) (Phi' Phi + ridge)^-1 Phi', scaled to a sum of one."""
    places = 2.0 * torch.tensor([*known, step], dtype=torch.float64) / num_steps - 1.0
    basis = chebyshev(places, ORDER)
    design, wanted = basis[:-1], basis[-1]
    gram = design.T @ design + RIDGE * torch.eye(ORDER + 1, dtype=torch.float64)
    weights = design @ torch.linalg.solve(gram, wanted)
    return (weights / weights.sum()).tolist()


def line_weights(known: Sequence[int], step: int) -> list[float]:
    """The same for the straight line through the last two; what is known is held where there is one."""
    if len(known) < 2:
        return [1.0]
    ahead = (step - known[-1]) / (known[-1] - known[-2])
    return [*[0.0] * (len(known) - 2), -ahead, 1.0 + ahead]


class Spectrum:
    """`mix` is how much the series counts beside the line (their w)."""

    def __init__(self, num_steps: int, computed: Sequence[int], mix: float) -> None:
        self._num_steps, self._plan, self._mix = num_steps, frozenset(computed), mix
        self._known: list[tuple[int, Tensor]] = []

    def is_due(self, step: int, x: Tensor) -> bool:
        return step in self._plan

    def computed(self, step: int, x: Tensor, output: Tensor) -> None:
        self._known = [*self._known, (step, output)][-KEPT:]

    def forecast(self, step: int, x: Tensor) -> Tensor:
        steps = [known for known, _ in self._known]
        series, line = ridge_weights(steps, step, self._num_steps), line_weights(steps, step)
        weights = [self._mix * s + (1.0 - self._mix) * t for s, t in zip(series, line, strict=True)]
        return sum(weight * output for weight, (_, output) in zip(weights, self._known, strict=True))
