"""The statistics that the measurements stand on."""

import pytest
import torch
from comfyui_jano.bench.stats import auc


@pytest.mark.parametrize(
    ("values", "area"),
    [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([5, 5, 5, 5], 0.5), ([1, 3, 2, 4], 0.75), ([1, 2, 2, 3], 0.875)],
)
def test_auc_is_the_chance_that_a_positive_lies_above_a_negative(values: list, area: float) -> None:
    assert auc(torch.tensor(values), torch.tensor([False, False, True, True])) == area
