"""The guided predictions of a run: pictures of one row and two cells."""

import pytest
import torch
from comfyui_jano.jano.clock import Clock
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.forecast.guided import Guided, everywhere
from torch import Tensor

CLOCK = Clock(tuple(1 - step / 20 for step in range(21)))
HOLD = SchedulerConfig(forecast="hold")
LEFT = torch.tensor([[[[True, False]]]])


def picture(left: float, right: float) -> Tensor:
    return torch.tensor([[[[left, right]]]], dtype=torch.float32)


def known(corrects: bool = True) -> Guided:
    guided = Guided(HOLD, corrects)
    guided.record(picture(1, 1), CLOCK.moment(0))
    return guided


def test_there_is_no_error_before_there_is_a_forecast() -> None:
    assert Guided(HOLD, True).error(picture(1, 1), CLOCK.moment(0)) is None
    assert known().error(picture(1, 3), CLOCK.moment(1)).tolist() == picture(0, 2).tolist()


def test_a_repair_follows_the_error_of_the_frozen_cell_alone() -> None:
    guided = known()
    guided.passed(CLOCK.moment(1), ~LEFT)
    guided.measured(CLOCK.moment(2), guided.error(picture(3, 3), CLOCK.moment(2)), everywhere(guided.shift or LEFT))
    left, right = guided.shift.flatten().tolist()
    assert left == 0.0
    assert right > 0.0


def test_what_was_not_computed_is_not_repaired_yet() -> None:
    guided = known()
    guided.passed(CLOCK.moment(1), everywhere(LEFT))
    guided.measured(CLOCK.moment(2), picture(1, 1), LEFT)
    left, right = guided.shift.flatten().tolist()
    assert left > 0.0
    assert right == 0.0


def test_the_sampler_is_given_the_prediction_less_the_shift() -> None:
    guided = known()
    assert guided.returned(value := picture(5, 5)) is value
    guided.passed(CLOCK.moment(1), everywhere(LEFT))
    guided.measured(CLOCK.moment(2), picture(1, 1), everywhere(LEFT))
    torch.testing.assert_close(guided.returned(value) + guided.shift, value)


def test_without_repair_nothing_is_shifted() -> None:
    guided = known(corrects=False)
    guided.passed(CLOCK.moment(1), everywhere(LEFT))
    assert guided.measured(CLOCK.moment(2), picture(1, 1), everywhere(LEFT)) is None
    assert guided.shift is None


def test_beginning_anew_keeps_the_shift_and_going_back_does_not() -> None:
    guided = known()
    guided.passed(CLOCK.moment(1), everywhere(LEFT))
    guided.measured(CLOCK.moment(2), picture(1, 1), everywhere(LEFT))
    shift = guided.shift
    guided.begin_anew()
    assert guided.shift is shift
    assert guided.error(picture(1, 1), CLOCK.moment(3)) is None
    guided.go_back()
    assert guided.shift is None


@pytest.mark.parametrize("value", [True, False])
def test_one_answer_stands_for_all_cells(value: bool) -> None:
    assert torch.equal(everywhere(LEFT, value).expand(1, 1, 1, 2), torch.full((1, 1, 1, 2), value))
