"""Where an evaluation lies in a run."""

import math

import pytest
from comfyui_jano.jano.clock import Clock, log_odds

CLOCK = Clock((1.0, 0.75, 0.5, 0.25, 0.0))


@pytest.mark.parametrize(
    ("sigma", "step"),
    [(1.0, 0), (0.9999, 0), (0.9, 0), (0.75, 1), (0.634, 1), (0.5, 2), (0.25, 3), (0.1, 3), (0.0, 3), (1.2, 0)],
)
def test_an_evaluation_belongs_to_the_step_that_it_starts_from(sigma: float, step: int) -> None:
    moment = CLOCK.at(sigma)
    assert (moment.step, moment.sigma) == (step, sigma)
    assert (moment.start, moment.end) == CLOCK.sigmas[step : step + 2]


@pytest.mark.parametrize("error", [-1e-6, 1e-6])
def test_rounding_errors_of_a_sampler_do_not_move_an_evaluation(error: float) -> None:
    moments = [CLOCK.at(sigma * (1 + error)) for sigma in CLOCK.sigmas[:-1]]
    assert [moment.step for moment in moments] == [0, 1, 2, 3]
    assert not any(CLOCK.moment(moment.step).is_before(moment) for moment in moments)


def test_steps_close_together_are_told_apart() -> None:
    clock = Clock((0.0020, 0.0014, 0.0009, 0.0005, 0.0003, 0.0))  # how Karras' schedule ends
    assert [clock.at(sigma).step for sigma in clock.sigmas[:-1]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("sigmas", "sigma", "step"),
    [((0.4, 0.2, 0.2, 0.1), 0.2, 2), ((0.4, 0.2, 0.1, 0.1), 0.1, 2), ((0.4, 0.2, 0.0, 0.0), 0.0, 2)],
)
def test_of_steps_from_one_sigma_the_last_is_meant(sigmas: tuple, sigma: float, step: int) -> None:
    assert Clock(sigmas).at(sigma).step == step


def test_a_sampler_goes_back_when_the_noise_rises_within_a_step_too() -> None:
    midpoint, start, next_start = CLOCK.at(0.6), CLOCK.at(0.75), CLOCK.at(0.5)
    assert start.is_before(midpoint)
    assert start.is_before(next_start)
    assert not next_start.is_before(midpoint)
    assert not start.is_before(start)


@pytest.mark.parametrize("sigma", [1.0, 0.999, 0.5, 0.01, 0.0])
def test_the_whole_range_of_sigmas_has_a_time(sigma: float) -> None:
    assert math.isfinite(log_odds(sigma))
