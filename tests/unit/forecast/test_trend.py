"""Lines that predictions do not follow, and guidance that comes back. Pictures have one row and two cells."""

import math

import pytest
import torch
from comfyui_jano.jano.clock import Clock
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.forecast.guided import Guided
from comfyui_jano.jano.forecast.history import PredictionHistory
from comfyui_jano.jano.forecast.trend import FAR, KEPT, NEAR, RETURNING, Trend, come_back
from torch import Tensor

# Twenty steps, of which the fifth is a short one.
CLOCK = Clock((*(1 - step / 20 for step in range(5)), 0.78, *(0.7 - step / 20 for step in range(15))))
LINE, HOLD = SchedulerConfig(), SchedulerConfig(forecast="hold")
SWINGING, STRAIGHT = [1, -1, 1, -1, 1], [1, 2, 3, 4, 5]
NEXT, LATE = CLOCK.moment(5), CLOCK.moment(12)


def picture(value: float) -> Tensor:
    return torch.full((1, 1, 1, 2), float(value))


def watched(values: list[float], config: SchedulerConfig = LINE, overshoot: float = 0.0) -> tuple[Guided, Tensor]:
    """A run whose predictions were these, and where its plain line leads at LATE."""
    guided, plain = Guided(config, False), PredictionHistory(config)
    for step, value in enumerate(values):
        moment = CLOCK.moment(step)
        guided.learn(picture(value), moment)
        guided.record(picture(value), moment, overshoot=picture(overshoot))
        plain.record(picture(value), moment)
    return guided, plain.forecast(LATE)


def test_a_line_that_predictions_follow_is_followed_and_so_is_one_that_nothing_is_known_of() -> None:
    for values in (STRAIGHT, STRAIGHT[:2]):
        guided, line = watched(values, overshoot=3.0)
        assert torch.equal(guided.adjusted(line, LATE), line)


def test_a_line_that_missed_is_followed_a_little_only_and_guidance_comes_back() -> None:
    guided, line = watched(SWINGING, overshoot=3.0)
    last = picture(SWINGING[-1])
    ahead = CLOCK.moment(4).time - LATE.time
    expected = last + KEPT * (line - last) - 3.0 * RETURNING * (1.0 - math.exp(-ahead))
    torch.testing.assert_close(guided.adjusted(line, LATE), expected)


def test_near_forecasts_are_lines_whatever_was_missed() -> None:
    guided, _ = watched(SWINGING, overshoot=3.0)
    assert CLOCK.moment(4).time - NEXT.time < NEAR
    assert torch.equal(guided.adjusted(picture(7), NEXT), picture(7))


def test_what_holds_is_not_adjusted() -> None:
    guided, held = watched(SWINGING, HOLD, overshoot=3.0)
    assert torch.equal(guided.adjusted(held, LATE), held)


def test_errors_are_measured_against_what_the_sampler_is_given() -> None:
    guided, line = watched(SWINGING, overshoot=3.0)
    torch.testing.assert_close(guided.error(picture(2), LATE), picture(2) - guided.adjusted(line, LATE))


def test_every_picture_of_a_batch_has_its_own_measure() -> None:
    trend = Trend()
    change = torch.cat([picture(1), picture(1)])
    trend.learn(change, torch.cat([picture(1), picture(-1)]))
    assert trend.doubt(torch.tensor(2 * FAR), change).flatten().tolist() == [0.0, 1.0]


@pytest.mark.parametrize("value", [0.0, math.inf, math.nan])
def test_what_cannot_be_measured_is_not_doubted(value: float) -> None:
    trend = Trend()
    trend.learn(picture(value), picture(value))
    assert trend.doubt(torch.tensor(2 * FAR), picture(1)).item() == 0.0


def test_guidance_that_is_not_known_does_not_come_back() -> None:
    assert come_back(None, torch.tensor(1.0)) == 0.0
