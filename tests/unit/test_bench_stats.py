"""The statistics that the measurements stand on."""

import pytest
import torch
from comfyui_jano.bench.stats import auc, interval


@pytest.mark.parametrize(
    ("values", "area"),
    [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([5, 5, 5, 5], 0.5), ([1, 3, 2, 4], 0.75), ([1, 2, 2, 3], 0.875)],
)
def test_auc_is_the_chance_that_a_positive_lies_above_a_negative(values: list, area: float) -> None:
    assert auc(torch.tensor(values), torch.tensor([False, False, True, True])) == area


def test_the_interval_of_equal_values_is_a_point_and_of_others_lies_about_their_mean() -> None:
    assert interval([3.0] * 5) == (3.0, 3.0)
    low, high = interval([0.0, 10.0] * 50)
    assert 3.0 < low < 5.0 < high < 7.0
