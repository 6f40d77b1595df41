"""TaylorSeer (Liu et al., ICCV 2025, 2503.06923): every k-th step computed, a Taylor series of the output in between.

Published settings: the first 3 steps computed, then every k-th; order 1 or 2. Derivatives are nested backward
differences over the distance of the last two computed steps; the series is taken from the last one. So a second order
is not exact on parabolas, whose slope a backward difference takes half an interval too early. `exact` puts the
polynomial of this order through the last computed outputs instead, which is what the series would be with exact
derivatives; it is no published setting.

They forecast the output of every attention and MLP; here it is the guided output (see skipping.py), as in the
TaylorSeer-Lite that ComfyUI users have.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial, prod

from torch import Tensor

from .skipping import budget_of, nearest

WARMUP = 3


def computed_steps(num_steps: int, interval: int, warmup: int = WARMUP) -> list[int]:
    """Indices of the steps that are computed."""
    return [*range(min(warmup, num_steps)), *range(warmup - 1 + interval, num_steps, interval)]


def for_target(num_steps: int, target: float) -> list[int]:
    """The interval that comes nearest to a budget."""
    budget = budget_of(num_steps, target)
    interval = nearest(budget, range(1, num_steps), lambda k: len(computed_steps(num_steps, k)))
    return computed_steps(num_steps, interval)


class Taylor:
    """`order` 0 holds the last output."""

    def __init__(self, computed: Sequence[int], order: int, exact: bool = False) -> None:
        self._plan, self._order, self._exact = frozenset(computed), order, exact
        self._known: list[tuple[int, Tensor]] = []
        self._derivatives: list[Tensor] = []

    def is_due(self, step: int, x: Tensor) -> bool:
        return step in self._plan

    def computed(self, step: int, x: Tensor, output: Tensor) -> None:
        self._derivatives = self._with(step, output)
        self._known = [*self._known, (step, output)][-self._order - 1 :]

    def _with(self, step: int, output: Tensor) -> list[Tensor]:
        """The output and its derivatives, each the difference of the one before it over the last distance."""
        derivatives = [output]
        for before in self._derivatives[: self._order]:
            derivatives.append((derivatives[-1] - before) / (step - self._known[-1][0]))
        return derivatives

    def forecast(self, step: int, x: Tensor) -> Tensor:
        if self._exact:
            return through(self._known, step)
        ahead = step - self._known[-1][0]
        return sum(derivative * (ahead**i / factorial(i)) for i, derivative in enumerate(self._derivatives))


def through(known: Sequence[tuple[int, Tensor]], step: int) -> Tensor:
    """The value at `step` of the polynomial through all that is known (Lagrange)."""
    places = [place for place, _ in known]
    weights = [prod((step - b) / (a - b) for b in places if b != a) for a in places]
    return sum(weight * output for weight, (_, output) in zip(weights, known, strict=True))
