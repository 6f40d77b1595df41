"""How large the error of a forecast is; pictures of one row and two cells, a region each."""

import pytest
import torch
from comfyui_jano.jano.whole.errors import median, region_errors, share_of
from comfyui_jano.tests.unit.toy import GRID
from torch import Tensor


def picture(left: float, right: float) -> Tensor:
    return torch.tensor([[[[left, right]]]], dtype=torch.float32)


def test_a_batch_counts_with_its_worst_picture_per_region() -> None:
    error = torch.tensor([[[[3.0, 0.0]]], [[[1.0, 2.0]]]])
    assert region_errors(error, GRID).tolist() == [3.0, 2.0]


def test_the_share_is_that_of_the_root_mean_squares() -> None:
    share, spread = share_of(picture(1, 1), picture(2, 2), GRID)
    assert share == pytest.approx(0.5)
    assert spread == pytest.approx(1.0)


def test_the_spread_is_the_ninetieth_over_the_tenth_percentile() -> None:
    _, spread = share_of(picture(1, 4), picture(2, 2), GRID)
    assert spread == pytest.approx((0.9 * 4 + 0.1) / (0.1 * 4 + 0.9), rel=1e-4)


def test_the_median_passes_over_what_is_no_number() -> None:
    assert median([]) == 0.0
    assert median([float("nan"), 3.0, 1.0, 2.0]) == 2.0
    assert median([float("inf")]) == 0.0
