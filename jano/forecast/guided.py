"""The guided predictions of a run, as the sampler gets them: how far forecasts of them were off, and their repair."""

from __future__ import annotations

import torch
from torch import Tensor

from ..clock import Moment
from ..config import SchedulerConfig
from .history import PredictionHistory
from .repair import Correction
from .trend import KEPT, Trend, come_back


class Guided:
    """Predictions (batch, channels, [frames,] height, width). `corrects` tells that forecasts are repaired, `painted`
    (bool, broadcast) in which cells: those that a noise mask holds do not go the sampler's way. None is all."""

    def __init__(self, config: SchedulerConfig, corrects: bool, painted: Tensor | None = None) -> None:
        self._config, self._painted = config, painted
        self._correction = Correction() if corrects else None
        self.begin_anew()

    @property
    def shift(self) -> Tensor | None:
        """How far the x that the model is to see lies from the sampler's, in a flow model's measure; None: nowhere."""
        return None if self._correction is None else self._correction.shift

    @property
    def corrects(self) -> bool:
        return self._correction is not None

    @property
    def has_slope(self) -> bool:
        return self._history.has_slope

    def begin_anew(self) -> None:
        """What comes is no continuation: forecasts, and what they are to be repaired of, begin anew."""
        self._history = PredictionHistory(self._config)
        self._overshoot: Tensor | None = None
        self._trend = Trend()
        if self._correction is not None:
            self._correction.begin_anew()

    def go_back(self) -> None:
        """The sampler takes up an x of before, which the shift is not of."""
        self.begin_anew()
        if self._correction is not None:
            self._correction.go_back()

    def error(self, denoised: Tensor, moment: Moment) -> Tensor | None:
        """A prediction less its forecast; None where there is none."""
        return None if self._history.times is None else denoised - self.adjusted(self._history.forecast(moment), moment)

    def adjusted(self, forecast: Tensor, moment: Moment) -> Tensor:
        """A forecast along a line, less what is not to be expected where lines have missed."""
        doubt = self.doubt(forecast, moment)
        if isinstance(doubt, float):
            return forecast
        back = come_back(self._overshoot, self._history.times - moment.time)
        return forecast - doubt * ((1.0 - KEPT) * self._history.change(moment) + back).to(forecast)

    def doubt(self, like: Tensor, moment: Moment) -> Tensor | float:
        """(batch, 1, ...) in 0..1: how little a line is to be trusted up to `moment`; 0 of what holds."""
        if self._config.forecast != "linear" or self._history.times is None:
            return 0.0
        return self._trend.doubt(self._history.times - moment.time, like)

    def learn(self, denoised: Tensor, moment: Moment) -> None:
        """A prediction, before it is recorded, tells how far lines are to be trusted."""
        if self.has_slope:
            painted = 1.0 if self._painted is None else self._painted
            change, line = denoised - self._history.last, self._history.change(moment)
            self._trend.learn(change * painted, line * painted)

    def passed(self, moment: Moment, frozen: Tensor) -> None:
        """A step in which the `frozen` cells (bool, broadcast) were forecast."""
        if self._correction is not None and self._history.times is not None:
            frozen = frozen if self._painted is None else frozen & self._painted
            self._correction.passed(moment, self._history.times, frozen)

    def measured(
        self, moment: Moment, error: Tensor | None, computed: Tensor, share: Tensor | float = 1.0
    ) -> Tensor | None:
        """The `computed` cells are known; returns what is repaired now, None for nothing: this `share` (broadcast)."""
        if self._correction is None or error is None:
            return None
        return self._correction.measured(moment, error * share, self._history.times, computed)

    def record(
        self, denoised: Tensor, moment: Moment, computed: Tensor | None = None, overshoot: Tensor | None = None
    ) -> None:
        """Keep a prediction, or its `computed` cells, to forecast from; `overshoot` is how far guidance took it beyond
        the conditional one."""
        self._history.record(denoised, moment, computed)
        self._overshoot = overshoot

    def returned(self, denoised: Tensor) -> Tensor:
        """What the sampler is given, whose x lacks the shift."""
        return denoised if self.shift is None else denoised - self.shift.to(denoised)

    def drop(self) -> None:
        self.go_back()


def everywhere(like: Tensor, value: bool = True) -> Tensor:
    """One answer for all cells."""
    return torch.full((), value, device=like.device)
