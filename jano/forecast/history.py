"""What a frozen token is predicted to be between two computations."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..clock import SAME_STEP, Moment, log_odds
from ..config import SchedulerConfig


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
        self._latest = math.inf
        self._has_slope = False

    @property
    def times(self) -> Tensor:
        """(1, 1, [frames,] height, width) log odds of sigma when each cell was last computed."""
        return self._times

    @property
    def last(self) -> Tensor:
        """Every cell as it was last computed."""
        return self._last

    @property
    def has_slope(self) -> bool:
        """Whether cells were computed in more than one step."""
        return self._has_slope

    @property
    def is_ready(self) -> bool:
        """Whether a forecast has what it needs: two steps for a line, one to hold."""
        return self.has_slope or (self._settling == 0.0 and self._last is not None)

    def record(self, x0: Tensor, moment: Moment, computed: Tensor | None = None) -> None:
        """Keep a prediction; `computed` (bool, broadcast over batch and channels) marks the cells that are new.

        A later evaluation of one step replaces an earlier one, since a slope between two sigmas that lie close together
        would be all noise.
        """
        times = torch.full_like(x0[:1, :1], moment.time, dtype=torch.float32)
        step_begins = log_odds(moment.start * (1 + SAME_STEP))
        self._has_slope |= self._last is not None and self._latest > step_begins
        self._latest = moment.time
        if self._last is None:
            self._last = self._previous = x0.clone()
            self._times = self._previous_times = times
            return
        fresh = torch.ones_like(times, dtype=torch.bool) if computed is None else computed
        moved = fresh & (self._times > step_begins)
        replaced = fresh & ~moved & (self._previous_times == self._times)  # still in its first step
        self._previous = torch.where(moved, self._last, torch.where(replaced, x0, self._previous))
        self._previous_times = torch.where(moved, self._times, torch.where(replaced, times, self._previous_times))
        self._last = torch.where(fresh, x0, self._last)
        self._times = torch.where(fresh, times, self._times)

    def forecast(self, moment: Moment) -> Tensor:
        """Prediction of every cell at `moment`."""
        return self._last + self.change(moment)

    def change(self, moment: Moment) -> Tensor:
        """What a forecast adds to the last prediction."""
        if self._settling == 0.0:
            return torch.zeros_like(self._last)
        times = self._times, self._previous_times, moment.time
        return settling_term(self._last, self._previous, *times, self._settling)
