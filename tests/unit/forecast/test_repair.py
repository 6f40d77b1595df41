"""Repairing forecasts afterwards, with samplers written out by hand and a model that depends on time alone."""

import math

import pytest
import torch
from comfyui_jano.jano.clock import Clock
from comfyui_jano.jano.forecast.repair import RESPONSE, Agreement, Correction, followed, repaired_share
from torch import Tensor

CLOCK = Clock((0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.0))
STOPPED = Clock(CLOCK.sigmas[:-1])
ALL = torch.ones(1, 1, 1, 2, dtype=torch.bool)
START = torch.tensor([1.0, -1.0]).reshape(1, 1, 1, 2)
FORECAST_STEPS = (2, 3)


def time_of(step: int) -> Tensor:
    return torch.full((1, 1, 1, 2), CLOCK.moment(step).time)


def predicted(step: int) -> Tensor:
    """A denoised prediction that moves evenly in the log odds of sigma."""
    return time_of(step) * torch.tensor([2.0, -1.0])


def euler(x: Tensor, denoised: Tensor, old: Tensor | None, start: float, end: float) -> Tensor:
    return x + (end - start) * (x - denoised) / start


def second_order(x: Tensor, denoised: Tensor, old: Tensor | None, start: float, end: float) -> Tensor:
    """Two predictions, extrapolated to the middle of the step; the last step takes one."""
    ahead = denoised if old is None or end == 0 else 1.5 * denoised - 0.5 * old
    return euler(x, ahead, old, start, end)


def sample(sampler, correction: Correction | None, clock: Clock = CLOCK) -> Tensor:
    """Steps 2 and 3 hold what step 1 predicted; without a correction everything is computed. The shift is handed back
    at the end."""
    x, old, times, known = START.clone(), None, time_of(0), START
    for step in range(clock.num_steps):
        moment, denoised = clock.moment(step), predicted(step)
        if correction is not None:
            if step in FORECAST_STEPS:
                denoised = known
                correction.passed(moment, times, ALL)
            else:
                correction.measured(moment, denoised - known, times, ALL)
                known, times = denoised, time_of(step)
            denoised = denoised if correction.shift is None else denoised - correction.shift
        x, old = sampler(x, denoised, old, moment.start, moment.end), denoised
    return x if correction is None or correction.shift is None else x + correction.shift


def held(correction: Correction, moment_of: int, since: int, error: Tensor, cells: Tensor = ALL) -> Tensor | None:
    """Step `moment_of` computes what was forecast in the step before from step `since`."""
    correction.passed(CLOCK.moment(moment_of - 1), time_of(since), cells)
    return correction.measured(CLOCK.moment(moment_of), error, time_of(since), ALL)


@pytest.mark.parametrize("clock", [CLOCK, STOPPED], ids=["to the picture", "noise left in"])
def test_errors_that_grow_evenly_are_repaired_exactly(clock: Clock) -> None:
    assert torch.allclose(sample(euler, Correction(), clock), sample(euler, None, clock), atol=1e-6)


@pytest.mark.parametrize("sampler", [euler, second_order])
def test_a_sampler_that_is_given_the_shift_less_stays_beside_the_repaired_x(sampler) -> None:
    shift = torch.tensor([0.3, -0.2])
    x, repaired, given = START - shift, START.clone(), predicted(0)
    for step in range(STOPPED.num_steps):
        moment, old, given = STOPPED.moment(step), given, predicted(step)
        x = sampler(x, given - shift, old - shift, moment.start, moment.end)
        repaired = sampler(repaired, given, old, moment.start, moment.end)
        assert torch.allclose(x + shift, repaired, atol=1e-6)


def test_only_cells_that_were_frozen_are_repaired() -> None:
    correction, left = Correction(), torch.tensor([[[[True, False]]]])
    held(correction, 2, 0, torch.ones(1, 1, 1, 2), left)
    shift = correction.shift.flatten().tolist()
    assert shift[0] > 0.0
    assert shift[1] == 0.0


def test_what_is_repaired_is_told_once() -> None:
    correction = Correction()
    assert correction.measured(CLOCK.moment(1), torch.ones(1, 1, 1, 2), time_of(0), ALL) is None
    repair = held(correction, 2, 0, torch.ones(1, 1, 1, 2))
    assert torch.equal(correction.shift, repair)
    assert not correction.measured(CLOCK.moment(3), torch.ones(1, 1, 1, 2), time_of(0), ALL).any()


