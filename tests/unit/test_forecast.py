"""What a token is predicted to be while it is not computed. One picture of one channel, one row, two cells."""

import pytest
import torch
from comfyui_jano.jano.config import SchedulerConfig
from comfyui_jano.jano.forecast import PredictionHistory
from torch import Tensor

BOTH, FIRST = torch.tensor([[[[True, True]]]]), torch.tensor([[[[True, False]]]])


def picture(first: float, second: float) -> Tensor:
    return torch.tensor([[[[first, second]]]], dtype=torch.float32)


def history(slope: float = 1.0, forecast: str = "linear") -> PredictionHistory:
    return PredictionHistory(SchedulerConfig(slope=slope, forecast=forecast))


def record(kept: PredictionHistory, value: Tensor, sigma: float, computed: Tensor | None = None) -> None:
    """An evaluation at the start of a step."""
    kept.record(value, sigma, sigma, computed)


def test_a_straight_line_goes_on() -> None:
    kept = history()
    record(kept, picture(10, 0), 1.0)
    record(kept, picture(12, 0), 0.8)
    assert kept.forecast(0.7).flatten().tolist() == pytest.approx([13, 0], abs=1e-4)


def test_the_slope_is_damped() -> None:
    kept = history(slope=0.5)
    record(kept, picture(10, 0), 1.0)
    record(kept, picture(12, 0), 0.8)
    assert kept.forecast(0.6).flatten().tolist() == pytest.approx([13, 0])


def test_hold_repeats_the_last_value() -> None:
    kept = history(forecast="hold")
    record(kept, picture(10, 1), 1.0)
    record(kept, picture(12, 2), 0.8)
    assert kept.forecast(0.2).flatten().tolist() == [12, 2]


def test_one_value_has_no_slope() -> None:
    kept = history()
    record(kept, picture(10, 1), 1.0)
    assert kept.forecast(0.2).flatten().tolist() == [10, 1]


def test_every_cell_goes_on_from_its_own_last_two_computations() -> None:
    kept = history()
    record(kept, picture(0, 0), 1.0)
    record(kept, picture(1, 1), 0.9, BOTH)
    record(kept, picture(3, 99), 0.8, FIRST)
    assert kept.forecast(0.7).flatten().tolist() == pytest.approx([5, 3], abs=1e-4)


def test_a_second_evaluation_of_a_step_replaces_the_first() -> None:
    kept = history()
    kept.record(picture(10, 0), 1.0, 1.0)
    kept.record(picture(50, 0), 0.8, 0.8)
    kept.record(picture(12, 0), 0.8, 0.8)
    assert kept.forecast(0.7).flatten().tolist() == pytest.approx([13, 0], abs=1e-4)


def test_two_evaluations_a_hair_apart_make_no_slope() -> None:
    kept = history()
    kept.record(picture(10, 0), 1.0, 1.0)
    kept.record(picture(12, 0), 0.8 + 1e-6, 0.8)
    kept.record(picture(12.2, 0), 0.8, 0.8)
    assert kept.forecast(0.7).flatten().tolist() == pytest.approx([13.3, 0], abs=1e-3)


def test_what_was_recorded_is_a_copy_and_so_is_a_forecast() -> None:
    kept, value = history(forecast="hold"), picture(1, 2)
    record(kept, value, 1.0)
    value += 5
    kept.forecast(0.5).mul_(7)
    assert kept.forecast(0.5).flatten().tolist() == [1, 2]
