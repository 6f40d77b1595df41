"""What a frozen token is predicted to be between two computations."""

from __future__ import annotations

import torch
from torch import Tensor

from .config import SchedulerConfig
from .schedule import SAME_STEP


def slope_term(last: Tensor, previous: Tensor, last_sigma: Tensor, previous_sigma: Tensor, sigma: float) -> Tensor:
    """First-order change of a prediction from `last_sigma` to `sigma`, from its last two computed values.

    Zero where a token has been computed only once (both sigmas equal).
    """
    span = last_sigma - previous_sigma
    weight = torch.where(span != 0, (sigma - last_sigma) / torch.where(span != 0, span, 1.0), 0.0)
    return weight * (last - previous)


class PredictionHistory:
    """The last two computed denoised predictions (x0) of every token, for one conditioning chunk.

    Predictions are (batch, channels, [frames,] height, width). x0 rather than velocity: both freeze a token the same
    way on straight ODE steps, but a kept velocity carries the old noise through a sampler that adds new noise.
    """

    def __init__(self, config: SchedulerConfig) -> None:
        self._slope = config.slope if config.forecast == "linear" else 0.0
        self._last: Tensor | None = None
        self._previous: Tensor | None = None
        self._last_sigma: Tensor | None = None
        self._previous_sigma: Tensor | None = None

    def record(self, x0: Tensor, sigma: float, step_sigma: float, computed: Tensor | None = None) -> None:
        """Keep a prediction; `computed` (bool, broadcast over batch and channels) marks the cells that are new.

        `step_sigma` is where this step starts: a later evaluation of one step replaces an earlier one, since a slope
        between two sigmas that lie close together would be all noise.
        """
        sigmas = torch.full_like(x0[:1, :1], sigma)
        if self._last is None:
            self._last = self._previous = x0.clone()
            self._last_sigma = self._previous_sigma = sigmas
            return
        fresh = torch.ones_like(sigmas, dtype=torch.bool) if computed is None else computed
        moved = fresh & (self._last_sigma > step_sigma + SAME_STEP * step_sigma)
        self._previous = torch.where(moved, self._last, self._previous)
        self._previous_sigma = torch.where(moved, self._last_sigma, self._previous_sigma)
        self._last = torch.where(fresh, x0, self._last)
        self._last_sigma = torch.where(fresh, sigmas, self._last_sigma)

    def forecast(self, sigma: float) -> Tensor:
        """Prediction of every cell at `sigma`."""
        if self._slope == 0.0:
            return self._last.clone()
        change = slope_term(self._last, self._previous, self._last_sigma, self._previous_sigma, sigma)
        return self._last + self._slope * change
