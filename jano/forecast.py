"""What a frozen token is predicted to be between two computations."""

from __future__ import annotations

import torch
from torch import Tensor

from .config import SchedulerConfig
from .error_control import log_odds
from .schedule import SAME_STEP


def settling_term(
    last: Tensor, previous: Tensor, last_time: Tensor, previous_time: Tensor, time: float, settling: float
) -> Tensor:
    """Change of a prediction from `last_time` to `time`, from its last two computed values.

    A damped trend (Gardner and McKenzie 1985) in continuous time: the rate of change dies down by a factor e in every
    `settling` of log odds, so that a far forecast levels off where a line would run away. Zero where a token has been
    computed only once (both times equal). Times fall while sampling.
    """
    known = previous_time != last_time
    seen = torch.expm1(torch.where(known, previous_time - last_time, settling) / settling)
    ahead = -torch.expm1((time - last_time) / settling)
    return torch.where(known, ahead / seen, 0.0) * (last - previous)


class PredictionHistory:
    """The last two computed denoised predictions (x0) of every token, for one conditioning chunk or guided.

    Predictions are (batch, channels, [frames,] height, width). x0 rather than velocity: both freeze a token the same
    way on straight ODE steps, but a kept velocity carries the old noise through a sampler that adds new noise.
    """

    def __init__(self, config: SchedulerConfig) -> None:
        self._settling = config.settling if config.forecast == "linear" else 0.0
        self._last: Tensor | None = None
        self._previous: Tensor | None = None
        self._times: Tensor | None = None
        self._previous_times: Tensor | None = None

    @property
    def times(self) -> Tensor:
        """(1, 1, [frames,] height, width) log odds of sigma when each cell was last computed."""
        return self._times

    @property
    def has_slope(self) -> bool:
        return self._previous is not self._last

    def record(self, x0: Tensor, sigma: float, step_sigma: float, computed: Tensor | None = None) -> None:
        """Keep a prediction; `computed` (bool, broadcast over batch and channels) marks the cells that are new.

        `step_sigma` is where this step starts: a later evaluation of one step replaces an earlier one, since a slope
        between two sigmas that lie close together would be all noise.
        """
        times = torch.full_like(x0[:1, :1], log_odds(sigma))
        if self._last is None:
            self._last = self._previous = x0.clone()
            self._times = self._previous_times = times
            return
        fresh = torch.ones_like(times, dtype=torch.bool) if computed is None else computed
        moved = fresh & (self._times > log_odds(step_sigma * (1 + SAME_STEP)))
        self._previous = torch.where(moved, self._last, self._previous)
        self._previous_times = torch.where(moved, self._times, self._previous_times)
        self._last = torch.where(fresh, x0, self._last)
        self._times = torch.where(fresh, times, self._times)

    def forecast(self, sigma: float) -> Tensor:
        """Prediction of every cell at `sigma`."""
        if self._settling == 0.0:
            return self._last.clone()
        times = self._times, self._previous_times, log_odds(sigma)
        return self._last + settling_term(self._last, self._previous, *times, self._settling)
