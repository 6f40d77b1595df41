"""What a run learns from its guided predictions: how far forecasts were off, what to repair, when to compute."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import torch
from torch import Tensor

from .clock import Clock, Moment
from .config import SchedulerConfig
from .correction import Correction, followed
from .error_control import CAUTION, ErrorControl, budget_of
from .forecast import PredictionHistory
from .grid import TokenGrid
from .levels import Selection
from .schedule import Schedule

SMALLEST_ERROR = 1e-9
UNREPAIRED = 3.0
"""How many times smaller a tolerance is where forecasts cannot be repaired: a repair takes away half of what they do to
the picture, and samplers that add noise amplify the rest."""


class Feedback:
    """The guided predictions of one run, as the sampler gets them: (batch, channels, [frames,] height, width).

    `corrects` tells that the sampler integrates an ODE, so that forecasts can be repaired afterwards; `error_rate` is
    that of the run before, where this one goes on.
    """

    def __init__(
        self,
        config: SchedulerConfig,
        schedule: Schedule,
        grid: TokenGrid,
        clock: Clock,
        corrects: bool,
        error_rate: float | None = None,
    ) -> None:
        self._config, self._grid = config, grid
        self._correction = Correction() if corrects else None
        self._control = None
        if config.controlled:
            tolerance = config.tolerance if self._correction else config.tolerance / UNREPAIRED
            self._control = control_of(replace(config, tolerance=tolerance), schedule, clock, error_rate)
        self._spreads: list[float] = []
        self._measured_step = -1
        self._forget()

    @property
    def spread(self) -> float:
        """Median over the computed steps of the 90th over the 10th percentile of the regions' errors; 0 without."""
        spreads = sorted(filter(isfinite, self._spreads))
        return spreads[len(spreads) // 2] if spreads else 0.0

    @property
    def error_rate(self) -> float | None:
        """What was measured of the forecasts, for a run that goes on."""
        return None if self._control is None else self._control.rate

    @property
    def shift(self) -> Tensor | None:
        """How far the x that the model is to see lies from the sampler's, in a flow model's measure; None: nowhere."""
        return None if self._correction is None else self._correction.shift

    def due(self, step: int) -> bool:
        """Whether the model must be computed at `step`, by the measured errors."""
        return self._control.due(step)

    def went_back(self) -> None:
        """The sampler takes up an earlier x: what was learnt since is no past of what follows."""
        self._forget()
        self._measured_step = -1
        if self._correction is not None:
            self._correction.went_back()

    def settled(
        self,
        denoised: Tensor,
        moment: Moment,
        computed: Selection | None,
        has_changed: bool = False,
    ) -> Tensor:
        """Learn from a prediction, and return what the sampler is given in its place.

        `computed` tells what the model computed, None for all; the rest are forecasts. `has_changed` tells that another
        question was asked than before, which is no error of the forecasts.
        """
        if has_changed:
            self._forget()
        first, self._measured_step = self._measured_step != moment.step, moment.step
        repair = self._measure(denoised, moment, computed) if first else None
        if self._response is not None:
            denoised = self._followed(denoised, repair, moment, skipped=computed is not None)
        if computed is None or not computed.empty:
            fresh = None if computed is None else computed.cells.expand(1, 1, *denoised.shape[2:])
            self._history.record(denoised, moment, fresh)
        return denoised if self.shift is None else denoised - self.shift.to(denoised)

    def _forget(self) -> None:
        """Forecasts, and what they are to be repaired of, begin anew; the shift that x has is kept."""
        self._history = PredictionHistory(self._config)
        self._response = PredictionHistory(self._config) if self._correction and self._config.controlled else None
        self._repaired = False
        if self._correction is not None:
            self._correction.begin_anew()

    def _measure(self, denoised: Tensor, moment: Moment, computed: Selection | None) -> Tensor | None:
        """Compare the first evaluation of a step with its forecast; returns what that repairs."""
        anything = computed is None or not computed.empty
        known = anything and self._history.times is not None
        error = denoised - self._history.forecast(moment) if known else None
        if self._control is not None and computed is not None:
            self._control.passed(moment.step)
        elif self._control is not None:
            share = self._share(error, denoised) if known and self._history.has_slope else None
            self._control.computed(moment.step, share)
        return None if self._correction is None else self._repair(error, moment, computed, denoised.device)

    def _repair(
        self, error: Tensor | None, moment: Moment, computed: Selection | None, device: torch.device
    ) -> Tensor | None:
        uniform = computed is None or computed.empty
        cells = torch.full((), computed is None, device=device) if uniform else computed.cells
        repair = None if error is None else self._correction.measured(moment, error, self._history.times, cells)
        if computed is not None and self._history.times is not None:
            self._correction.passed(moment, self._history.times, ~cells)
        return repair

    def _followed(self, denoised: Tensor, repair: Tensor | None, moment: Moment, skipped: bool) -> Tensor:
        """The prediction of the repaired x, which the model did not see; forecasts from it follow the repair too.

        Only where the errors decide: they keep repairs small enough for this, while fixed intervals do not.
        """
        if not skipped:
            response = torch.zeros_like(denoised) if repair is None else followed(repair, moment.sigma).to(denoised)
            self._response.record(response, moment)
            self._repaired |= repair is not None
        return denoised + self._response.forecast(moment) if self._repaired else denoised

    def _share(self, error: Tensor, denoised: Tensor) -> float:
        """Root mean square of a forecast's error over that of the prediction (one device synchronisation)."""
        regions = region_errors(error / denoised.square().mean().sqrt(), self._grid)
        low, high = torch.quantile(regions, torch.tensor([0.1, 0.9])).tolist()
        self._spreads.append(high / max(low, SMALLEST_ERROR))
        return regions.square().mean().sqrt().item()


def region_errors(error: Tensor, grid: TokenGrid) -> Tensor:
    """(num_regions,) root mean square over each region, of the worst picture of the batch, on the CPU."""
    square = error.float().square().mean(1)
    if square.ndim == 3:  # pictures: (batch, height, width)
        square = square.unsqueeze(1)
    return grid.mean_per_region(square).amax(0).sqrt().cpu()


def control_of(
    config: SchedulerConfig, schedule: Schedule, clock: Clock, error_rate: float | None = None
) -> ErrorControl:
    """By the tolerance, or by the number of steps that `target_speedup` leaves."""
    budget = budget_of(config.target_speedup, schedule.num_steps)
    rate = None if error_rate is None else CAUTION * error_rate
    return ErrorControl(clock, schedule.cooldown_steps, config.tolerance, budget, schedule.warmup_steps, rate)