def test_repairs_add_up() -> None:
    correction, one = Correction(), torch.ones(1, 1, 1, 2)
    first = held(correction, 2, 0, one)
    second = held(correction, 4, 2, one)
    assert torch.allclose(correction.shift, first + second)
    assert (first != 0).all()
    assert (second != 0).all()


def test_nothing_is_repaired_where_no_time_has_passed() -> None:
    """A later evaluation at the sigma, or before the sigma, of the last computation."""
    for since in (3, 4):
        correction = Correction()
        correction.passed(CLOCK.moment(2), time_of(0), ALL)
        correction.measured(CLOCK.moment(3), torch.ones(1, 1, 1, 2), time_of(since), ALL)
        assert torch.equal(correction.shift, torch.zeros(1, 1, 1, 2))


def test_a_step_that_does_not_leave_its_sigma_moves_nothing() -> None:
    correction, clock = Correction(), Clock((0.9, 0.4, 0.3, 0.3))
    correction.passed(clock.moment(2), torch.tensor(clock.moment(0).time), ALL)
    assert not correction.measured(clock.moment(2), START, torch.tensor(clock.moment(0).time), ALL).any()


def test_a_prediction_follows_a_repair_the_more_of_x_is_noise() -> None:
    """A repair of 0.1 in x is 0.2 of the picture where the picture is half of x."""
    repair = torch.full((1, 1, 1, 2), 0.1)
    assert followed(repair, 0.5).flatten().tolist() == pytest.approx([0.2 * RESPONSE] * 2, rel=1e-2)
    assert followed(repair, 0.0).flatten().tolist() == pytest.approx([0.1 * RESPONSE] * 2, rel=1e-2)
    assert torch.isfinite(followed(repair, 1.0)).all()


def test_without_forecasts_there_is_no_shift() -> None:
    correction = Correction()
    correction.measured(CLOCK.moment(1), torch.ones(1, 1, 1, 2), time_of(0), ALL)
    assert correction.shift is None


def test_forecasts_that_cannot_be_measured_are_not_repaired() -> None:
    correction = Correction()
    first = held(correction, 2, 0, torch.ones(1, 1, 1, 2))
    correction.passed(CLOCK.moment(3), time_of(2), ALL)
    correction.begin_anew()
    assert correction.measured(CLOCK.moment(4), torch.ones(1, 1, 1, 2), time_of(2), ALL) is None
    assert torch.equal(correction.shift, first)
    correction.go_back()
    assert correction.shift is None


def errors(*values: float) -> list[float]:
    """What is repaired of errors along one direction, one after the other."""
    agreement = Agreement()
    return [agreement.add(torch.full((1, 4, 2, 2), value)).item() for value in values]


def test_errors_that_point_one_way_are_repaired_wholly() -> None:
    assert errors(1.0, 0.5, 2.0, 1.0) == [1.0] * 4


def test_errors_that_swing_are_not_repaired() -> None:
    assert errors(1.0, -1.0, 1.0, -1.0) == [1.0, 0.0, 0.0, 0.0]


def test_once_errors_agree_again_they_are_repaired_again() -> None:
    shares = errors(1.0, -1.0, -1.0, -1.0)
    assert shares[1] == 0.0
    assert shares[2:] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("cosine", "share"), [(-1.0, 0.0), (-0.65, 0.0), (-0.55, 0.5), (-0.45, 1.0), (1.0, 1.0), (math.nan, 1.0)]
)
def test_the_less_errors_agree_the_less_is_repaired(cosine: float, share: float) -> None:
    assert repaired_share(torch.tensor(cosine)).item() == pytest.approx(share)


def test_an_error_of_nothing_says_nothing() -> None:
    assert errors(1.0, 0.0, 1.0)[0] == 1.0
    agreement = Agreement()
    assert [agreement.add(torch.full((1, 1, 2, 2), value)).item() for value in (1.0, math.nan, 1.0)] == [1.0] * 3


def test_large_errors_in_half_precision_swing_as_others_do() -> None:
    agreement, large = Agreement(), torch.full((1, 16, 8, 8), 4096.0, dtype=torch.float16)
    assert [agreement.add(error).item() for error in (large, -large, large)] == [1.0, 0.0, 0.0]


def test_no_picture_decides_for_another_one_of_its_batch() -> None:
    agreement, even, odd = Agreement(), torch.ones(1, 4, 2, 2), -torch.ones(1, 4, 2, 2)
    agreement.add(torch.cat((even, 100 * even)))
    shares = agreement.add(torch.cat((odd, 100 * even)))
    assert shares.flatten().tolist() == [0.0, 1.0]
