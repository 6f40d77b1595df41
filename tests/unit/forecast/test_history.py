"""What a token is predicted to be while it is not computed. One picture of one channel, one row, two cells.

Sigmas are chosen so that the forecast's time, the log odds of sigma, falls by one from each to the next.
"""

import math

import pytest
import torch
from comfyui_jano.jano.clock import ODDS_FLOOR, Moment
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.forecast.history import PredictionHistory
from torch import Tensor

STRAIGHT = 1e6
BOTH, FIRST = torch.tensor([[[[True, True]]]]), torch.tensor([[[[True, False]]]])


def sigma_at(time: float) -> float:
    """The sigma whose log odds are `time` (the floor of clock.log_odds solved for)."""
    return (1 + ODDS_FLOOR) / (1 + math.exp(-time))


def at(sigma: float, start: float | None = None) -> Moment:
    """An evaluation at `sigma` in a step that starts there, or at `start`."""
    return Moment(0, sigma, sigma if start is None else start, 0.0)


S0, S1, S2, S3 = (sigma_at(time) for time in (3, 2, 1, 0))


def picture(first: float, second: float) -> Tensor:
    return torch.tensor([[[[first, second]]]], dtype=torch.float32)


def history(settling: float = STRAIGHT, forecast: str = "linear") -> PredictionHistory:
    return PredictionHistory(SchedulerConfig(settling=settling, forecast=forecast))


def record(kept: PredictionHistory, value: Tensor, sigma: float, computed: Tensor | None = None) -> None:
    """An evaluation at the start of a step."""
    kept.record(value, at(sigma), computed)


def test_a_straight_line_goes_on() -> None:
    kept = history()
    record(kept, picture(10, 0), S0)
    record(kept, picture(12, 0), S1)
    assert kept.forecast(at(S2)).flatten().tolist() == pytest.approx([14, 0], abs=1e-4)


def test_a_change_that_settles_is_foretold_exactly() -> None:
    """Predictions that approach 8 and -1, by a factor e in every unit of log odds."""
    kept = history(settling=1.0)
    settled, first = torch.tensor([8.0, -1.0]), torch.tensor([3.0, 4.0])
    values = [settled + (first - settled) * math.exp(-time) for time in range(4)]
    record(kept, picture(*values[0].tolist()), S0)
    record(kept, picture(*values[1].tolist()), S1)
    assert torch.allclose(kept.forecast(at(S2)).flatten(), values[2], atol=1e-4)
    assert torch.allclose(kept.forecast(at(S3)).flatten(), values[3], atol=1e-4)


def test_a_far_forecast_levels_off() -> None:
    kept = history(settling=0.5)
    record(kept, picture(0, 0), S0)
    record(kept, picture(1, 0), S1)
    furthest = 1 + 1 / (math.e**2 - 1)
    ahead = [kept.forecast(at(sigma)).flatten()[0].item() for sigma in (S2, S3, sigma_at(-6))]
    assert ahead == sorted(ahead)
    assert ahead[-1] == pytest.approx(furthest, abs=1e-4)


def test_hold_repeats_the_last_value() -> None:
    kept = history(forecast="hold")
    record(kept, picture(10, 1), S0)
    record(kept, picture(12, 2), S1)
    assert kept.forecast(at(S3)).flatten().tolist() == [12, 2]


def test_one_value_has_no_slope() -> None:
    kept = history()
    record(kept, picture(10, 1), S0)
    assert not kept.has_slope
    assert kept.forecast(at(S3)).flatten().tolist() == [10, 1]


def test_every_cell_goes_on_from_its_own_last_two_computations() -> None:
    kept = history()
    record(kept, picture(0, 0), S0)
    record(kept, picture(1, 1), S1, BOTH)
    record(kept, picture(3, 99), S2, FIRST)
    assert kept.has_slope
    assert kept.times.flatten().tolist() == pytest.approx([1, 2], abs=1e-4)
    assert kept.forecast(at(S3)).flatten().tolist() == pytest.approx([5, 3], abs=1e-4)


def test_a_second_evaluation_of_a_step_replaces_the_first() -> None:
    kept = history()
    kept.record(picture(10, 0), at(S0, S0))
    kept.record(picture(50, 0), at(S1, S1))
    kept.record(picture(12, 0), at(S1, S1))
    assert kept.forecast(at(S2)).flatten().tolist() == pytest.approx([14, 0], abs=1e-4)


def test_two_evaluations_a_hair_apart_make_no_slope() -> None:
    kept = history()
    kept.record(picture(10, 0), at(S0, S0))
    kept.record(picture(12, 0), at(S1 + 1e-6, S1))
    kept.record(picture(12.2, 0), at(S1, S1))
    assert kept.forecast(at(S2)).flatten().tolist() == pytest.approx([14.4, 0], abs=1e-3)


def test_two_evaluations_of_the_first_step_are_no_line() -> None:
    kept = history()
    kept.record(picture(10, 0), at(S0, S0))
    kept.record(picture(12, 0), at(S1, S0))
    assert not kept.has_slope
    assert not kept.is_ready
    assert kept.forecast(at(S2)).flatten().tolist() == [12, 0]


def test_what_was_recorded_is_a_copy_and_so_is_a_forecast() -> None:
    kept, value = history(forecast="hold"), picture(1, 2)
    record(kept, value, 1.0)
    value += 5
    kept.forecast(at(0.5)).mul_(7)
    assert kept.forecast(at(0.5)).flatten().tolist() == [1, 2]
