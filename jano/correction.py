"""Repairs afterwards what forecasts did: once the model is computed again, the error of the steps between is known.

A forecast that turned out wrong by `error` was wrong by about error * (elapsed / span) in the steps before, and each
of them moved x by its share of that. The repair is not written into x, which belongs to the sampler, but kept beside
it: the model sees x + shift, and the sampler gets the prediction less the shift. Samplers that integrate an ODE mix x
and predictions with weights that sum to one, so their x stays parallel to the repaired one, whatever their order; the
last step hands the shift back.

The model saw x before the repair. Its picture would have followed the repaired x; `followed` tells by how much, which
saves asking it again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .error_control import ODDS_FLOOR, log_odds

RESPONSE = 0.6
"""Share of a repair, in picture units, that the model's prediction follows. Asked again, the tiny Flux follows by 0.1
to 0.9 of it. 0.6 is worth about 1 dB at half of the steps, 0.35 and 1 a little less."""


def followed(repair: Tensor, sigma: float) -> Tensor:
    """How far the denoised prediction moves when x moves by `repair`: the picture's share of x is 1 - sigma."""
    return repair * (RESPONSE / (1.0 - sigma + ODDS_FLOOR))


class Correction:
    """The shift of one run, (batch, channels, [frames,] height, width), and what forecasts since may add to it."""

    def __init__(self, sigmas: list[float]) -> None:
        self._sigmas = sigmas
        self._shift: Tensor | None = None
        self._weight: Tensor | None = None

    def shifted(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """What the model is shown in place of the sampler's x, which is `scale` times a flow model's."""
        return x if self._shift is None else x + scale * self._shift.to(x)

    def returned(self, denoised: Tensor, step: int) -> Tensor:
        """What the sampler is given: in the last step the prediction that lands it on the repaired x."""
        if self._shift is None:
            return denoised
        sigma, following = self._sigmas[step], self._sigmas[step + 1]
        last = step == len(self._sigmas) - 2
        return denoised + self._shift.to(denoised) * (following / (sigma - following) if last else -1.0)

    def passed(self, step: int, times: Tensor, frozen: Tensor) -> None:
        """A step in which the `frozen` cells were forecast; `times` is the log odds of each cell's last computation.

        Both broadcast over the latent's channels.
        """
        sigma, following = self._sigmas[step], self._sigmas[step + 1]
        if following <= 0.0:
            return
        moved = (times - log_odds(sigma)) * ((1.0 - following / sigma) / following)
        weight = torch.where(frozen, moved, 0.0)
        self._weight = weight if self._weight is None else self._weight + weight

    def measured(self, step: int, error: Tensor, times: Tensor, computed: Tensor) -> Tensor | None:
        """The `computed` cells are known at `step`: `error` is their prediction less its forecast.

        Returns what is repaired now, None for nothing.
        """
        if self._weight is None:
            return None
        sigma = self._sigmas[step]
        span = times - log_odds(sigma)
        owed = computed & (self._weight != 0)
        repair = torch.where(owed, self._weight * sigma / torch.where(owed, span, 1.0), 0.0) * error
        self._shift = repair if self._shift is None else self._shift + repair
        self._weight = torch.where(computed, 0.0, self._weight)
        return repair

    def drop(self) -> None:
        self._shift = self._weight = None
