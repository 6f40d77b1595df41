"""Repairing forecasts afterwards, with samplers written out by hand and a model that depends on time alone."""

import math

import pytest
import torch
from comfyui_jano.jano.correction import RESPONSE, Correction, followed
from comfyui_jano.jano.error_control import log_odds
from torch import Tensor

SIGMAS = [0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.0]
ALL = torch.ones(1, 1, 1, 2, dtype=torch.bool)
START = torch.tensor([1.0, -1.0]).reshape(1, 1, 1, 2)
FORECAST_STEPS = (2, 3)


def predicted(step: int) -> Tensor:
    """A denoised prediction that moves evenly in the log odds of sigma."""
    time = log_odds(SIGMAS[step])
    return torch.tensor([2.0 * time, -time]).reshape(1, 1, 1, 2)


def euler(x: Tensor, denoised: Tensor, old: Tensor | None, step: int) -> Tensor:
    return x + (SIGMAS[step + 1] - SIGMAS[step]) * (x - denoised) / SIGMAS[step]


def second_order(x: Tensor, denoised: Tensor, old: Tensor | None, step: int) -> Tensor:
    """Two predictions, extrapolated to the middle of the step; the last step takes one."""
    ahead = denoised if old is None or SIGMAS[step + 1] == 0 else 1.5 * denoised - 0.5 * old
    return euler(x, ahead, old, step)


def sample(sampler, correction: Correction | None) -> Tensor:
    """Steps 2 and 3 hold what step 1 predicted; without a correction everything is computed."""
    x, old, times, known = START.clone(), None, torch.full((1, 1, 1, 2), math.nan), START
    for step in range(len(SIGMAS) - 1):
        denoised = predicted(step)
        if correction is not None:
            if step in FORECAST_STEPS:
                denoised = known
                correction.passed(step, times, ALL)
            else:
                correction.measured(step, denoised - known, times, ALL)
                known, times = denoised, torch.full((1, 1, 1, 2), log_odds(SIGMAS[step]))
            denoised = correction.returned(denoised, step)
        x, old = sampler(x, denoised, old, step), denoised
    return x


def uncorrected(sampler) -> Tensor:
    x, old = START.clone(), None
    for step in range(len(SIGMAS) - 1):
        denoised = predicted(1 if step in FORECAST_STEPS else step)
        x, old = sampler(x, denoised, old, step), denoised
    return x


def test_errors_that_grow_evenly_are_repaired_exactly() -> None:
    assert torch.allclose(sample(euler, Correction(SIGMAS)), sample(euler, None), atol=1e-6)


def test_x_before_the_end_is_the_repaired_one_less_the_shift() -> None:
    correction, x, full = Correction(SIGMAS), START.clone(), START.clone()
    times = torch.full((1, 1, 1, 2), log_odds(SIGMAS[1]))
    for step in range(5):
        denoised = predicted(1) if step in FORECAST_STEPS else predicted(step)
        if step in FORECAST_STEPS:
            correction.passed(step, times, ALL)
        elif step == 4:
            correction.measured(step, predicted(4) - predicted(1), times, ALL)
        x, full = euler(x, correction.returned(denoised, step), None, step), euler(full, predicted(step), None, step)
    assert not torch.allclose(x, full, atol=1e-3)
    assert torch.allclose(correction.shifted(x), full, atol=1e-6)


def test_a_multistep_sampler_gains_as_well() -> None:
    full = sample(second_order, None)
    repaired, left = sample(second_order, Correction(SIGMAS)), uncorrected(second_order)
    assert (repaired - full).abs().max() <= 0.25 * (left - full).abs().max()


def test_only_cells_that_were_frozen_are_repaired() -> None:
    correction, left = Correction(SIGMAS), torch.tensor([[[[True, False]]]])
    times = torch.full((1, 1, 1, 2), log_odds(SIGMAS[0]))
    correction.passed(1, times, left)
    correction.measured(2, torch.ones(1, 1, 1, 2), times, ALL)
    shift = correction.shifted(torch.zeros(1, 1, 1, 2)).flatten().tolist()
    assert shift[0] > 0.0
    assert shift[1] == 0.0


def test_what_is_repaired_is_told_once() -> None:
    correction, times = Correction(SIGMAS), torch.full((1, 1, 1, 2), log_odds(SIGMAS[0]))
    assert correction.measured(1, torch.ones(1, 1, 1, 2), times, ALL) is None
    correction.passed(1, times, ALL)
    repair = correction.measured(2, torch.ones(1, 1, 1, 2), times, ALL)
    assert torch.equal(correction.shifted(torch.zeros(1, 1, 1, 2)), repair)
    assert not correction.measured(3, torch.ones(1, 1, 1, 2), times, ALL).any()


def test_a_prediction_follows_a_repair_the_more_of_x_is_noise() -> None:
    """A repair of 0.1 in x is 0.2 of the picture where the picture is half of x."""
    repair = torch.full((1, 1, 1, 2), 0.1)
    assert followed(repair, 0.5).flatten().tolist() == pytest.approx([0.2 * RESPONSE] * 2, rel=1e-2)
    assert followed(repair, 0.0).flatten().tolist() == pytest.approx([0.1 * RESPONSE] * 2, rel=1e-2)
    assert torch.isfinite(followed(repair, 1.0)).all()


def test_without_forecasts_the_very_same_tensors_pass_through() -> None:
    correction, x = Correction(SIGMAS), START.clone()
    correction.measured(1, torch.ones(1, 1, 1, 2), torch.ones(1, 1, 1, 2), ALL)
    assert correction.shifted(x) is x
    assert correction.returned(x, 1) is x


def test_sigmas_that_end_above_zero_land_on_the_repaired_x() -> None:
    sigmas = [0.9, 0.8, 0.7, 0.5]
    correction = Correction(sigmas)
    times = torch.full((1, 1, 1, 2), log_odds(0.9))
    correction.passed(1, times, ALL)
    correction.measured(2, torch.ones(1, 1, 1, 2), times, ALL)
    repaired, denoised = correction.shifted(START), 3 * START
    end = START + (0.5 - 0.7) * (START - correction.returned(denoised, 2)) / 0.7
    assert torch.allclose(end, repaired + (0.5 - 0.7) * (repaired - denoised) / 0.7, atol=1e-6)


@pytest.mark.parametrize("sigma", [1.0, 0.999, 0.5, 0.01])
def test_the_whole_range_of_sigmas_has_a_time(sigma: float) -> None:
    assert math.isfinite(log_odds(sigma))
